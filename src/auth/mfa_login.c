/* SPDX-License-Identifier: Apache-2.0 */
#include "mfa_login.h"

#include "clock.h"
#include "mfa_code.h"
#include "mfa_login_store.h"
#include "onetime.h"

static enum error make_token(const struct keyring *keyring, struct arena *arena, struct uuid id,
                             struct str *out)
{
    struct buf text = buf_in(arena, ONETIME_TOKEN_BYTES_MAX);

    TRY(onetime_token(keyring, str_from(keyring_current(keyring)), ONETIME_MFA, id, &text));
    return buf_finish(&text, out);
}

enum error mfa_login_queue(const struct accounts *self, struct work *work, struct pg_tx *tx,
                           const struct session_request *request, struct str *token)
{
    const struct mfa_login_row row = {
        .id = crypto_uuid7(clock_wall_ms()),
        .user_id = request->user_id,
        .auth_ver = request->auth_ver,
        .client_id = request->client_id,
        .amr = STR("pwd"),
        .ttl_s = MFA_LOGIN_TTL_S,
    };

    TRY(make_token(self->keyring, work->arena, row.id, token));
    mfa_login_store_insert(tx, &row);
    return OK;
}

enum error mfa_login_ask(const struct accounts *self, struct work *work,
                         const struct session_request *request)
{
    struct str token;
    struct pg_tx tx;
    enum error error;

    pg_tx_begin(&tx, work->pg);
    TRY(mfa_login_queue(self, work, &tx, request, &token));
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) {
        return ERR_INVALID_CREDENTIALS;
    }
    TRY(error);
    work->mfa_token = token;
    return ERR_MFA_REQUIRED;
}

static enum error find(const struct accounts *self, struct work *work, struct str token,
                       struct uuid *id, struct mfa_login_holder *out)
{
    enum onetime_purpose purpose;
    enum error error;

    if (onetime_check(self->keyring, token, &purpose, id) != OK || purpose != ONETIME_MFA) {
        return ERR_INVALID_MFA_TOKEN;
    }
    error = mfa_login_store_get(work->pg, work->arena, *id, out);
    return error == ERR_NOT_FOUND ? ERR_INVALID_MFA_TOKEN : error;
}

/* Whoever took the token, or changed the account, was first; else somebody used the code elsewhere. */
static enum error explain(struct work *work, struct uuid id)
{
    struct mfa_login_holder holder;
    enum error error = mfa_login_store_get(work->pg, work->arena, id, &holder);

    if (error == ERR_NOT_FOUND) {
        return ERR_INVALID_MFA_TOKEN;
    }
    TRY(error);
    return ERR_INVALID_CODE;
}

/* A login between its two steps. */
struct pending {
    struct uuid id;
    struct mfa_login_holder holder;
    struct mfa_code_proof proof;
};

/* The session's row goes first: it locks the user, and locks are taken in one order everywhere. */
static enum error open_session(const struct accounts *self, struct work *work,
                               const struct pending *pending, const struct account_origin *origin,
                               struct session_grant *out)
{
    const struct user_login *user = &pending->holder.user;
    const struct audit_actor by = {user->sub, origin->request_id, origin->ip};
    const struct session_request request = {
        .user_id = user->id,
        .sub = user->sub,
        .auth_ver = user->auth_ver,
        .roles = user->roles,
        .client_id = pending->holder.client_id,
        .ip = origin->ip,
        .user_agent = origin->user_agent,
        .amr = pending->proof.amr,
    };
    struct session_grant grant;
    struct pg_tx tx;
    enum error error;

    pg_tx_begin(&tx, work->pg);
    TRY(session_open(self->sessions, work, &tx, &request, &grant));
    mfa_login_store_take(&tx, pending->id);
    mfa_code_use(&tx, &pending->proof, &by);
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) {
        return explain(work, pending->id);
    }
    TRY(error);
    *out = grant;
    return OK;
}

enum error mfa_login_finish(const struct accounts *self, struct work *work,
                            const struct mfa_login *in, struct session_grant *out)
{
    struct pending pending;
    enum error error;

    TRY(find(self, work, in->token, &pending.id, &pending.holder));
    const struct mfa_code_question question = {
        .keyring = self->keyring,
        .user_id = pending.holder.user.id,
        .code = in->code,
    };
    error = mfa_code_check(work, &question, &pending.proof);
    if (error == ERR_NOT_FOUND) { /* it was removed this moment */
        return ERR_INVALID_MFA_TOKEN;
    }
    TRY(error);
    return open_session(self, work, &pending, &in->origin, out);
}
