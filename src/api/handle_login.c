/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "client_auth.h"
#include "handlers.h"
#include "json_out.h"
#include "metrics.h"

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

static struct metric logins = {.name = "user_service_logins_total",
                               .type = METRIC_COUNTER,
                               .help = "Logins by their result.",
                               .labels = {"result"}};

void handle_login_register_metrics(void)
{
    metrics_register(&logins, 1);
}

void handle_login_count(enum error error)
{
    metric_count(&logins, error_code(error), NULL, NULL);
}

enum error handle_login_reply(struct request *request, const struct session_grant *grant)
{
    struct buf out = buf_in(request->arena, 6144);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "access_token", grant->access_token);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "expires_in", grant->expires_in_s);
    json_member_str(&json, "refresh_token", grant->refresh_token);
    json_member_i64(&json, "refresh_expires_in", grant->refresh_expires_in_s);
    json_member_uuid(&json, "session_id", grant->session_id);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}

static enum error log_in(struct request *request, struct session_grant *out)
{
    const struct login_body *body = request->body;
    struct account_login in = {.password = body->password};
    struct str client_id = SESSION_FIRST_PARTY;
    enum error error;

    TRY(request_email(request, body->email, STR("/email"), &in.email));
    error = client_auth_public(request, body->client_id, &client_id);
    if (error == ERR_INVALID_CLIENT) {
        return request_invalid(request, STR("/client_id"), "invalid_value",
                               "no public client has this id; leave it out for first-party");
    }
    TRY(error);
    in.origin = request_origin(request, client_id);
    return account_login(request->api->options.accounts, &request->work, &in, out);
}

enum error handle_login(struct request *request)
{
    struct session_grant grant = {0};
    enum error error = log_in(request, &grant);

    handle_login_count(error);
    TRY(error);
    return handle_login_reply(request, &grant);
}
