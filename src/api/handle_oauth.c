/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint (RFC 6749 section 3.2) and token revocation (RFC 7009), for OAuth libraries. */
#include <stddef.h>

#include "handlers.h"
#include "json_out.h"
#include "refresh.h"

struct token_form {
    struct str grant_type;
    struct str refresh_token;
    struct str client_id;
};

static const struct json_field token_fields[] = {
    JSON_TEXT(struct token_form, grant_type, 1, 64, JSON_REQUIRED),
    JSON_TEXT(struct token_form, refresh_token, 1, 512, JSON_OPTIONAL),
    JSON_TEXT(struct token_form, client_id, 1, 64, JSON_OPTIONAL),
};

const struct route_body handle_oauth_token_body = {
    .fields = token_fields,
    .count = sizeof(token_fields) / sizeof(token_fields[0]),
    .struct_bytes = sizeof(struct token_form),
    .is_form = true,
};

struct revoke_form {
    struct str token;
    struct str client_id;
};

static const struct json_field revoke_fields[] = {
    JSON_TEXT(struct revoke_form, token, 1, TOKEN_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct revoke_form, client_id, 1, 64, JSON_OPTIONAL),
};

const struct route_body handle_oauth_revoke_body = {
    .fields = revoke_fields,
    .count = sizeof(revoke_fields) / sizeof(revoke_fields[0]),
    .struct_bytes = sizeof(struct revoke_form),
    .is_form = true,
};

/* Only public clients so far: they name themselves and have no secret. */
static enum error refuse_credentials(const struct request *request)
{
    return http_request_header(request->x, "Authorization").ptr == NULL ? OK : ERR_INVALID_CLIENT;
}

/* RFC 6749 section 5.1. */
static enum error reply_tokens(struct request *request, const struct session_grant *grant)
{
    struct buf out = buf_in(request->arena, 6144);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "access_token", grant->access_token);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "expires_in", grant->expires_in_s);
    json_member_str(&json, "refresh_token", grant->refresh_token);
    json_object_end(&json);
    http_response_header(&request->response, "Pragma", STR("no-cache"));
    return request_reply_json(request, 200, &out);
}

enum error handle_oauth_token(struct request *request)
{
    const struct token_form *form = request->body;
    struct session_grant grant = {0};

    TRY(refuse_credentials(request));
    if (!str_equal(form->grant_type, STR("refresh_token"))) {
        return ERR_UNSUPPORTED_GRANT_TYPE;
    }
    if (form->refresh_token.ptr == NULL) {
        return ERR_MALFORMED_REQUEST;
    }
    struct refresh_request in =
        handle_refresh_request(request, form->refresh_token, form->client_id);
    TRY(refresh_rotate(request->api->options.accounts->sessions, &request->work, &in, &grant));
    return reply_tokens(request, &grant);
}

/* A token that is not valid, or another client's, is none to revoke: 200 as well (RFC 7009 section
 * 2.1 and 2.2). */
static enum error revoke(struct request *request, const struct revoke_form *form)
{
    const struct session_policy *sessions = request->api->options.accounts->sessions;
    struct refresh_request in = handle_refresh_request(request, form->token, form->client_id);
    enum error error = refresh_revoke(sessions, &request->work, &in);

    if (error == ERR_INVALID_REFRESH_TOKEN) {
        struct token_claims claims;
        error = token_check(request->api->options.tokens, request->arena, form->token, &claims);
        if (error == OK && str_equal(claims.client_id, in.client_id)) {
            error = session_logout(sessions, &request->work, &claims);
        }
    }
    return error == ERR_UNAUTHENTICATED ? OK : error;
}

enum error handle_oauth_revoke(struct request *request)
{
    TRY(refuse_credentials(request));
    TRY(revoke(request, request->body));
    request_reply_empty(request, 200);
    return OK;
}
