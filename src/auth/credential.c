/* SPDX-License-Identifier: Apache-2.0 */
#include "credential.h"

#include "admin_session_store.h"
#include "audit.h"
#include "clock.h"
#include "credential_store.h"
#include "device_store.h"
#include "devices.h"
#include "mail_store.h"
#include "metrics.h"
#include "onetime.h"
#include "outbox.h"
#include "revocation_store.h"
#include "throttle.h"

static struct metric rehashes = {
    .name = "user_service_password_rehashes_total",
    .type = METRIC_COUNTER,
    .help = "Passwords that were hashed anew after a login, since cost, scheme or pepper changed.",
    .labels = {"result"}};

void credential_register_metrics(void)
{
    metrics_register(&rehashes, 1);
}

static enum error rehash(const struct accounts *self, struct work *work,
                         const struct user_login *user, struct str password)
{
    struct password_record record;

    TRY(password_store(self->passwords, work->hasher, work->arena, password, &record));
    return credential_store_rehash(work->pg, user->id, user->password_phc, record.phc,
                                   record.pepper_kid);
}

void credential_rehash(const struct accounts *self, struct work *work,
                       const struct user_login *user, struct str password)
{
    const struct password_record record = {user->password_phc, user->pepper_kid};

    if (password_outdated(self->passwords, work->hasher, work->arena, &record)) {
        metric_count(&rehashes, error_code(rehash(self, work, user, password)), NULL, NULL);
    }
}

static bool is_published(const struct accounts *self, enum event_type type)
{
    return (self->published & EVENT_BIT(type)) != 0;
}

static enum error check_policy(const struct accounts *self, struct work *work, struct str password,
                               struct str email, struct json_findings *findings)
{
    const struct password_candidate candidate = {password, email, STR("/new_password")};

    return password_policy(self->passwords, work->arena, &candidate, findings);
}

static void queue_changed(const struct accounts *self, struct work *work, struct pg_tx *tx,
                          const struct one_time_holder *holder, const char *reason)
{
    const struct event_owner owner = {holder->email, holder->locale};

    if (is_published(self, EVENT_USER_PASSWORD_CHANGED)) {
        struct event event =
            event_user_password_changed(work->arena, holder->user.sub, &owner, reason);
        outbox_append(tx, &event);
    }
}

/* How a password comes to be another one. */
struct replacement {
    const char *reason;         /* of the event */
    const char *session_reason; /* of the sessions that end */
    const struct account_origin *origin;
    struct password_record record;
    bool verifies;
};

/* In this order: whoever raises auth_ver goes before who ends the sessions of the auth_ver before. */
static void queue_replacement(const struct accounts *self, struct work *work, struct pg_tx *tx,
                              const struct one_time_holder *holder,
                              const struct replacement *replacement)
{
    const struct credential_change change = {
        .user_id = holder->user.id,
        .auth_ver = holder->user.auth_ver,
        .password_phc = replacement->record.phc,
        .pepper_kid = replacement->record.pepper_kid,
        .verifies = replacement->verifies,
        .was_verified = holder->user.is_verified,
    };
    const struct admin_session_ending ending = {
        .user_id = holder->user.id,
        .sub = holder->user.sub,
        .reason = replacement->session_reason,
        .tells = is_published(self, EVENT_SESSION_REVOKED),
        .revocation_ttl_s = self->sessions->revocation_ttl_s,
    };
    const struct audit_actor by = {holder->user.sub, replacement->origin->request_id,
                                   replacement->origin->ip};
    const struct audit_entry entry = {
        .type = "user.password_changed",
        .subject = holder->user.sub,
        .reason = replacement->reason,
    };

    credential_store_replace(tx, &change);
    admin_session_store_end_all(tx, &ending);
    revocation_store_user(tx, holder->user.id, self->sessions->revocation_ttl_s);
    audit_append(tx, &by, &entry);
    queue_changed(self, work, tx, holder, replacement->reason);
}

/* What has been queued is committed; whoever was outrun gets `outrun`. */
static enum error commit(struct work *work, struct pg_tx *tx, enum error outrun)
{
    enum error error;

    if (arena_overflowed(work->arena)) { /* a text of what is queued was left out */
        return ERR_NO_SPACE;
    }
    error = pg_tx_commit(tx);
    if (error == ERR_NO_MATCH) {
        return outrun;
    }
    TRY(error);
    work->has_events = true;
    return OK;
}

/* Of the session that comes after all others of the user have ended. */
static struct session_request next_session(const struct one_time_holder *holder,
                                           const struct account_origin *origin)
{
    return (struct session_request){
        .user_id = holder->user.id,
        .sub = holder->user.sub,
        .auth_ver = holder->user.auth_ver + 1,
        .roles = holder->user.roles,
        .client_id = origin->client_id,
        .ip = origin->ip,
        .user_agent = origin->user_agent,
    };
}

enum error credential_change(const struct accounts *self, struct work *work,
                             const struct credential_password_change *in,
                             struct json_findings *findings, struct session_grant *out)
{
    const struct user_session acting = {in->claims->sid, in->claims->auth_ver};
    struct replacement replacement = {
        .reason = "changed",
        .session_reason = "password_changed",
        .origin = &in->origin,
    };
    struct throttle_case attempt = {.keyring = self->keyring, .ip = in->origin.ip};
    struct password_record current;
    struct one_time_holder holder;
    struct session_grant grant;
    struct pg_tx tx;

    TRY(credential_store_get(work->pg, work->arena, &acting, &holder));
    if (holder.user.has_mfa) { /* the new session would be fresh by the password alone */
        TRY(devices_require_fresh(in->claims));
    }
    TRY(check_policy(self, work, in->new_password, holder.email, findings));
    current = (struct password_record){holder.user.password_phc, holder.user.pepper_kid};
    attempt.email_canonical = holder.email_canonical;
    TRY(throttle_password(&attempt, self->passwords, work, in->current_password, &current));
    TRY(throttle_succeed(&attempt, work));
    TRY(password_store(self->passwords, work->hasher, work->arena, in->new_password,
                       &replacement.record));
    const struct session_request session = next_session(&holder, &in->origin);

    pg_tx_begin(&tx, work->pg);
    outbox_store_lock(&tx, holder.user.sub);
    device_store_require(&tx, &acting);
    queue_replacement(self, work, &tx, &holder, &replacement);
    TRY(session_open(self->sessions, work, &tx, &session, &grant));
    TRY(commit(work, &tx, ERR_UNAUTHENTICATED));
    revocation_catch_up(self->sessions->revocations, work->pg);
    *out = grant;
    return OK;
}

enum error credential_ask_reset(const struct accounts *self, struct work *work,
                                const struct email *email)
{
    const struct mail_request request = {
        .id = crypto_uuid7(clock_wall_ms()),
        .kind = MAIL_PASSWORD_RESET,
        .email = email->written,
        .email_canonical = email->canonical,
        .locale = STR_EMPTY,
    };
    struct pg_tx tx;

    (void)self;
    pg_tx_begin(&tx, work->pg);
    mail_store_insert(&tx, &request);
    return commit(work, &tx, ERR_INTERNAL);
}

static enum error find_holder(const struct accounts *self, struct work *work, struct str token,
                              struct uuid *id, struct one_time_holder *out)
{
    const struct str name = str_from(onetime_purpose_name(ONETIME_RESET));
    enum onetime_purpose purpose;
    enum error error;

    TRY(onetime_check(self->keyring, token, &purpose, id));
    if (purpose != ONETIME_RESET) {
        return ERR_INVALID_TOKEN;
    }
    error = one_time_store_get(work->pg, work->arena, *id, name, out);
    return error == ERR_NOT_FOUND ? ERR_INVALID_TOKEN : error;
}

enum error credential_reset(const struct accounts *self, struct work *work,
                            const struct credential_password_reset *in,
                            struct json_findings *findings)
{
    struct replacement replacement = {
        .reason = "reset",
        .session_reason = "password_reset",
        .origin = &in->origin,
        .verifies = true,
    };
    struct throttle_case attempt = {.keyring = self->keyring, .ip = in->origin.ip};
    struct one_time_holder holder;
    struct uuid id;
    struct pg_tx tx;

    TRY(find_holder(self, work, in->token, &id, &holder));
    TRY(check_policy(self, work, in->new_password, holder.email, findings));
    TRY(password_store(self->passwords, work->hasher, work->arena, in->new_password,
                       &replacement.record));
    pg_tx_begin(&tx, work->pg);
    outbox_store_lock(&tx, holder.user.sub);
    one_time_store_take(&tx, id); /* of two resets one aborts whole */
    queue_replacement(self, work, &tx, &holder, &replacement);
    if (!holder.user.is_verified && is_published(self, EVENT_USER_VERIFIED)) {
        struct event event = event_user_verified(work->arena, holder.user.sub, holder.email);
        outbox_append(&tx, &event);
    }
    attempt.email_canonical = holder.email_canonical;
    TRY(throttle_queue_restart(&attempt, work, &tx));
    TRY(commit(work, &tx, ERR_INVALID_TOKEN));
    revocation_catch_up(self->sessions->revocations, work->pg);
    return OK;
}
