/* SPDX-License-Identifier: Apache-2.0 */
#include "mfa.h"

#include "credential_store.h"
#include "device_store.h"
#include "devices.h"
#include "outbox.h"
#include "revocation_store.h"
#include "totp.h"

static struct user_session session_of(const struct mfa_acting *acting)
{
    return (struct user_session){acting->claims->sid, acting->claims->auth_ver};
}

static struct audit_actor actor_of(const struct mfa_acting *acting)
{
    return (struct audit_actor){acting->claims->sub, acting->origin.request_id, acting->origin.ip};
}

static enum error find_holder(struct work *work, const struct mfa_acting *acting,
                              struct one_time_holder *out)
{
    const struct user_session session = session_of(acting);

    TRY(devices_require_fresh(acting->claims));
    return credential_store_get(work->pg, work->arena, &session, out);
}

static enum error commit(struct work *work, struct pg_tx *tx)
{
    if (arena_overflowed(work->arena)) { /* a text of what is queued was left out */
        return ERR_NO_SPACE;
    }
    return pg_tx_commit(tx);
}

/* The host of the public URL, without a port: what the app shows beside the address. Apps take a colon
 * for the end of it. */
static struct str issuer_name(struct str url)
{
    (void)str_cut(&url, '/');
    (void)str_cut(&url, '/');
    url = str_cut(&url, '/');
    return str_cut(&url, ':');
}

enum error mfa_begin(const struct accounts *self, struct work *work,
                     const struct mfa_acting *acting, struct mfa_enrollment *out)
{
    const struct user_session session = session_of(acting);
    const struct str issuer = issuer_name(self->sessions->tokens->issuer);
    struct mfa_enrollment enrollment;
    struct one_time_holder holder;
    struct totp_secret secret;
    struct mfa_secret sealed;
    struct pg_tx tx;
    enum error error;

    TRY(find_holder(work, acting, &holder));
    if (holder.user.has_mfa) {
        return ERR_MFA_ENABLED;
    }
    totp_secret_new(&secret);
    enrollment.secret = totp_secret_text(work->arena, &secret);
    enrollment.uri = totp_uri(work->arena, &secret, issuer, holder.email);
    error = totp_seal(self->keyring, work->arena, holder.user.id, &secret, &sealed);
    crypto_wipe(&secret, sizeof(secret));
    TRY(error);
    pg_tx_begin(&tx, work->pg);
    mfa_store_put(&tx, &session, &sealed);
    error = commit(work, &tx);
    if (error == ERR_NO_MATCH) { /* the session has ended, or turned a factor on, this moment */
        return ERR_UNAUTHENTICATED;
    }
    TRY(error);
    *out = enrollment;
    return OK;
}

/* A factor that comes to count, or that is removed. */
struct turn {
    const struct mfa_acting *acting;
    const struct one_time_holder *holder;
    bool enabled;
    struct str amr; /* of the acting session from now on; empty: as it was */
};

static void queue_told(const struct accounts *self, struct work *work, struct pg_tx *tx,
                       const struct turn *turn)
{
    const struct event_owner owner = {turn->holder->email, turn->holder->locale};
    const struct event_mfa_change change = {turn->enabled, "changed_by_user"};

    if ((self->published & EVENT_BIT(EVENT_USER_MFA_CHANGED)) != 0) {
        struct event event =
            event_user_mfa_changed(work->arena, turn->holder->user.sub, &owner, &change);
        outbox_append(tx, &event);
    }
}

static void queue_begin(struct work *work, struct pg_tx *tx, const struct turn *turn)
{
    const struct user_session session = session_of(turn->acting);

    pg_tx_begin(tx, work->pg);
    outbox_store_lock(tx, turn->holder->user.sub);
    mfa_store_raise(tx, &session);
}

/* After auth_ver was raised and the factor's row changed. The sessions that end come in a statement of
 * their own, which sees what a login inserted meanwhile. ERR_NO_MATCH: somebody else was first. */
static enum error finish(const struct accounts *self, struct work *work, struct pg_tx *tx,
                         const struct turn *turn)
{
    const struct user_session session = session_of(turn->acting);
    const struct mfa_ending ending = {
        .user_id = turn->holder->user.id,
        .sub = turn->holder->user.sub,
        .kept = session.session_id,
        .tells = (self->published & EVENT_BIT(EVENT_SESSION_REVOKED)) != 0,
    };
    const struct audit_actor by = actor_of(turn->acting);
    const struct audit_entry entry = {
        .type = turn->enabled ? "user.mfa_enabled" : "user.mfa_disabled",
        .subject = turn->holder->user.sub,
    };

    mfa_store_keep(tx, &session, turn->amr);
    mfa_store_end_others(tx, &ending);
    revocation_store_user(tx, turn->holder->user.id, self->sessions->revocation_ttl_s);
    audit_append(tx, &by, &entry);
    queue_told(self, work, tx, turn);
    TRY(commit(work, tx));
    work->has_events = true;
    revocation_catch_up(self->sessions->revocations, work->pg);
    return OK;
}

/* Two statements must match; which one did not is asked only when one did not. */
static enum error explain(struct work *work, const struct mfa_acting *acting, enum error otherwise)
{
    const struct user_session session = session_of(acting);
    struct one_time_holder holder;

    TRY(credential_store_get(work->pg, work->arena, &session, &holder));
    return otherwise;
}

static enum error check_first_code(const struct accounts *self, struct work *work,
                                   const struct one_time_holder *holder, struct str code,
                                   struct mfa_code_proof *out)
{
    const struct mfa_code_question question = {
        .keyring = self->keyring,
        .user_id = holder->user.id,
        .code = code,
        .is_pending = true,
    };
    enum error error;

    if (holder->user.has_mfa) {
        return ERR_MFA_ENABLED;
    }
    error = mfa_code_check(work, &question, out);
    return error == ERR_NOT_FOUND ? ERR_MFA_NOT_ENABLED : error;
}

enum error mfa_confirm(const struct accounts *self, struct work *work,
                       const struct mfa_acting *acting, struct str code,
                       struct mfa_code_recovery *out)
{
    struct mfa_code_recovery recovery;
    struct one_time_holder holder;
    struct mfa_code_proof proof;
    struct pg_tx tx;
    enum error error;

    TRY(find_holder(work, acting, &holder));
    TRY(check_first_code(self, work, &holder, code, &proof));
    TRY(mfa_code_recovery_new(work->arena, &recovery));
    const struct turn turn = {acting, &holder, true, proof.amr};
    queue_begin(work, &tx, &turn);
    mfa_store_confirm(&tx, &proof.use);
    mfa_store_put_recovery(&tx, holder.user.id, recovery.hashes);
    error = finish(self, work, &tx, &turn);
    if (error == ERR_NO_MATCH) {
        return explain(work, acting, ERR_INVALID_CODE); /* of a factor that another one replaced */
    }
    TRY(error);
    *out = recovery;
    return OK;
}

enum error mfa_disable(const struct accounts *self, struct work *work,
                       const struct mfa_acting *acting)
{
    struct one_time_holder holder;
    struct pg_tx tx;
    enum error error;

    TRY(find_holder(work, acting, &holder));
    if (!holder.user.has_mfa) {
        return mfa_store_drop_pending(work->pg, holder.user.id);
    }
    const struct turn turn = {acting, &holder, false, STR_EMPTY};
    queue_begin(work, &tx, &turn);
    mfa_store_remove(&tx, holder.user.id);
    error = finish(self, work, &tx, &turn);
    return error == ERR_NO_MATCH ? ERR_UNAUTHENTICATED : error;
}

enum error mfa_renew_recovery(struct work *work, const struct mfa_acting *acting,
                              struct mfa_code_recovery *out)
{
    const struct audit_entry entry = {
        .type = "user.recovery_codes_renewed",
        .subject = acting->claims->sub,
    };
    const struct user_session session = session_of(acting);
    const struct audit_actor by = actor_of(acting);
    struct mfa_code_recovery recovery;
    struct one_time_holder holder;
    struct pg_tx tx;
    enum error error;

    TRY(find_holder(work, acting, &holder));
    if (!holder.user.has_mfa) {
        return ERR_MFA_NOT_ENABLED;
    }
    TRY(mfa_code_recovery_new(work->arena, &recovery));
    pg_tx_begin(&tx, work->pg);
    mfa_store_lock(&tx, holder.user.id);
    device_store_require(&tx, &session);
    mfa_store_put_recovery(&tx, holder.user.id, recovery.hashes);
    audit_append(&tx, &by, &entry);
    error = commit(work, &tx);
    if (error == ERR_NO_MATCH) {
        return ERR_UNAUTHENTICATED;
    }
    TRY(error);
    *out = recovery;
    return OK;
}
