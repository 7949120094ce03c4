/* SPDX-License-Identifier: Apache-2.0 */
#include "problem.h"

#include "json_out.h"

static const struct problem problems[] = {
    {ERR_MALFORMED_REQUEST, 400, "Bad Request", "the request is not well-formed", LOG_INFO},
    {ERR_MALFORMED_JSON, 400, "Bad Request",
     "the body is not a JSON object as RFC 8259 has it, in UTF-8, with each member once", LOG_INFO},
    {ERR_INVALID_TOKEN, 400, "Bad Request",
     "this token is not valid, was used before, or has expired; ask for a new mail", LOG_INFO},
    {ERR_INVALID_CREDENTIALS, 401, "Unauthorized",
     "the e-mail address or the password is not right", LOG_INFO},
    {ERR_UNAUTHENTICATED, 401, "Unauthorized",
     "this needs a valid access token: Authorization: Bearer <access_token>", LOG_INFO},
    {ERR_INVALID_REFRESH_TOKEN, 401, "Unauthorized",
     "this refresh token is not valid, or its session has ended; log in again", LOG_INFO},
    {ERR_MFA_REQUIRED, 401, "Unauthorized",
     "the password is right; a code is asked for as well: at login POST /v1/login/mfa with "
     "mfa_token and code, at /v1/me/reauth send code beside password",
     LOG_INFO},
    {ERR_INVALID_MFA_TOKEN, 401, "Unauthorized",
     "this mfa_token is not valid, was used before, or has expired; log in again", LOG_INFO},
    {ERR_INVALID_CODE, 401, "Unauthorized",
     "this is not the code that the authenticator shows now, or it was used before", LOG_INFO},
    {ERR_EMAIL_UNVERIFIED, 403, "Forbidden",
     "the e-mail address is not verified yet; POST /v1/email-verification sends a new mail",
     LOG_INFO},
    {ERR_REAUTH_REQUIRED, 403, "Forbidden",
     "this asks for the password once more: POST /v1/me/reauth, then use the access token that it "
     "answers",
     LOG_INFO},
    {ERR_INSUFFICIENT_SCOPE, 403, "Forbidden",
     "this access token does not carry the scope or role that this asks for", LOG_INFO},
    {ERR_NOT_FOUND, 404, "Not Found", "there is nothing under this path", LOG_INFO},
    {ERR_METHOD_NOT_ALLOWED, 405, "Method Not Allowed",
     "this path does not take this method; the Allow header says which", LOG_INFO},
    {ERR_CLIENT_CONFLICT, 409, "Conflict",
     "a public or disabled client has no secret to rotate; and there are at most 4096 clients",
     LOG_INFO},
    {ERR_OWN_ACCOUNT, 409, "Conflict",
     "administrators cannot disable themselves, take their own role admin away or remove their own "
     "second factor here; another one can",
     LOG_INFO},
    {ERR_MFA_ENABLED, 409, "Conflict",
     "this account has a second factor; DELETE /v1/me/mfa/totp removes it", LOG_INFO},
    {ERR_MFA_NOT_ENABLED, 409, "Conflict",
     "this account has no second factor that this could be about; POST /v1/me/mfa/totp begins one",
     LOG_INFO},
    {ERR_EMAIL_TAKEN, 409, "Conflict", "an account with this e-mail address exists", LOG_INFO},
    {ERR_BODY_TOO_LARGE, 413, "Content Too Large", "a body has at most 16384 bytes", LOG_INFO},
    {ERR_UNSUPPORTED_MEDIA_TYPE, 415, "Unsupported Media Type",
     "the body's Content-Type must be application/json", LOG_INFO},
    {ERR_VALIDATION, 422, "Unprocessable Content",
     "some members of the body are not right: see errors", LOG_INFO},
    {ERR_TOO_MANY_ATTEMPTS, 429, "Too Many Requests",
     "too many attempts; try again after the seconds that Retry-After says", LOG_INFO},
    {ERR_INTERNAL, 500, "Internal Server Error", "something went wrong here; it has been logged",
     LOG_ERROR},
    {ERR_NO_SIGNING_KEY, 503, "Service Unavailable",
     "no tokens can be issued: each signing key is revoked, and there is no new one yet", LOG_WARN},
    {ERR_OVERLOADED, 503, "Service Unavailable", "too many requests at once; try again later",
     LOG_WARN},
    {ERR_UNAVAILABLE, 503, "Service Unavailable",
     "the database does not answer; try again later (the outcome is not known)", LOG_WARN},
};

static const struct problem *find(enum error error)
{
    for (size_t i = 0; i < sizeof(problems) / sizeof(problems[0]); i++) {
        if (problems[i].error == error) {
            return &problems[i];
        }
    }
    return NULL;
}

const struct problem *problem_of(enum error error)
{
    const struct problem *problem = find(error);

    return problem == NULL ? find(ERR_INTERNAL) : problem;
}

static void write_findings(struct json_out *json, const struct json_findings *findings)
{
    json_key(json, "errors");
    json_array(json);
    for (size_t i = 0; i < findings->count; i++) {
        json_object(json);
        json_member_str(json, "pointer", findings->items[i].pointer);
        json_member_str(json, "code", str_from(findings->items[i].code));
        json_member_str(json, "detail", findings->items[i].detail);
        json_object_end(json);
    }
    json_array_end(json);
}

void problem_write(struct buf *out, const struct problem *problem, struct str request_id,
                   const struct problem_more *more)
{
    struct json_out json = json_out_to(out);

    json_object(&json);
    json_member_str(&json, "type", STR("about:blank"));
    json_member_str(&json, "title", str_from(problem->title));
    json_member_i64(&json, "status", problem->status);
    json_member_str(&json, "detail", str_from(problem->detail));
    json_member_str(&json, "code", str_from(error_code(problem->error)));
    json_member_str(&json, "request_id", request_id);
    if (more->mfa_token.len > 0) {
        json_member_str(&json, "mfa_token", more->mfa_token);
    }
    if (more->findings != NULL && more->findings->count > 0) {
        write_findings(&json, more->findings);
    }
    json_object_end(&json);
}

const char *problem_status_label(int status)
{
    static const struct {
        int status;
        const char *label;
    } labels[] = {
        {200, "200"}, {201, "201"}, {202, "202"}, {204, "204"}, {304, "304"}, {400, "400"},
        {401, "401"}, {403, "403"}, {404, "404"}, {405, "405"}, {409, "409"}, {413, "413"},
        {415, "415"}, {422, "422"}, {429, "429"}, {500, "500"}, {503, "503"},
    };

    for (size_t i = 0; i < sizeof(labels) / sizeof(labels[0]); i++) {
        if (labels[i].status == status) {
            return labels[i].label;
        }
    }
    return "other";
}
