/* SPDX-License-Identifier: Apache-2.0 */
#include "mfa_removal.h"

#include "mfa_store.h"
#include "outbox.h"

static void queue_told(const struct administration *self, struct work *work, struct pg_tx *tx,
                       const struct administrator *by, const struct admin_user *user)
{
    const struct event_owner owner = {user->email, user->locale};
    const struct event_mfa_change change = {
        .reason = by->is_operator ? "removed_by_operator" : "removed_by_admin",
    };

    if ((self->published & EVENT_BIT(EVENT_USER_MFA_CHANGED)) != 0) {
        const struct event event = event_user_mfa_changed(work->arena, user->sub, &owner, &change);
        const struct outbox_event row = outbox_row(&event);

        outbox_store_insert(tx, &row);
    }
}

enum error mfa_removal_remove(const struct administration *self, struct work *work,
                              const struct administrator *by, struct str sub)
{
    const struct audit_entry entry = {.type = "user.mfa_removed", .subject = sub};
    struct admin_user user;
    struct pg_tx tx;
    enum error error;

    TRY(admin_store_get(work->pg, work->arena, sub, &user));
    if (administration_is_own(by, sub)) {
        return ERR_OWN_ACCOUNT;
    }
    administration_begin(&tx, work, by, user.sub);
    mfa_store_raise_enrolled(&tx, user.id);
    mfa_store_remove(&tx, user.id);
    queue_told(self, work, &tx, by, &user);
    administration_end_tokens(self, &tx, &user);
    audit_append(&tx, &by->audit, &entry);
    error = administration_commit(work, &tx, by);
    if (error == ERR_NO_MATCH) { /* there is none */
        return OK;
    }
    TRY(error);
    administration_settle(self, work);
    return OK;
}
