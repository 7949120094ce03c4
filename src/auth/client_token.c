/* SPDX-License-Identifier: Apache-2.0 */
#include "client_token.h"

/* RFC 6749 section 3.3: words with single spaces between them. */
static bool is_subset(struct str wanted, struct str granted)
{
    if (wanted.len == 0 || str_ends(wanted, STR(" "))) {
        return false;
    }
    while (wanted.len > 0) {
        if (!token_has_word(granted, str_cut(&wanted, ' '))) {
            return false;
        }
    }
    return true;
}

/* Each word once, in the order in which they were registered. */
static struct str narrowed(struct arena *arena, struct str registered, struct str wanted)
{
    struct buf out = buf_in(arena, registered.len);

    while (registered.len > 0) {
        struct str word = str_cut(&registered, ' ');

        if (!token_has_word(wanted, word)) {
            continue;
        }
        if (out.len > 0) {
            buf_append_byte(&out, ' ');
        }
        buf_append(&out, word);
    }
    return buf_str(&out);
}

struct audience {
    struct str items[CLIENTS_WORDS_MAX + 1];
    size_t count;
};

static struct audience audience_of(const struct tokens *tokens, const struct client *client,
                                   struct str scope)
{
    struct audience out = {.count = 0};
    struct str words = client->audience;

    if (token_has_word(scope, TOKEN_SCOPE_ADMIN)) {
        out.items[out.count++] = tokens->issuer;
        return out;
    }
    while (words.len > 0 && out.count < CLIENTS_WORDS_MAX) {
        out.items[out.count++] = str_cut(&words, ' ');
    }
    if (token_has_word(scope, TOKEN_SCOPE_READ) &&
        !token_has_word(client->audience, tokens->issuer)) {
        out.items[out.count++] = tokens->issuer;
    }
    return out;
}

enum error client_token_issue(const struct tokens *tokens, struct arena *arena,
                              const struct client *client, struct str scope,
                              struct client_grant *out)
{
    struct client_grant grant = {.scope = client->scope};
    struct audience audience;

    if (scope.ptr != NULL && !is_subset(scope, client->scope)) {
        return ERR_INVALID_SCOPE;
    }
    if (scope.ptr != NULL) {
        grant.scope = narrowed(arena, client->scope, scope);
    }
    audience = audience_of(tokens, client, grant.scope);
    if (audience.count == 0) {
        return ERR_UNAUTHORIZED_CLIENT;
    }
    const struct token_subject subject = {
        .sub = client->id,
        .client_id = client->id,
        .is_client = true,
        .scope = grant.scope,
        .audience = audience.items,
        .audience_count = audience.count,
    };
    TRY(token_issue(tokens, arena, &subject, &grant.access_token));
    *out = grant;
    return OK;
}
