/* SPDX-License-Identifier: Apache-2.0 */
#include "administration.h"

#include "clock.h"
#include "outbox.h"
#include "revocation_store.h"
#include "session_store.h"
#include "validity.h"

enum { BATCH_ROWS = 1000, BATCH_MS_MAX = 10000 };

static bool publishes(const struct administration *self, enum event_type type)
{
    return (self->published & EVENT_BIT(type)) != 0;
}

void administration_begin(struct pg_tx *tx, struct work *work, const struct administrator *by,
                          struct str sub)
{
    pg_tx_begin(tx, work->pg);
    outbox_store_lock(tx, sub);
    validity_require(tx, by->audit.bearer);
}

enum error administration_commit(struct work *work, struct pg_tx *tx,
                                 const struct administrator *by)
{
    if (arena_overflowed(work->arena)) { /* a text of a row was left out */
        return ERR_NO_SPACE;
    }
    TRY(validity_commit(tx, by->audit.bearer));
    work->has_events = true;
    return OK;
}

void administration_settle(const struct administration *self, struct work *work)
{
    if (self->revocations != NULL) {
        revocation_catch_up(self->revocations, work->pg);
    }
}

static void record(struct pg_tx *tx, const struct administrator *by, const char *type,
                   struct str subject)
{
    const struct audit_entry entry = {.type = type, .subject = subject, .detail = STR_EMPTY};

    audit_append(tx, &by->audit, &entry);
}

static void end_all(const struct administration *self, struct pg_tx *tx,
                    const struct admin_user *user, bool revokes)
{
    const struct admin_session_ending ending = {
        .user_id = user->id,
        .sub = user->sub,
        .reason = "ended_by_admin",
        .tells = publishes(self, EVENT_SESSION_REVOKED),
        .revokes = revokes,
        .revocation_ttl_s = self->revocation_ttl_s,
    };

    admin_session_store_end_all(tx, &ending);
}

void administration_end_tokens(const struct administration *self, struct pg_tx *tx,
                               const struct admin_user *user)
{
    end_all(self, tx, user, false);
    revocation_store_user(tx, user->id, self->revocation_ttl_s);
}

bool administration_is_own(const struct administrator *by, struct str sub)
{
    return by->own_sub.len > 0 && str_equal(by->own_sub, sub);
}

/* ERR_NO_MATCH: somebody else was first. */
static enum error try_disable(const struct administration *self, struct work *work,
                              const struct administrator *by, const struct admin_user *user)
{
    const char *reason = by->is_operator ? "disabled_by_operator" : "disabled_by_admin";
    struct pg_tx tx;

    administration_begin(&tx, work, by, user->sub);
    admin_store_disable(&tx, user->id);
    if (publishes(self, EVENT_USER_DISABLED)) {
        const struct event event = event_user_disabled(work->arena, user->sub, reason);
        const struct outbox_event row = outbox_row(&event);

        outbox_store_insert(&tx, &row);
    }
    administration_end_tokens(self, &tx, user);
    record(&tx, by, "user.disabled", user->sub);
    return administration_commit(work, &tx, by);
}

enum error administration_disable(const struct administration *self, struct work *work,
                                  const struct administrator *by, struct str sub)
{
    struct admin_user user;
    enum error error;

    TRY(admin_store_get(work->pg, work->arena, sub, &user));
    if (administration_is_own(by, sub)) {
        return ERR_OWN_ACCOUNT;
    }
    if (!user.is_active) {
        return OK;
    }
    error = try_disable(self, work, by, &user);
    if (error == ERR_NO_MATCH) { /* it is disabled by now, or gone */
        return admin_store_get(work->pg, work->arena, sub, &user);
    }
    TRY(error);
    administration_settle(self, work);
    return OK;
}

enum error administration_enable(const struct administration *self, struct work *work,
                                 const struct administrator *by, struct str sub)
{
    struct admin_user user;
    enum error error;
    struct pg_tx tx;

    (void)self;
    TRY(admin_store_get(work->pg, work->arena, sub, &user));
    if (user.is_active) {
        return OK;
    }
    administration_begin(&tx, work, by, sub);
    admin_store_enable(&tx, user.id);
    record(&tx, by, "user.enabled", sub);
    error = administration_commit(work, &tx, by);
    if (error == ERR_NO_MATCH) {
        return admin_store_get(work->pg, work->arena, sub, &user);
    }
    return error;
}

enum error administration_end_sessions(const struct administration *self, struct work *work,
                                       const struct administrator *by, struct str sub)
{
    struct admin_user user;
    struct pg_tx tx;

    TRY(admin_store_get(work->pg, work->arena, sub, &user));
    administration_begin(&tx, work, by, sub);
    end_all(self, &tx, &user, true);
    record(&tx, by, "user.sessions_ended", sub);
    TRY(administration_commit(work, &tx, by));
    administration_settle(self, work);
    return OK;
}

static void record_session(struct work *work, struct pg_tx *tx, const struct administrator *by,
                           struct str sub, struct uuid id)
{
    struct str text = codec_uuid_in(work->arena, id);
    const struct audit_entry entry = {
        .type = "session.ended",
        .subject = sub,
        .detail = arena_printf(work->arena, "{\"session_id\":\"%.*s\"}", STR_ARG(text)),
    };

    audit_append(tx, &by->audit, &entry);
}

enum error administration_end_session(const struct administration *self, struct work *work,
                                      const struct administrator *by, struct uuid id)
{
    struct str sub = STR_EMPTY;
    enum error error;
    struct pg_tx tx;

    TRY(admin_session_store_owner(work->pg, work->arena, id, &sub));
    administration_begin(&tx, work, by, sub);
    if (publishes(self, EVENT_SESSION_REVOKED)) {
        const struct event event = event_session_revoked(work->arena, sub, id, "ended_by_admin");
        const struct outbox_event row = outbox_row(&event);

        outbox_store_insert(&tx, &row);
    }
    session_store_revoke(&tx, id);
    revocation_store_session(&tx, id, self->revocation_ttl_s);
    record_session(work, &tx, by, sub, id);
    error = administration_commit(work, &tx, by);
    if (error == ERR_NO_MATCH) {
        return OK;
    }
    TRY(error);
    administration_settle(self, work);
    return OK;
}

static void record_begun(struct work *work, struct pg_tx *tx, const struct administrator *by,
                         int64_t before_ms)
{
    struct str before = codec_rfc3339_in(work->arena, before_ms);
    const struct audit_entry entry = {
        .type = "sessions.ended",
        .detail = arena_printf(work->arena, "{\"before\":\"%.*s\"}", STR_ARG(before)),
    };

    audit_append(tx, &by->audit, &entry);
}

enum error administration_end_begun(const struct administration *self, struct work *work,
                                    const struct administrator *by, int64_t before_ms,
                                    int64_t *ended)
{
    struct admin_session_walk walk = {
        .before_ms = before_ms,
        .revocation_ttl_s = self->revocation_ttl_s,
        .limit = BATCH_ROWS,
    };
    struct admin_session_walked walked = {.seen = BATCH_ROWS};
    int64_t total = 0;
    struct pg_tx tx;

    pg_tx_begin(&tx, work->pg);
    validity_require(&tx, by->audit.bearer);
    admin_session_store_require_past(&tx, before_ms);
    record_begun(work, &tx, by, before_ms);
    TRY(administration_commit(work, &tx, by));
    while (walked.seen == BATCH_ROWS) {
        pg_deadline(work->pg, clock_mono_ms() + BATCH_MS_MAX);
        TRY(admin_session_store_end_begun(work->pg, &walk, &walked));
        walk.after = walked.last;
        total += walked.ended;
    }
    administration_settle(self, work);
    *ended = total;
    return OK;
}
