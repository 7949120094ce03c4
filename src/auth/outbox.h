/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a change tells others: queues the event's outbox row in the change's own transaction.
 *
 * Ownership: the event's texts are borrowed until the commit. Threads: as the transaction.
 */
#pragma once

#include "event.h"
#include "outbox_store.h"

/* The row of an event, as yet without expiry and token; borrows the event's texts. */
struct outbox_event outbox_row(const struct event *event);

/* An event that is no mail. The subject's lock is taken first, so call it before other statements
 * of the transaction that lock rows. */
void outbox_append(struct pg_tx *tx, const struct event *event);

/* A mail that carries a one-time token, which the relay derives as it sends. */
struct outbox_token {
    struct str kid;
    struct str purpose;
    struct uuid id;
    int64_t expires_ms;
};
void outbox_append_mail(struct pg_tx *tx, const struct event *event,
                        const struct outbox_token *token);
