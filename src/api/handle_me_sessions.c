/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "cursor.h"
#include "devices.h"
#include "form_in.h"
#include "handlers.h"
#include "json_out.h"

enum { LIMIT_MAX = 200, LIMIT_DEFAULT = 50, ITEM_BYTES_MAX = 2048, PAGE_BYTES_MAX = 96 * 1024 };

struct page_query {
    struct str limit;
    struct str cursor;
};

static const struct json_field query_fields[] = {
    JSON_TEXT(struct page_query, limit, 1, 3, JSON_OPTIONAL),
    JSON_TEXT(struct page_query, cursor, 1, 128, JSON_OPTIONAL),
};

/* Whose list a cursor is of. */
static struct str list_of(struct request *request)
{
    return arena_printf(request->arena, "sessions:%.*s", STR_ARG(request->claims.sub));
}

static enum error read_page(struct request *request, struct device_page *out)
{
    const struct keyring *keyring = request->api->options.accounts->keyring;
    struct page_query query = {0};
    uint64_t limit = LIMIT_DEFAULT;

    TRY(form_in_decode(request->arena, http_request_query(request->x), query_fields,
                       sizeof(query_fields) / sizeof(query_fields[0]), &query));
    if (query.limit.ptr != NULL &&
        (str_to_u64(query.limit, &limit) != OK || limit < 1 || limit > LIMIT_MAX)) {
        return request_invalid(request, STR("/limit"), "invalid_value",
                               "limit is a number from 1 to 200");
    }
    out->limit = (size_t)limit;
    out->has_after = query.cursor.ptr != NULL;
    if (out->has_after &&
        cursor_read(keyring, request->arena, list_of(request), query.cursor, &out->after) != OK) {
        return request_invalid(request, STR("/cursor"), "invalid_value",
                               "cursor is the next_cursor of the page before, unchanged");
    }
    return OK;
}

static void write_device(struct request *request, struct json_out *json,
                         const struct device *device)
{
    struct arena *arena = request->arena;
    struct str refreshed =
        device->refreshed_ms == 0 ? STR_EMPTY : codec_rfc3339_in(arena, device->refreshed_ms);

    json_object(json);
    json_member_str(json, "id", codec_uuid_in(arena, device->id));
    json_member_str(json, "created_at", codec_rfc3339_in(arena, device->created_ms));
    json_member_str_or_null(json, "last_refreshed_at", refreshed);
    json_member_str_or_null(json, "ip", device->ip);
    json_member_str_or_null(json, "user_agent", device->user_agent);
    json_member_bool(json, "current", device->is_current);
    json_object_end(json);
}

static enum error reply_page(struct request *request, const struct device *devices, size_t count,
                             bool has_more)
{
    struct buf out = buf_in(request->arena, count * ITEM_BYTES_MAX / 4 + ITEM_BYTES_MAX);
    struct json_out json = json_out_to(&out);
    struct str next = STR_EMPTY;

    if (has_more) {
        next = cursor_make(request->api->options.accounts->keyring, request->arena,
                           list_of(request), devices[count - 1].id);
    }
    json_object(&json);
    json_key(&json, "items");
    json_array(&json);
    for (size_t i = 0; i < count; i++) {
        write_device(request, &json, &devices[i]);
    }
    json_array_end(&json);
    json_member_str_or_null(&json, "next_cursor", next);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}

enum error handle_me_sessions_list(struct request *request)
{
    struct user_session acting = request_session(request);
    struct device_page page = {0};
    struct device *devices;
    size_t limit;
    size_t count = 0;

    TRY(read_page(request, &page));
    limit = page.limit++; /* one more tells whether there is another page */
    devices = arena_alloc_array(request->arena, page.limit, sizeof(*devices));
    if (devices == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(device_store_list(request->work.pg, request->arena, &acting, &page, devices, &count));
    return reply_page(request, devices, count < limit ? count : limit, count > limit);
}

enum error handle_me_sessions_end_one(struct request *request)
{
    struct uuid id;

    if (codec_uuid_parse(request->parameter, &id) != OK) {
        return ERR_NOT_FOUND;
    }
    TRY(devices_end_one(request->api->options.accounts->sessions, &request->work, &request->claims,
                        id));
    request_reply_empty(request, 204);
    return OK;
}

enum error handle_me_sessions_end_others(struct request *request)
{
    TRY(devices_end_others(request->api->options.accounts->sessions, &request->work,
                           &request->claims));
    request_reply_empty(request, 204);
    return OK;
}

struct reauth_body {
    struct str password;
};

static const struct json_field reauth_fields[] = {
    JSON_TEXT(struct reauth_body, password, 1, PASSWORD_CODEPOINTS_MAX, JSON_REQUIRED),
};

const struct route_body handle_me_sessions_reauth_body = {
    .fields = reauth_fields,
    .count = 1,
    .struct_bytes = sizeof(struct reauth_body),
};

enum error handle_me_sessions_reauth(struct request *request)
{
    const struct accounts *accounts = request->api->options.accounts;
    const struct reauth_body *body = request->body;
    struct buf out = buf_in(request->arena, TOKEN_BYTES_MAX + 256);
    struct json_out json = json_out_to(&out);
    struct str token = STR_EMPTY;

    TRY(devices_reauthenticate(accounts, &request->work, &request->claims, body->password, &token));
    json_object(&json);
    json_member_str(&json, "access_token", token);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "expires_in", accounts->sessions->tokens->ttl_s);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}
