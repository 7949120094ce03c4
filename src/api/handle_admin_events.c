/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>

#include "admin.h"
#include "form_in.h"
#include "handlers.h"
#include "json_out.h"
#include "letters.h"

enum { EVENT_BYTES_MAX = 2048 };

struct events_query {
    struct str state;
};

static const struct json_field query_fields[] = {
    JSON_TEXT(struct events_query, state, 1, 64, JSON_OPTIONAL),
};

static enum error read_states(struct request *request, struct letter_filter *filter)
{
    struct events_query query = {0};

    TRY(form_in_decode(request->arena, http_request_query(request->x), query_fields, 1, &query));
    if (query.state.ptr == NULL) {
        query.state = STR("pending,dead");
    }
    while (query.state.len > 0) {
        struct str word = str_trim(str_cut(&query.state, ','));

        if (!str_equal(word, STR("pending")) && !str_equal(word, STR("dead"))) {
            return request_invalid(request, STR("/state"), "invalid_value",
                                   "state is pending, dead or both, separated by a comma");
        }
        filter->pending = filter->pending || str_equal(word, STR("pending"));
        filter->dead = filter->dead || str_equal(word, STR("dead"));
    }
    return OK;
}

/* A cursor carries an id; that of this list is a number. */
static struct uuid id_of(int64_t seq)
{
    struct uuid id = {{0}};

    memcpy(id.bytes, &seq, sizeof(seq));
    return id;
}

static int64_t seq_of(const struct keyset *keyset)
{
    int64_t seq = 0;

    if (keyset->has_after) {
        memcpy(&seq, keyset->after.bytes, sizeof(seq));
    }
    return seq;
}

static void write_letter(struct json_out *json, const void *items, size_t at)
{
    const struct letter *letter = (const struct letter *)items + at;
    char memory[96];
    struct buf type = buf_over(memory, sizeof(memory));

    buf_printf(&type, "com.mallhive.%.*s.v1", STR_ARG(letter->type));
    json_object(json);
    json_member_uuid(json, "id", letter->id);
    json_member_str(json, "type", buf_str(&type));
    json_member_str(json, "subject", letter->subject);
    json_member_str(json, "state", letter->is_dead ? STR("dead") : STR("pending"));
    json_member_bool(json, "parked", letter->is_parked);
    json_member_i64(json, "attempts", letter->attempts);
    json_member_time(json, "created_at", letter->created_ms);
    json_member_time_or_null(json, "due_at", letter->is_dead ? 0 : letter->due_ms);
    json_member_str_or_null(json, "last_error", letter->last_error);
    json_object_end(json);
}

enum error handle_admin_events_list(struct request *request)
{
    struct page_items items = {.item_bytes_max = EVENT_BYTES_MAX, .write = write_letter};
    struct letter_filter filter = {0};
    struct letter *letters;
    struct page page;

    TRY(read_states(request, &filter));
    TRY(page_read(request,
                  arena_printf(request->arena, "admin/events:%d%d", filter.pending, filter.dead),
                  &page));
    filter.after_seq = seq_of(&page.keyset);
    filter.limit = page.keyset.limit;
    letters = arena_alloc_array(request->arena, filter.limit, sizeof(*letters));
    if (letters == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(letter_store_list(request->work.pg, request->arena, &filter, letters, &items.found));
    items.items = letters;
    if (items.found.count > 0) {
        items.last = id_of(letters[items.found.count - 1].seq);
    }
    return page_reply(request, &page, &items);
}

enum error handle_admin_events_redeliver(struct request *request)
{
    struct administrator by = admin_actor(request);
    struct uuid id;

    if (codec_uuid_parse(request->parameter, &id) != OK) {
        return ERR_NOT_FOUND;
    }
    TRY(letters_redeliver(&request->work, &by.audit, id));
    request_reply_empty(request, 204);
    return OK;
}
