/* SPDX-License-Identifier: Apache-2.0 */
/* Second factors: the second step of a login, and a user's own. */
#include <stddef.h>

#include "handlers.h"
#include "json_out.h"
#include "mfa.h"
#include "mfa_login.h"
#include "onetime.h"

struct login_body {
    struct str mfa_token;
    struct str code;
};

static const struct json_field login_fields[] = {
    JSON_TEXT(struct login_body, mfa_token, 1, ONETIME_TOKEN_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct login_body, code, 1, MFA_CODE_CODEPOINTS_MAX, JSON_REQUIRED),
};

const struct route_body handle_mfa_login_body = {
    .fields = login_fields,
    .count = sizeof(login_fields) / sizeof(login_fields[0]),
    .struct_bytes = sizeof(struct login_body),
};

struct confirm_body {
    struct str code;
};

static const struct json_field confirm_fields[] = {
    JSON_TEXT(struct confirm_body, code, 1, MFA_CODE_CODEPOINTS_MAX, JSON_REQUIRED),
};

const struct route_body handle_mfa_confirm_body = {
    .fields = confirm_fields,
    .count = 1,
    .struct_bytes = sizeof(struct confirm_body),
};

static struct mfa_acting acting_of(const struct request *request)
{
    return (struct mfa_acting){
        .claims = &request->claims,
        .origin = request_origin(request, request->claims.client_id),
    };
}

enum error handle_mfa_login(struct request *request)
{
    const struct login_body *body = request->body;
    const struct mfa_login in = {
        .token = body->mfa_token,
        .code = body->code,
        .origin = request_origin(request, STR_EMPTY),
    };
    struct session_grant grant = {0};
    enum error error =
        mfa_login_finish(request->api->options.accounts, &request->work, &in, &grant);

    handle_login_count(error);
    TRY(error);
    return handle_login_reply(request, &grant);
}

enum error handle_mfa_begin(struct request *request)
{
    const struct mfa_acting acting = acting_of(request);
    struct mfa_enrollment enrollment;
    struct buf out;
    struct json_out json;

    TRY(mfa_begin(request->api->options.accounts, &request->work, &acting, &enrollment));
    out = buf_in(request->arena, 512 + 2 * enrollment.uri.len);
    json = json_out_to(&out);
    json_object(&json);
    json_member_str(&json, "secret", enrollment.secret);
    json_member_str(&json, "otpauth_uri", enrollment.uri);
    json_object_end(&json);
    return request_reply_json(request, 201, &out);
}

static enum error reply_recovery(struct request *request, const struct mfa_code_recovery *recovery)
{
    struct buf out = buf_in(request->arena, 1024);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_key(&json, "recovery_codes");
    json_array(&json);
    for (size_t i = 0; i < MFA_CODE_RECOVERY_COUNT; i++) {
        json_str(&json, recovery->codes[i]);
    }
    json_array_end(&json);
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}

enum error handle_mfa_confirm(struct request *request)
{
    const struct confirm_body *body = request->body;
    const struct mfa_acting acting = acting_of(request);
    struct mfa_code_recovery recovery;

    TRY(mfa_confirm(request->api->options.accounts, &request->work, &acting, body->code,
                    &recovery));
    return reply_recovery(request, &recovery);
}

enum error handle_mfa_disable(struct request *request)
{
    const struct mfa_acting acting = acting_of(request);

    TRY(mfa_disable(request->api->options.accounts, &request->work, &acting));
    request_reply_empty(request, 204);
    return OK;
}

enum error handle_mfa_renew_recovery(struct request *request)
{
    const struct mfa_acting acting = acting_of(request);
    struct mfa_code_recovery recovery;

    TRY(mfa_renew_recovery(&request->work, &acting, &recovery));
    return reply_recovery(request, &recovery);
}
