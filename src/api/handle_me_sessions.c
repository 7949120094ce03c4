/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "devices.h"
#include "handlers.h"
#include "json_out.h"
#include "mfa_code.h"
#include "page.h"

enum { ITEM_BYTES_MAX = 1024 };

static void write_device(struct json_out *json, const void *items, size_t at)
{
    const struct device *device = (const struct device *)items + at;

    json_object(json);
    json_member_uuid(json, "id", device->id);
    json_member_time(json, "created_at", device->created_ms);
    json_member_time_or_null(json, "last_refreshed_at", device->refreshed_ms);
    json_member_str_or_null(json, "ip", device->ip);
    json_member_str_or_null(json, "user_agent", device->user_agent);
    json_member_bool(json, "current", device->is_current);
    json_object_end(json);
}

enum error handle_me_sessions_reply(struct request *request, const struct page *page,
                                    const struct device *devices, struct keyset_found found)
{
    const struct page_items items = {
        .items = devices,
        .found = found,
        .last = found.count > 0 ? devices[found.count - 1].id : (struct uuid){{0}},
        .item_bytes_max = ITEM_BYTES_MAX,
        .write = write_device,
    };

    return page_reply(request, page, &items);
}

enum error handle_me_sessions_list(struct request *request)
{
    struct str list = arena_printf(request->arena, "sessions:%.*s", STR_ARG(request->claims.sub));
    struct user_session acting = request_session(request);
    struct keyset_found found = {0};
    struct device *devices;
    struct page page;

    TRY(page_read(request, list, &page));
    devices = arena_alloc_array(request->arena, page.keyset.limit, sizeof(*devices));
    if (devices == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(device_store_list(request->work.pg, request->arena, &acting, &page.keyset, devices,
                          &found));
    return handle_me_sessions_reply(request, &page, devices, found);
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
    struct str code;
};

static const struct json_field reauth_fields[] = {
    JSON_TEXT(struct reauth_body, password, 1, PASSWORD_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct reauth_body, code, 1, MFA_CODE_CODEPOINTS_MAX, JSON_OPTIONAL),
};

const struct route_body handle_me_sessions_reauth_body = {
    .fields = reauth_fields,
    .count = sizeof(reauth_fields) / sizeof(reauth_fields[0]),
    .struct_bytes = sizeof(struct reauth_body),
};

enum error handle_me_sessions_reauth(struct request *request)
{
    const struct accounts *accounts = request->api->options.accounts;
    const struct reauth_body *body = request->body;
    const struct devices_reauthentication in = {
        .claims = &request->claims,
        .password = body->password,
        .code = body->code,
        .origin = request_origin(request, request->claims.client_id),
    };
    struct buf out = buf_in(request->arena, TOKEN_BYTES_MAX + 256);
    struct json_out json = json_out_to(&out);
    struct str token = STR_EMPTY;

    TRY(devices_reauthenticate(accounts, &request->work, &in, &token));
    json_object(&json);
    json_member_str(&json, "access_token", token);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "expires_in", accounts->sessions->tokens->ttl_s);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}
