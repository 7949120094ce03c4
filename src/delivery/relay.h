/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay: a thread that carries the outbox to the Notification Service. It claims due rows with a
 * lease, sends up to OUTBOX_CLAIM_MAX at once, and deletes what was delivered; any number of relays may
 * run beside each other. Each event is delivered at least once, always under the same id; a subject's
 * events in order, but for one that was parked after failing for `park_after_ms`. What an answer
 * means stands in retry.h.
 *
 * Ownership: the options' strings and keyring must stay until relay_stop; the secrets are copied.
 * Threads: start and stop from one thread, wake from any. Errors: logged; they never end the thread.
 */
#pragma once

#include "keyring.h"
#include "onetime.h"
#include "pg.h"
#include "webhook.h"

struct relay;

/* Zero in a time: the default behind it. */
struct relay_options {
    const struct pg_options *pg; /* tables: outbox_store_statements at least */
    const char *url;
    const char *issuer;
    const struct keyring *keyring;
    const struct webhook_secrets *secrets;
    const char *links[ONETIME_PURPOSE_COUNT]; /* each with {token} in it */
    int64_t lease_ms;      /* 15 s: longer than a call may take, and its record */
    int64_t park_after_ms; /* 5 min */
    int64_t timeout_ms;    /* 10 s: of a call */
};

struct relay *relay_start(const struct relay_options *options);
/* After a local commit that appended events: they leave at once. */
void relay_wake(struct relay *self);
/* What calls from now on are signed with; from any thread. */
void relay_take_secrets(struct relay *self, const struct webhook_secrets *secrets);
/* Ends what is under way (at most 5 s), gives the rest back to the outbox, ends the thread. */
void relay_stop(struct relay *self);
