/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "handlers.h"
#include "json_out.h"

/* The client of those who name none. */
static const struct str first_party = {"first-party", 11};

struct login_body {
    struct str email;
    struct str password;
    struct str client_id;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct login_body, email, 1, EMAIL_INPUT_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct login_body, password, 1, PASSWORD_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct login_body, client_id, 1, 64, JSON_OPTIONAL),
};

const struct route_body handle_login_body = {
    fields,
    sizeof(fields) / sizeof(fields[0]),
    sizeof(struct login_body),
    false,
};

const struct route_body handle_logout_body = {NULL, 0, 0, true};

void handle_login_reply(struct request *request, const struct session_grant *grant)
{
    struct buf out = buf_in(request->arena, 6144);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "access_token", grant->access_token);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "expires_in", grant->expires_in_s);
    json_member_str(&json, "refresh_token", grant->refresh_token);
    json_member_i64(&json, "refresh_expires_in", grant->refresh_expires_in_s);
    json_member_str(&json, "session_id", codec_uuid_in(request->arena, grant->session_id));
    json_object_end(&json);
    request_reply_json(request, 200, buf_str(&out));
}

enum error handle_login(struct request *request)
{
    const struct login_body *body = request->body;
    struct account_login in = {.password = body->password};
    struct session_grant grant;

    TRY(request_email(request, body->email, STR("/email"), &in.email));
    if (body->client_id.ptr != NULL && !str_equal(body->client_id, first_party)) {
        return request_invalid(request, STR("/client_id"), "invalid_value",
                               "no public client has this id; leave it out for first-party");
    }
    in.origin = request_origin(request, first_party);
    TRY(account_login(request->api->options.accounts, &request->work, &in, &grant));
    handle_login_reply(request, &grant);
    return OK;
}

enum error handle_logout(struct request *request)
{
    const struct session_policy *sessions = request->api->options.accounts->sessions;

    TRY(session_logout(sessions, &request->work, &request->claims));
    request_reply_empty(request, 204);
    return OK;
}
