/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events that a relay has claimed and not yet settled, and the writing of what became of them.
 *
 * Ownership: the struct, which must not move while a call of it is under way. Threads: the relay's.
 */
#pragma once

#include "outgoing.h"
#include "store_link.h"

struct slots {
    struct outgoing items[OUTBOX_CLAIM_MAX];
};

/* NULL: all are taken. */
struct outgoing *slots_free(struct slots *self);
unsigned slots_in(const struct slots *self, enum outgoing_state state);
/* What failed waits to be recorded; `failure` needs neither lease nor reason. */
void slots_fail(struct outgoing *slot, struct outbox_failure failure);
/* Writes what was delivered or failed, and frees it. What could not be written is kept until its lease
 * ends: from then on another relay may have the row, and it is dropped without a word. */
void slots_record(struct slots *self, struct store_link *store);
