/* SPDX-License-Identifier: Apache-2.0 */
#include "devices.h"

#include "clock.h"
#include "mfa_code.h"
#include "outbox.h"
#include "throttle.h"

static struct user_session acting_of(const struct token_claims *claims)
{
    return (struct user_session){.session_id = claims->sid, .auth_ver = claims->auth_ver};
}

enum error devices_require_fresh(const struct token_claims *claims)
{
    return clock_wall_s() - claims->auth_time_s <= DEVICES_FRESH_S ? OK : ERR_REAUTH_REQUIRED;
}

static bool tells(const struct session_policy *self)
{
    return (self->published & EVENT_BIT(EVENT_SESSION_REVOKED)) != 0;
}

/* Two statements must match; which one did not is asked only when one did not. */
static enum error explain(struct work *work, const struct user_session *acting)
{
    struct user_profile profile;

    TRY(user_store_profile(work->pg, work->arena, acting, &profile));
    return ERR_NOT_FOUND;
}

enum error devices_end_one(const struct session_policy *self, struct work *work,
                           const struct token_claims *claims, struct uuid id)
{
    struct user_session acting = acting_of(claims);
    struct pg_tx tx;
    enum error error;

    if (!uuid_equal(id, claims->sid)) {
        TRY(devices_require_fresh(claims));
    }
    pg_tx_begin(&tx, work->pg);
    if (tells(self)) {
        struct event event = event_session_revoked(work->arena, claims->sub, id, "ended_by_user");
        outbox_append(&tx, &event);
    }
    device_store_end_one(&tx, &acting, id);
    revocation_store_session(&tx, id, self->revocation_ttl_s);
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) {
        return explain(work, &acting);
    }
    TRY(error);
    session_note_end(self, id);
    work->has_events = true;
    return OK;
}

enum error devices_end_others(const struct session_policy *self, struct work *work,
                              const struct token_claims *claims)
{
    struct user_session acting = acting_of(claims);
    struct pg_tx tx;
    enum error error;

    TRY(devices_require_fresh(claims));
    pg_tx_begin(&tx, work->pg);
    outbox_store_lock(&tx, claims->sub);
    device_store_require(&tx, &acting);
    device_store_end_others(&tx, &acting, tells(self), self->revocation_ttl_s);
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) {
        return ERR_UNAUTHENTICATED;
    }
    TRY(error);
    revocation_catch_up(self->revocations, work->pg);
    work->has_events = true;
    return OK;
}

/* What the session says from now on. */
struct proven {
    int64_t auth_time_s;
    struct str amr;
};

static enum error prove_by_password(struct work *work, const struct user_session *acting,
                                    struct proven *out)
{
    int64_t auth_time_ms;

    TRY(device_store_prove(work->pg, acting, &auth_time_ms));
    *out = (struct proven){auth_time_ms / 1000, STR("pwd")};
    return OK;
}

/* The code is used up with what it proves, or not at all. */
static enum error prove_by_code(const struct accounts *self, struct work *work,
                                const struct devices_reauthentication *in, struct uuid user_id,
                                struct proven *out)
{
    const struct mfa_code_question question = {
        .keyring = self->keyring,
        .user_id = user_id,
        .code = in->code,
    };
    const struct audit_actor by = {in->claims->sub, in->origin.request_id, in->origin.ip};
    struct user_session acting = acting_of(in->claims);
    struct mfa_code_proof code;
    struct pg_tx tx;
    enum error error;

    if (in->code.len == 0) {
        return ERR_MFA_REQUIRED;
    }
    error = mfa_code_check(work, &question, &code);
    if (error == ERR_NOT_FOUND) { /* it was removed this moment, and auth_ver has risen */
        return ERR_UNAUTHENTICATED;
    }
    TRY(error);
    pg_tx_begin(&tx, work->pg);
    mfa_code_use(&tx, &code, &by);
    device_store_prove_as(&tx, &acting, code.amr);
    error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) {
        error = explain(work, &acting);
        return error == ERR_NOT_FOUND ? ERR_INVALID_CODE : error;
    }
    TRY(error);
    *out = (struct proven){clock_wall_s(), code.amr};
    return OK;
}

enum error devices_reauthenticate(const struct accounts *self, struct work *work,
                                  const struct devices_reauthentication *in,
                                  struct str *access_token)
{
    const struct token_claims *claims = in->claims;
    struct throttle_case attempt = {.keyring = self->keyring, .ip = in->origin.ip};
    struct user_session acting = acting_of(claims);
    struct password_record record;
    struct device_proof proof;
    struct proven proven;

    TRY(device_store_proof(work->pg, work->arena, &acting, &proof));
    record = (struct password_record){proof.password_phc, proof.pepper_kid};
    attempt.email_canonical = proof.email_canonical;
    TRY(throttle_password(&attempt, self->passwords, work, in->password, &record));
    TRY(throttle_succeed(&attempt, work));
    TRY(proof.has_mfa ? prove_by_code(self, work, in, proof.user_id, &proven)
                      : prove_by_password(work, &acting, &proven));
    const struct token_subject subject = {
        .sub = claims->sub,
        .client_id = claims->client_id,
        .sid = claims->sid,
        .auth_ver = claims->auth_ver,
        .roles = proof.roles,
        .scope = STR_EMPTY,
        .auth_time_s = proven.auth_time_s,
        .amr = proven.amr,
    };
    return token_issue(self->sessions->tokens, work->arena, &subject, access_token);
}
