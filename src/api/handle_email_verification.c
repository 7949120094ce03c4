/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "handlers.h"

struct resend_body {
    struct str email;
};

static const struct json_field resend_fields[] = {
    JSON_TEXT(struct resend_body, email, 1, EMAIL_INPUT_CODEPOINTS_MAX, JSON_REQUIRED),
};

const struct route_body handle_email_verification_body = {
    resend_fields,
    sizeof(resend_fields) / sizeof(resend_fields[0]),
    sizeof(struct resend_body),
    false,
};

struct confirm_body {
    struct str token;
    struct str password;
};

static const struct json_field confirm_fields[] = {
    JSON_TEXT(struct confirm_body, token, 1, 512, JSON_REQUIRED),
    JSON_TEXT(struct confirm_body, password, 1, PASSWORD_CODEPOINTS_MAX, JSON_REQUIRED),
};

const struct route_body handle_email_verification_confirm_body = {
    confirm_fields,
    sizeof(confirm_fields) / sizeof(confirm_fields[0]),
    sizeof(struct confirm_body),
    false,
};

enum error handle_email_verification(struct request *request)
{
    const struct resend_body *body = request->body;
    struct email email;

    TRY(request_email(request, body->email, STR("/email"), &email));
    TRY(account_resend(request->api->options.accounts, &request->work, &email));
    request_reply(request, 202, STR("application/json"), STR("{\"status\":\"verification_sent\"}"));
    return OK;
}

enum error handle_email_verification_confirm(struct request *request)
{
    const struct confirm_body *body = request->body;
    struct account_confirmation in = {
        .token = body->token,
        .password = body->password,
        .origin = request_origin(request, SESSION_FIRST_PARTY),
    };
    struct session_grant grant;

    TRY(account_confirm(request->api->options.accounts, &request->work, &in, &grant));
    return handle_login_reply(request, &grant);
}
