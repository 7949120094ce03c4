/* SPDX-License-Identifier: Apache-2.0 */
#include "refresh.h"

#include "metrics.h"
#include "outbox.h"
#include "refresh_token.h"

/* What a refresh came to; a label. */
static const char rotated[] = "rotated";
static const char repeated[] = "repeated";
static const char forged[] = "forged";
static const char ended[] = "ended";
static const char ahead[] = "ahead_of_database";
static const char reused[] = "reuse_detected";
static const char superseded[] = "superseded";

static struct metric refreshes = {.name = "user_service_refreshes_total",
                                  .type = METRIC_COUNTER,
                                  .help = "Refresh tokens presented, by what came of it.",
                                  .labels = {"result"}};

void refresh_register_metrics(void)
{
    metrics_register(&refreshes, 1);
}

/* A token that was presented, with its successor. */
struct refresh {
    struct refresh_token presented;
    struct refresh_token next;
    struct str next_text;
    struct session_rotation rotation;
};

static enum error refuse(const char *result)
{
    metric_count(&refreshes, result, NULL, NULL);
    return ERR_INVALID_REFRESH_TOKEN;
}

static enum error prepare(const struct session_policy *self, struct work *work,
                          const struct refresh_request *request, struct refresh *out)
{
    struct arena *arena = work->arena;
    struct crypto_digest idem = crypto_sha256(request->idempotency_key);

    TRY(refresh_token_parse(self->keyring, arena, request->token, request->client_id,
                            &out->presented));
    TRY(refresh_token_next(self->keyring, arena, &out->presented, &out->next));
    TRY(refresh_token_text(self->keyring, arena, &out->next, &out->next_text));
    out->rotation = (struct session_rotation){
        .id = out->presented.sid,
        .client_id = request->client_id,
        .presented_hash = refresh_token_hash(arena, &out->presented),
        .next_hash = refresh_token_hash(arena, &out->next),
        .idle_ttl_s = self->idle_ttl_s,
        .grace_s = self->grace_s,
    };
    if (request->idempotency_key.len > 0) {
        out->rotation.idem_hash =
            arena_copy(arena, (struct str){(const char *)idem.bytes, sizeof(idem.bytes)});
    }
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK; /* or the row would get half a token */
}

static enum error grant(const struct session_policy *self, struct work *work,
                        const struct refresh *refresh, const struct session_holder *holder,
                        struct session_grant *out)
{
    const struct token_subject subject = {
        .sub = holder->sub,
        .client_id = refresh->presented.client_id,
        .sid = refresh->presented.sid,
        .auth_ver = holder->auth_ver,
        .roles = holder->roles,
        .scope = STR_EMPTY,
        .auth_time_s = holder->auth_time_ms / 1000,
        .amr = holder->amr,
    };
    struct session_grant result = {
        .expires_in_s = self->tokens->ttl_s,
        .refresh_token = refresh->next_text,
        .refresh_expires_in_s = holder->expires_in_s,
        .session_id = refresh->presented.sid,
    };

    TRY(token_issue(self->tokens, work->arena, &subject, &result.access_token));
    *out = result;
    return OK;
}

/* A genuine token that two have used: the user cannot be told from the thief. */
static enum error end_family(const struct session_policy *self, struct work *work,
                             const struct refresh *refresh, struct str sub)
{
    const struct session_ending ending = {
        .event = EVENT_SESSION_REUSE_DETECTED,
        .sid = refresh->presented.sid,
        .sub = sub,
        .client_id = refresh->presented.client_id,
    };

    TRY(session_end(self, work, &ending));
    return refuse(reused);
}

static enum error look(struct work *work, const struct refresh *refresh, struct session_state *out)
{
    enum error error = session_store_inspect(work->pg, work->arena, &refresh->rotation, out);

    if (error == ERR_NOT_FOUND || (error == OK && !out->is_live)) {
        return refuse(ended);
    }
    return error;
}

/* Of a token that is not the current one. */
static enum error judge_old(const struct session_policy *self, struct work *work,
                            const struct refresh *refresh, const struct session_state *state,
                            struct session_grant *out)
{
    if (state->is_repeated) {
        metric_count(&refreshes, repeated, NULL, NULL);
        return grant(self, work, refresh, &state->holder, out);
    }
    if (refresh->presented.generation > state->generation) {
        return refuse(ahead);
    }
    return end_family(self, work, refresh, state->holder.sub);
}

static enum error rotate(const struct session_policy *self, struct work *work,
                         const struct refresh *refresh, struct session_grant *out)
{
    struct session_holder holder;

    TRY(session_store_rotate(work->pg, work->arena, &refresh->rotation, &holder));
    metric_count(&refreshes, rotated, NULL, NULL);
    return grant(self, work, refresh, &holder, out);
}

enum error refresh_rotate(const struct session_policy *self, struct work *work,
                          const struct refresh_request *request, struct session_grant *out)
{
    struct refresh refresh;
    struct session_state state;
    enum error error;

    error = prepare(self, work, request, &refresh);
    if (error == ERR_INVALID_REFRESH_TOKEN) {
        return refuse(forged);
    }
    TRY(error);
    if (signers_now(self->tokens->signers)->signer == NULL) {
        return ERR_NO_SIGNING_KEY; /* before it rotates: its successor could not be answered */
    }
    error = rotate(self, work, &refresh, out);
    if (error != ERR_NOT_FOUND) {
        return error;
    }
    /* A new statement: the snapshot of the one that lost is stale. */
    TRY(look(work, &refresh, &state));
    if (!state.is_current) {
        return judge_old(self, work, &refresh, &state, out);
    }
    error = rotate(self, work, &refresh, out);
    return error == ERR_NOT_FOUND ? refuse(ended) : error;
}

enum error refresh_hold(const struct session_policy *self, struct work *work,
                        const struct refresh_request *request, struct refresh_holder *out)
{
    struct refresh refresh;
    struct session_state state;
    enum error error;

    error = prepare(self, work, request, &refresh);
    if (error == ERR_INVALID_REFRESH_TOKEN) {
        return refuse(forged);
    }
    TRY(error);
    TRY(look(work, &refresh, &state));
    if (state.is_current) {
        *out = (struct refresh_holder){refresh.presented.sid, state.holder};
        return OK;
    }
    if (refresh.presented.generation == state.generation - 1) {
        return refuse(superseded);
    }
    if (refresh.presented.generation > state.generation) {
        return refuse(ahead);
    }
    return end_family(self, work, &refresh, state.holder.sub);
}

enum error refresh_revoke(const struct session_policy *self, struct work *work,
                          const struct refresh_request *request)
{
    struct session_state state;
    struct refresh refresh;
    enum error error;

    TRY(prepare(self, work, request, &refresh));
    error = session_store_inspect(work->pg, work->arena, &refresh.rotation, &state);
    if (error == ERR_NOT_FOUND) {
        return OK;
    }
    TRY(error);
    const struct session_ending ending = {
        .event = EVENT_SESSION_REVOKED,
        .sid = refresh.presented.sid,
        .sub = state.holder.sub,
        .reason = "logout",
    };
    return session_end(self, work, &ending);
}
