/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "clock.h"
#include "outbox.h"

enum { REFRESH_TOKEN_BYTES_MAX = 256, REFRESH_TAG_BYTES = 16, REFRESH_SECRET_BYTES = 32 };

/* The tag covers the token up to its last dot, and the client that it was given to. */
static struct str refresh_tag(const struct crypto_key *key, struct arena *arena, struct str head,
                              struct str client_id)
{
    struct str covered = arena_printf(arena, "%.*s%.*s", STR_ARG(head), STR_ARG(client_id));
    struct crypto_digest digest = crypto_hmac(key, covered);

    return arena_copy(arena, (struct str){(const char *)digest.bytes, REFRESH_TAG_BYTES});
}

struct refresh_token {
    struct str kid;
    struct uuid sid;
    int64_t generation;
    struct str secret;
    struct str client_id;
};

static enum error write_refresh_token(const struct session_policy *self, struct arena *arena,
                                      const struct refresh_token *token, struct str *out)
{
    const struct crypto_key *key = keyring_key(self->keyring, token->kid, KEYRING_REFRESH);
    struct buf text = buf_in(arena, REFRESH_TOKEN_BYTES_MAX);

    if (key == NULL) {
        return ERR_INTERNAL; /* the keyring lost a key that is in use */
    }
    buf_append(&text, STR("rt1."));
    buf_append(&text, token->kid);
    buf_append_byte(&text, '.');
    codec_uuid(&text, token->sid);
    buf_append_byte(&text, '.');
    buf_append_i64(&text, token->generation);
    buf_append_byte(&text, '.');
    codec_base64url(&text, token->secret);
    buf_append_byte(&text, '.');
    codec_base64url(&text, refresh_tag(key, arena, buf_str(&text), token->client_id));
    return buf_finish(&text, out);
}

static enum error new_refresh_token(const struct session_policy *self, struct arena *arena,
                                    struct refresh_token *token, struct str *out)
{
    char *secret = arena_alloc(arena, REFRESH_SECRET_BYTES);

    if (secret == NULL) {
        return ERR_NO_SPACE;
    }
    crypto_random(secret, REFRESH_SECRET_BYTES);
    token->secret = (struct str){secret, REFRESH_SECRET_BYTES};
    return write_refresh_token(self, arena, token, out);
}

static void queue_row(const struct session_policy *self, struct arena *arena, struct pg_tx *tx,
                      const struct session_request *request, const struct refresh_token *token)
{
    struct crypto_digest hash = crypto_sha256(token->secret);
    struct session_row row = {
        .id = token->sid,
        .user_id = request->user_id,
        .auth_ver = request->auth_ver,
        .client_id = request->client_id,
        .kid = token->kid,
        .token_hash = arena_copy(arena, (struct str){(const char *)hash.bytes, sizeof(hash.bytes)}),
        .amr = STR("pwd"),
        .idle_ttl_s = self->idle_ttl_s,
        .absolute_ttl_s = self->absolute_ttl_s,
        .ip = request->ip,
        .user_agent = request->user_agent,
    };
    session_store_insert(tx, &row);
}

static void queue_created(const struct session_policy *self, struct work *work, struct pg_tx *tx,
                          const struct session_request *request, struct uuid sid)
{
    if ((self->published & EVENT_BIT(EVENT_SESSION_CREATED)) == 0) {
        return;
    }
    struct event event = event_session_created(work->arena, request->sub, sid, request->client_id);
    outbox_append(tx, &event);
    work->has_events = true;
}

enum error session_open(const struct session_policy *self, struct work *work, struct pg_tx *tx,
                        const struct session_request *request, struct session_grant *out)
{
    int64_t now_ms = clock_wall_ms();
    struct refresh_token token = {
        .kid = str_from(keyring_current(self->keyring)),
        .sid = crypto_uuid7(now_ms),
        .client_id = request->client_id,
    };
    struct token_subject subject = {
        .sub = request->sub,
        .client_id = request->client_id,
        .sid = token.sid,
        .auth_ver = request->auth_ver,
        .roles = request->roles,
        .scope = STR_EMPTY,
        .auth_time_s = now_ms / 1000,
        .amr = STR("pwd"),
    };
    struct session_grant grant = {
        .expires_in_s = self->tokens->ttl_s,
        .refresh_expires_in_s =
            self->idle_ttl_s < self->absolute_ttl_s ? self->idle_ttl_s : self->absolute_ttl_s,
        .session_id = token.sid,
    };

    TRY(new_refresh_token(self, work->arena, &token, &grant.refresh_token));
    TRY(token_issue(self->tokens, work->arena, &subject, &grant.access_token));
    queue_created(self, work, tx, request, token.sid);
    queue_row(self, work->arena, tx, request, &token);
    if (arena_overflowed(work->arena)) { /* a text of row or event was left out */
        return ERR_NO_SPACE;
    }
    *out = grant;
    return OK;
}

enum error session_logout(const struct session_policy *self, struct work *work,
                          const struct token_claims *claims)
{
    struct pg_tx tx;
    enum error error;

    pg_tx_begin(&tx, work->pg);
    if ((self->published & EVENT_BIT(EVENT_SESSION_REVOKED)) != 0) {
        struct event event = event_session_revoked(work->arena, claims->sub, claims->sid, "logout");
        outbox_append(&tx, &event);
    }
    session_store_revoke(&tx, claims->sid);
    if (arena_overflowed(work->arena)) {
        return ERR_NO_SPACE;
    }
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) { /* it had ended before: nothing changes, nothing is told */
        return OK;
    }
    TRY(error);
    work->has_events = true;
    return OK;
}
