/* SPDX-License-Identifier: Apache-2.0 */
#include "session.h"

#include "clock.h"
#include "outbox.h"
#include "refresh_token.h"

static struct str amr_of(const struct session_request *request)
{
    return request->amr.len > 0 ? request->amr : STR("pwd");
}

static void queue_row(const struct session_policy *self, struct arena *arena, struct pg_tx *tx,
                      const struct session_request *request, const struct refresh_token *token)
{
    struct session_row row = {
        .id = token->sid,
        .user_id = request->user_id,
        .auth_ver = request->auth_ver,
        .client_id = request->client_id,
        .kid = token->kid,
        .token_hash = refresh_token_hash(arena, token),
        .amr = amr_of(request),
        .idle_ttl_s = self->idle_ttl_s,
        .absolute_ttl_s = self->absolute_ttl_s,
        .ip = request->ip,
        .user_agent = request->user_agent,
        .revocation_ttl_s = self->revocation_ttl_s,
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
    struct uuid sid = crypto_uuid7(now_ms);
    struct token_subject subject = {
        .sub = request->sub,
        .client_id = request->client_id,
        .sid = sid,
        .auth_ver = request->auth_ver,
        .roles = request->roles,
        .scope = STR_EMPTY,
        .auth_time_s = now_ms / 1000,
        .amr = amr_of(request),
    };
    struct session_grant grant = {
        .expires_in_s = self->tokens->ttl_s,
        .refresh_expires_in_s =
            self->idle_ttl_s < self->absolute_ttl_s ? self->idle_ttl_s : self->absolute_ttl_s,
        .session_id = sid,
    };
    struct refresh_token token;

    TRY(refresh_token_first(self->keyring, work->arena, sid, request->client_id, &token));
    TRY(refresh_token_text(self->keyring, work->arena, &token, &grant.refresh_token));
    TRY(token_issue(self->tokens, work->arena, &subject, &grant.access_token));
    queue_created(self, work, tx, request, sid);
    queue_row(self, work->arena, tx, request, &token);
    if (arena_overflowed(work->arena)) { /* a text of row or event was left out */
        return ERR_NO_SPACE;
    }
    *out = grant;
    return OK;
}

/* One that has ended already stays as it is, and nothing is told. */
static enum error commit_end(struct work *work, struct pg_tx *tx)
{
    enum error error;

    if (arena_overflowed(work->arena)) {
        return ERR_NO_SPACE;
    }
    error = pg_tx_commit(tx);
    if (error == ERR_NO_MATCH) {
        return OK;
    }
    TRY(error);
    work->has_events = true;
    return OK;
}

void session_note_end(const struct session_policy *self, struct uuid sid)
{
    revocation_add_session(self->revocations, sid, clock_wall_s() + self->revocation_ttl_s);
}

enum error session_end(const struct session_policy *self, struct work *work,
                       const struct session_ending *ending)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, work->pg);
    if ((self->published & EVENT_BIT(ending->event)) != 0) {
        struct event event =
            ending->event == EVENT_SESSION_REUSE_DETECTED
                ? event_session_reuse_detected(work->arena, ending->sub, ending->sid,
                                               ending->client_id)
                : event_session_revoked(work->arena, ending->sub, ending->sid, ending->reason);
        outbox_append(&tx, &event);
    }
    session_store_revoke(&tx, ending->sid);
    revocation_store_session(&tx, ending->sid, self->revocation_ttl_s);
    TRY(commit_end(work, &tx));
    session_note_end(self, ending->sid); /* whoever ended it: the feed may not have told yet */
    return OK;
}

enum error session_logout(const struct session_policy *self, struct work *work,
                          const struct token_claims *claims)
{
    const struct session_ending ending = {
        .event = EVENT_SESSION_REVOKED,
        .sid = claims->sid,
        .sub = claims->sub,
        .reason = "logout",
    };

    return session_end(self, work, &ending);
}
