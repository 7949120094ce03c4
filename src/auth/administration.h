/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What administrators and operators do to accounts: disable and enable, end sessions (roles are roles.h's).
 * Each change is
 * one transaction with its audit row and the events that tell of it; what is as it should be already
 * changes, tells and records nothing.
 *
 * Whatever ends tokens has reached this replica's memory when the call returns.
 *
 * Ownership: texts are in the work's arena. Threads: any, each with its own work.
 * Errors: ERR_NOT_FOUND (nobody has that id), ERR_OWN_ACCOUNT (administrators do not lock themselves
 * out), ERR_UNAUTHENTICATED (whoever asks was disabled or logged out meanwhile: nothing was done).
 */
#pragma once

#include "admin_session_store.h"
#include "admin_store.h"
#include "audit.h"
#include "event.h"
#include "revocation.h"
#include "work.h"

/* What revocations outlive the tokens that they speak of: clocks differ. */

struct administration {
    event_set published;
    int64_t revocation_ttl_s;
    struct revocations *revocations; /* NULL: a command, which answers nobody */
};

struct administrator {
    struct audit_actor audit;
    struct str own_sub; /* of a user; empty: a client or an operator */
    bool is_operator;
};

NODISCARD enum error administration_disable(const struct administration *self, struct work *work,
                                            const struct administrator *by, struct str sub);
NODISCARD enum error administration_enable(const struct administration *self, struct work *work,
                                           const struct administrator *by, struct str sub);
NODISCARD enum error administration_end_sessions(const struct administration *self,
                                                 struct work *work, const struct administrator *by,
                                                 struct str sub);
/* One that has ended is fine. */
NODISCARD enum error administration_end_session(const struct administration *self,
                                                struct work *work, const struct administrator *by,
                                                struct uuid id);
/* All sessions that are live and began before that moment, in batches: for a database that was restored.
 * Tells nobody by events; one audit row goes before. ERR_NO_MATCH when by the database's clock that
 * moment is still to come: nothing was done. */
NODISCARD enum error administration_end_begun(const struct administration *self, struct work *work,
                                              const struct administrator *by, int64_t before_ms,
                                              int64_t *ended);

/* For roles.c. A transaction about one user, with their lock: it comes before every other lock. Then
 * whoever asks must count still. */
void administration_begin(struct pg_tx *tx, struct work *work, const struct administrator *by,
                          struct str sub);
/* ERR_UNAUTHENTICATED when they do not; else as the transaction. */
NODISCARD enum error administration_commit(struct work *work, struct pg_tx *tx,
                                           const struct administrator *by);
/* After a commit that ended tokens. */
void administration_settle(const struct administration *self, struct work *work);
/* After auth_ver was raised: no token issued before counts, no session is left. */
void administration_end_tokens(const struct administration *self, struct pg_tx *tx,
                               const struct admin_user *user);
bool administration_is_own(const struct administrator *by, struct str sub);
