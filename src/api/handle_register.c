/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "handlers.h"
#include "password_policy.h"
#include "profile.h"

struct register_body {
    struct str email;
    struct str password;
    struct str name;
    struct str locale;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct register_body, email, 1, EMAIL_INPUT_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct register_body, password, 0, SIZE_MAX, JSON_REQUIRED), /* password_policy */
    JSON_TEXT(struct register_body, name, 1, PROFILE_NAME_CODEPOINTS_MAX, JSON_NULLABLE),
    JSON_TEXT(struct register_body, locale, 2, PROFILE_LOCALE_BYTES_MAX, JSON_NULLABLE),
};

const struct route_body handle_register_body = {
    fields,
    sizeof(fields) / sizeof(fields[0]),
    sizeof(struct register_body),
    false,
};

static enum error check(struct request *request, const struct register_body *body,
                        struct account_registration *out)
{
    const struct passwords *passwords = request->api->options.accounts->passwords;
    enum error email = request_email(request, body->email, STR("/email"), &out->email);

    struct password_candidate candidate = {
        .password = body->password,
        .email = email == OK ? out->email.written : STR_EMPTY,
        .pointer = STR("/password"),
    };

    profile_check(&request->findings, body->name, body->locale);
    enum error password =
        password_policy(passwords, request->arena, &candidate, &request->findings);
    TRY(email);
    TRY(password);
    out->password = body->password;
    out->name = body->name;
    out->locale = body->locale;
    return request->findings.count > 0 ? ERR_VALIDATION : OK;
}

enum error handle_register(struct request *request)
{
    const struct accounts *accounts = request->api->options.accounts;
    struct account_registration in = {0};
    struct user_profile profile;

    TRY(check(request, request->body, &in));
    if (accounts->verification_required) {
        TRY(account_register(accounts, &request->work, &in));
        request_reply(request, 202, STR("application/json"),
                      STR("{\"status\":\"verification_sent\"}"));
        return OK;
    }
    TRY(account_create(accounts, &request->work, &in, &profile));
    return handle_me_reply(request, 201, &profile);
}
