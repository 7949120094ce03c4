/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "credential.h"
#include "handlers.h"

struct change_body {
    struct str current_password;
    struct str new_password;
};

static const struct json_field change_fields[] = {
    JSON_TEXT(struct change_body, current_password, 1, PASSWORD_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct change_body, new_password, 0, SIZE_MAX, JSON_REQUIRED), /* password_policy */
};

const struct route_body handle_password_change_body = {
    .fields = change_fields,
    .count = sizeof(change_fields) / sizeof(change_fields[0]),
    .struct_bytes = sizeof(struct change_body),
};

struct ask_body {
    struct str email;
};

static const struct json_field ask_fields[] = {
    JSON_TEXT(struct ask_body, email, 1, EMAIL_INPUT_CODEPOINTS_MAX, JSON_REQUIRED),
};

const struct route_body handle_password_ask_body = {
    .fields = ask_fields,
    .count = sizeof(ask_fields) / sizeof(ask_fields[0]),
    .struct_bytes = sizeof(struct ask_body),
};

struct reset_body {
    struct str token;
    struct str new_password;
};

static const struct json_field reset_fields[] = {
    JSON_TEXT(struct reset_body, token, 1, 512, JSON_REQUIRED),
    JSON_TEXT(struct reset_body, new_password, 0, SIZE_MAX, JSON_REQUIRED), /* password_policy */
};

const struct route_body handle_password_reset_body = {
    .fields = reset_fields,
    .count = sizeof(reset_fields) / sizeof(reset_fields[0]),
    .struct_bytes = sizeof(struct reset_body),
};

enum error handle_password_change(struct request *request)
{
    const struct change_body *body = request->body;
    struct credential_password_change in = {
        .claims = &request->claims,
        .current_password = body->current_password,
        .new_password = body->new_password,
        .origin = request_origin(request, request->claims.client_id),
    };
    struct session_grant grant;

    TRY(credential_change(request->api->options.accounts, &request->work, &in, &request->findings,
                          &grant));
    return handle_login_reply(request, &grant);
}

enum error handle_password_ask(struct request *request)
{
    const struct ask_body *body = request->body;
    struct email email;

    TRY(request_email(request, body->email, STR("/email"), &email));
    TRY(credential_ask_reset(request->api->options.accounts, &request->work, &email));
    request_reply(request, 202, STR("application/json"), STR("{\"status\":\"reset_sent\"}"));
    return OK;
}

enum error handle_password_reset(struct request *request)
{
    const struct reset_body *body = request->body;
    const struct credential_password_reset in = {
        .token = body->token,
        .new_password = body->new_password,
        .origin = request_origin(request, SESSION_FIRST_PARTY),
    };

    TRY(credential_reset(request->api->options.accounts, &request->work, &in, &request->findings));
    request_reply_empty(request, 204);
    return OK;
}
