/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token introspection (RFC 7662): a confidential client asks whether an access token counts. It is told
 * of tokens for its own audiences alone; all others are inactive to it, whatever is the matter with
 * them (section 4).
 */
#include <stddef.h>

#include "client_auth.h"
#include "handlers.h"
#include "json_out.h"

/* What is no token is inactive; only what is out of all proportion is no request. */
enum { TOKEN_CODEPOINTS_MAX = 12288, ACTIVE_BYTES_MAX = 8192 };

/* `token_type_hint` is ignored (RFC 7662 section 2.1): there is one type to look at. */
struct introspect_form {
    struct str token;
    struct str client_id;
    struct str client_secret;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct introspect_form, token, 1, TOKEN_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct introspect_form, client_id, 1, 64, JSON_OPTIONAL),
    JSON_TEXT(struct introspect_form, client_secret, 1, 256, JSON_OPTIONAL),
};

const struct route_body handle_introspect_body = {
    .fields = fields,
    .count = sizeof(fields) / sizeof(fields[0]),
    .struct_bytes = sizeof(struct introspect_form),
    .is_form = true,
};

static bool is_for_client(const struct token_claims *claims, const struct client *client)
{
    for (size_t i = 0; i < claims->aud.count; i++) {
        if (token_has_word(client->audience, claims->aud.items[i])) {
            return true;
        }
    }
    return false;
}

/* OK: active. ERR_UNAUTHENTICATED: not, to this client. */
static enum error judge(struct request *request, struct str token, const struct client *client,
                        struct token_claims *out)
{
    const struct api_options *options = &request->api->options;
    struct token_claims claims;

    TRY(token_verify(options->tokens, request->arena, token, &claims));
    if (!is_for_client(&claims, client)) {
        return ERR_UNAUTHENTICATED;
    }
    TRY(request->work.pg == NULL ? validity_judge(options->validity, &claims)
                                 : validity_ask(request->work.pg, &claims));
    *out = claims;
    return OK;
}

static void write_audience(struct json_out *json, const struct json_text_list *audience)
{
    json_key(json, "aud");
    if (audience->count == 1) {
        json_str(json, audience->items[0]);
        return;
    }
    json_array(json);
    for (size_t i = 0; i < audience->count; i++) {
        json_str(json, audience->items[i]);
    }
    json_array_end(json);
}

/* RFC 7662 section 2.2, and the members of our own that a user's token has. */
static enum error reply_active(struct request *request, const struct token_claims *claims)
{
    struct buf out = buf_in(request->arena, ACTIVE_BYTES_MAX);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_bool(&json, "active", true);
    json_member_str(&json, "scope", claims->scope);
    json_member_str(&json, "client_id", claims->client_id);
    json_member_str(&json, "token_type", STR("Bearer"));
    json_member_i64(&json, "exp", claims->exp_s);
    json_member_i64(&json, "iat", claims->iat_s);
    json_member_str(&json, "sub", claims->sub);
    write_audience(&json, &claims->aud);
    json_member_str(&json, "iss", request->api->options.tokens->issuer);
    json_member_str(&json, "jti", claims->jti);
    if (!claims->is_client) {
        json_member_uuid(&json, "sid", claims->sid);
        json_member_words(&json, "roles", claims->roles);
        json_member_i64(&json, "auth_time", claims->auth_time_s);
    }
    json_object_end(&json);
    return request_reply_json(request, 200, &out);
}

enum error handle_introspect(struct request *request)
{
    const struct introspect_form *form = request->body;
    struct token_claims claims;
    struct client client;
    enum error error;

    TRY(client_auth_check(request, form->client_id, form->client_secret, &client));
    error = judge(request, form->token, &client, &claims);
    if (error == ERR_UNAUTHENTICATED) {
        request_reply(request, 200, STR("application/json"), STR("{\"active\":false}"));
        return OK;
    }
    TRY(error);
    return reply_active(request, &claims);
}
