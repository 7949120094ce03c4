/* SPDX-License-Identifier: Apache-2.0 */
/* The token endpoint (RFC 6749 section 3.2) and token revocation (RFC 7009), for OAuth libraries. */
#include <stddef.h>

#include "admin_token.h"
#include "client_auth.h"
#include "client_token.h"
#include "handlers.h"
#include "json_out.h"

struct token_form {
    struct str grant_type;
    struct str refresh_token;
    struct str client_id;
    struct str client_secret;
    struct str scope;
};

static const struct json_field token_fields[] = {
    JSON_TEXT(struct token_form, grant_type, 1, 64, JSON_REQUIRED),
    JSON_TEXT(struct token_form, refresh_token, 1, 512, JSON_OPTIONAL),
    JSON_TEXT(struct token_form, client_id, 1, 64, JSON_OPTIONAL),
    JSON_TEXT(struct token_form, client_secret, 1, 256, JSON_OPTIONAL),
    JSON_TEXT(struct token_form, scope, 1, 1024, JSON_OPTIONAL),
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
    struct str client_secret;
};

static const struct json_field revoke_fields[] = {
    JSON_TEXT(struct revoke_form, token, 1, TOKEN_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct revoke_form, client_id, 1, 64, JSON_OPTIONAL),
    JSON_TEXT(struct revoke_form, client_secret, 1, 256, JSON_OPTIONAL),
};

const struct route_body handle_oauth_revoke_body = {
    .fields = revoke_fields,
    .count = sizeof(revoke_fields) / sizeof(revoke_fields[0]),
    .struct_bytes = sizeof(struct revoke_form),
    .is_form = true,
};

struct token_answer {
    struct str access_token;
    struct str refresh_token; /* empty: none */
    struct str scope;         /* empty: none */
};

/* RFC 6749 section 5.1. */
static enum error reply_tokens(struct request *request, const struct token_answer *answer)
{
    struct buf out = buf_in(request->arena, 6144);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "access_token", answer->access_token);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "expires_in", request->api->options.tokens->ttl_s);
    if (answer->refresh_token.len > 0) {
        json_member_str(&json, "refresh_token", answer->refresh_token);
    }
    if (answer->scope.len > 0) {
        json_member_str(&json, "scope", answer->scope);
    }
    json_object_end(&json);
    http_response_header(&request->response, "Pragma", STR("no-cache"));
    return request_reply_json(request, 200, &out);
}

/* RFC 6749 section 4.4: for confidential clients alone. */
static enum error grant_client(struct request *request, const struct client_identity *who)
{
    const struct token_form *form = request->body;
    struct client_grant grant;

    if (who->is_named && who->client.is_public) {
        return ERR_UNAUTHORIZED_CLIENT;
    }
    if (!who->is_authenticated) {
        return ERR_INVALID_CLIENT;
    }
    TRY(client_token_issue(request->api->options.tokens, request->arena, &who->client, form->scope,
                           &grant));
    const struct token_answer answer = {.access_token = grant.access_token, .scope = grant.scope};
    return reply_tokens(request, &answer);
}

/* Logins have no scope, so a refresh cannot ask for one (RFC 6749 section 6), with one exception. */
static enum error grant_admin(struct request *request, const struct refresh_request *in)
{
    const struct token_form *form = request->body;
    struct token_answer answer = {.scope = TOKEN_SCOPE_ADMIN};

    if (!str_equal(form->scope, TOKEN_SCOPE_ADMIN)) {
        return ERR_INVALID_SCOPE;
    }
    TRY(admin_token_mint(request->api->options.accounts->sessions, &request->work, in,
                         &answer.access_token));
    return reply_tokens(request, &answer);
}

/* RFC 6749 section 6: for public clients alone, whose users log in. */
static enum error grant_refresh(struct request *request, const struct client_identity *who)
{
    const struct session_policy *sessions = request->api->options.accounts->sessions;
    const struct token_form *form = request->body;
    struct session_grant grant = {0};

    if (!who->client.is_public) {
        return ERR_UNAUTHORIZED_CLIENT;
    }
    if (form->refresh_token.ptr == NULL) {
        return ERR_MALFORMED_REQUEST;
    }
    struct refresh_request in =
        handle_refresh_request(request, form->refresh_token, who->client.id);
    if (form->scope.ptr != NULL) {
        return grant_admin(request, &in);
    }
    TRY(refresh_rotate(sessions, &request->work, &in, &grant));
    const struct token_answer answer = {grant.access_token, grant.refresh_token, STR_EMPTY};
    return reply_tokens(request, &answer);
}

enum error handle_oauth_token(struct request *request)
{
    const struct token_form *form = request->body;
    struct client_identity who;

    TRY(client_auth_identify(request, form->client_id, form->client_secret, &who));
    if (str_equal(form->grant_type, STR("client_credentials"))) {
        return grant_client(request, &who);
    }
    if (str_equal(form->grant_type, STR("refresh_token"))) {
        return grant_refresh(request, &who);
    }
    return ERR_UNSUPPORTED_GRANT_TYPE;
}

/* A user's access token stands for its session. A client's own stands for nothing that could end. */
static enum error revoke_access(struct request *request, struct str client_id)
{
    const struct revoke_form *form = request->body;
    struct token_claims claims;

    TRY(token_verify(request->api->options.tokens, request->arena, form->token, &claims));
    if (!str_equal(claims.client_id, client_id)) {
        return OK;
    }
    if (claims.is_client) {
        return ERR_UNSUPPORTED_TOKEN_TYPE;
    }
    return session_logout(request->api->options.accounts->sessions, &request->work, &claims);
}

/* A token that is not valid, or another client's, is none to revoke: 200 as well (RFC 7009 section
 * 2.1 and 2.2). */
static enum error revoke(struct request *request, struct str client_id)
{
    const struct revoke_form *form = request->body;
    struct refresh_request in = handle_refresh_request(request, form->token, client_id);
    enum error error =
        refresh_revoke(request->api->options.accounts->sessions, &request->work, &in);

    if (error == ERR_INVALID_REFRESH_TOKEN) {
        error = revoke_access(request, client_id);
    }
    return error == ERR_UNAUTHENTICATED ? OK : error;
}

enum error handle_oauth_revoke(struct request *request)
{
    const struct revoke_form *form = request->body;
    struct client_identity who;

    TRY(client_auth_identify(request, form->client_id, form->client_secret, &who));
    if (!who.client.is_public && !who.is_authenticated) {
        return ERR_INVALID_CLIENT;
    }
    TRY(revoke(request, who.client.id));
    request_reply_empty(request, 200);
    return OK;
}
