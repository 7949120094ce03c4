/* SPDX-License-Identifier: Apache-2.0 */
#include "oauth_error.h"

#include "json_out.h"

static const struct problem internal = {ERR_INTERNAL, 500, "server_error",
                                        "something went wrong here; it has been logged", LOG_ERROR};

static const struct problem errors[] = {
    {ERR_MALFORMED_REQUEST, 400, "invalid_request",
     "the body is not a form, or a parameter is repeated, missing or too long", LOG_INFO},
    {ERR_UNSUPPORTED_MEDIA_TYPE, 415, "invalid_request",
     "the body's Content-Type must be application/x-www-form-urlencoded", LOG_INFO},
    {ERR_INVALID_REFRESH_TOKEN, 400, "invalid_grant",
     "this refresh token is not valid, or its session has ended", LOG_INFO},
    {ERR_UNSUPPORTED_GRANT_TYPE, 400, "unsupported_grant_type",
     "the metadata's grant_types_supported names those that are", LOG_INFO},
    {ERR_UNAUTHORIZED_CLIENT, 400, "unauthorized_client",
     "this client may not use this grant_type: public clients refresh, confidential ones use "
     "client_credentials",
     LOG_INFO},
    {ERR_INVALID_SCOPE, 400, "invalid_scope", "this scope cannot be granted here", LOG_INFO},
    {ERR_MFA_ENROLLMENT_REQUIRED, 400, "mfa_enrollment_required",
     "administration asks for a second factor, and this user has none yet", LOG_INFO},
    {ERR_REAUTH_REQUIRED, 400, "reauth_required",
     "the login is too old for administration, or had no code: POST /v1/me/reauth with password "
     "and "
     "code, then try again",
     LOG_INFO},
    {ERR_UNSUPPORTED_TOKEN_TYPE, 400, "unsupported_token_type",
     "a client's own token lives for minutes and cannot be revoked; disable the client", LOG_INFO},
    {ERR_INVALID_CLIENT, 401, "invalid_client", "no client has this id and secret", LOG_INFO},
    {ERR_NO_SIGNING_KEY, 503, "temporarily_unavailable",
     "no tokens can be issued: each signing key is revoked, and there is no new one yet", LOG_WARN},
    {ERR_OVERLOADED, 503, "temporarily_unavailable", "too many requests at once; try again later",
     LOG_WARN},
    {ERR_UNAVAILABLE, 503, "temporarily_unavailable",
     "the database does not answer; try again later (the outcome is not known)", LOG_WARN},
};

const struct problem *oauth_error_of(enum error error)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].error == error) {
            return &errors[i];
        }
    }
    return &internal;
}

void oauth_error_write(struct buf *out, const struct problem *problem)
{
    struct json_out json = json_out_to(out);

    json_object(&json);
    json_member_str(&json, "error", str_from(problem->title));
    json_member_str(&json, "error_description", str_from(problem->detail));
    json_object_end(&json);
}
