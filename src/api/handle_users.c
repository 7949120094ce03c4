/* SPDX-License-Identifier: Apache-2.0 */
/* Who the users are that another service has ids of. */
#include "directory_store.h"
#include "form_in.h"
#include "handlers.h"
#include "json_out.h"

enum { SUB_CODEPOINTS_MAX = 64, ITEM_BYTES_MAX = 2048 };

/* The ids as a list with commas, each once. */
static enum error read_ids(struct request *request, struct str *out)
{
    struct str asked;
    struct str seen[DIRECTORY_STORE_MAX];
    size_t count = 0;
    struct buf list;

    TRY(form_in_list(request->arena, http_request_query(request->x), STR("id"), &asked));
    list = buf_in(request->arena, asked.len + 1);
    while (asked.len > 0) {
        struct str id = str_cut(&asked, ',');
        size_t i = 0;

        if (id.len == 0 || str_codepoints(id) > SUB_CODEPOINTS_MAX) {
            return request_invalid(request, STR("/id"), "invalid_value",
                                   "an id has 1 to 64 characters: a user's `sub`");
        }
        while (i < count && !str_equal(seen[i], id)) {
            i++;
        }
        if (i < count) {
            continue;
        }
        if (count == DIRECTORY_STORE_MAX) {
            return request_invalid(request, STR("/id"), "too_long", "at most 50 ids at once");
        }
        if (count > 0) {
            buf_append_byte(&list, ',');
        }
        buf_append(&list, id);
        seen[count++] = id;
    }
    if (count == 0) {
        return request_invalid(request, STR("/id"), "required",
                               "at least one id is asked for: ?id=…&id=…");
    }
    return buf_finish(&list, out);
}

static void write_user(struct json_out *json, const struct directory_user *user)
{
    json_object(json);
    json_member_str(json, "id", user->sub);
    json_member_str_or_null(json, "name", user->name);
    json_member_str(json, "email", user->email);
    json_member_bool(json, "email_verified", user->email_verified);
    json_member_str(json, "status", user->status);
    json_object_end(json);
}

enum error handle_users(struct request *request)
{
    struct directory_user *users =
        arena_alloc_array(request->arena, DIRECTORY_STORE_MAX, sizeof(*users));
    size_t count = 0;
    struct str ids = STR_EMPTY;

    if (users == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(read_ids(request, &ids));
    TRY(directory_store_find(request->work.pg, request->arena, ids, users, &count));
    struct buf out = buf_in(request->arena, count * ITEM_BYTES_MAX + 64);
    struct json_out json = json_out_to(&out);
    json_object(&json);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < count; i++) {
        write_user(&json, &users[i]);
    }
    json_array_end(&json);
    json_member_str_or_null(&json, "next_cursor", STR_EMPTY);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}
