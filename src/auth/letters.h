/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dead and parked events, sent again by an administrator or operator: with an audit row, in one
 * transaction.
 *
 * Ownership: texts are in the work's arena. Threads: any, each with its own work.
 * Errors: ERR_UNAUTHENTICATED (whoever asks was disabled or logged out meanwhile: nothing was done).
 */
#pragma once

#include "audit.h"
#include "letter_store.h"
#include "work.h"

/* ERR_NOT_FOUND unless a dead or parked one has that id. */
NODISCARD enum error letters_redeliver(struct work *work, const struct audit_actor *by,
                                       struct uuid id);
/* All that are dead by now, in batches; one audit row goes before. */
NODISCARD enum error letters_redeliver_dead(struct work *work, const struct audit_actor *by,
                                            int64_t *count);
