/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include <stddef.h>

#include "cursor.h"
#include "form_in.h"
#include "json_out.h"

enum { LIMIT_MAX = 200, LIMIT_DEFAULT = 50, FRAME_BYTES_MAX = 512, RESERVE_BYTES = 16384 };

struct page_query {
    struct str limit;
    struct str cursor;
};

static const struct json_field query_fields[] = {
    JSON_TEXT(struct page_query, limit, 1, 3, JSON_OPTIONAL),
    JSON_TEXT(struct page_query, cursor, 1, 128, JSON_OPTIONAL),
};

static const struct keyring *keyring_of(const struct request *request)
{
    return request->api->options.accounts->keyring;
}

enum error page_read(struct request *request, struct str list, struct page *out)
{
    struct page page = {.list = list};
    struct page_query query = {0};
    uint64_t limit = LIMIT_DEFAULT;

    TRY(form_in_decode(request->arena, http_request_query(request->x), query_fields,
                       sizeof(query_fields) / sizeof(query_fields[0]), &query));
    if (form_in_is_empty(http_request_query(request->x), STR("limit")) ||
        (query.limit.ptr != NULL &&
         (str_to_u64(query.limit, &limit) != OK || limit < 1 || limit > LIMIT_MAX))) {
        return request_invalid(request, STR("/limit"), "invalid_value",
                               "limit is a number from 1 to 200");
    }
    page.keyset.limit = (size_t)limit;
    page.keyset.has_after = query.cursor.ptr != NULL;
    if (page.keyset.has_after && cursor_read(keyring_of(request), request->arena, list,
                                             query.cursor, &page.keyset.after) != OK) {
        return request_invalid(request, STR("/cursor"), "invalid_value",
                               "cursor is the next_cursor of the page before, unchanged");
    }
    *out = page;
    return OK;
}

/* As much as the items can need, and no more than leaves room for the rest of the answer. */
static struct buf buffer_for(struct arena *arena, const struct page_items *items)
{
    size_t wanted = items->found.count * items->item_bytes_max + FRAME_BYTES_MAX;
    size_t left = arena->size_bytes - arena->used_bytes;
    size_t most = left > RESERVE_BYTES ? left - RESERVE_BYTES : 0;

    return buf_in(arena, wanted < most ? wanted : most);
}

enum error page_reply(struct request *request, const struct page *page,
                      const struct page_items *items)
{
    struct str next = STR_EMPTY;
    struct json_out json;
    struct buf out;

    if (items->found.has_more) {
        next = cursor_make(keyring_of(request), request->arena, page->list, items->last);
    }
    out = buffer_for(request->arena, items);
    json = json_out_to(&out);
    json_object(&json);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < items->found.count; i++) {
        items->write(&json, items->items, i);
    }
    json_array_end(&json);
    json_member_str_or_null(&json, "next_cursor", next);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}
