/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The revocation feed: a thread that tells this replica what others have revoked or changed. A few
 * times a second it reads what was committed to table revocations since it read last, adds that to the
 * set in memory, and has the clients and the keys read anew where a row says so.
 *
 * At start and after its connection broke it reads the whole table, the clients and the keys: another
 * server may answer, with another past.
 *
 * Ownership: what the options point to must stay until feed_stop. Threads: start and stop from one
 * thread; the callbacks come from the feed's own.
 * Errors: logged and counted; they never end the thread. While it cannot read, the set says
 * REVOCATION_UNKNOWN of what it does not find.
 */
#pragma once

#include "clients.h"
#include "revocation.h"

enum { FEED_INTERVAL_MS = 250 };

struct feed;

struct feed_options {
    const struct pg_options *pg; /* tables: revocation_store_statements, and those of the clients */
    struct revocations *revocations;
    struct clients *clients;
    int64_t interval_ms;                 /* 0: FEED_INTERVAL_MS */
    void (*keys_changed)(void *context); /* reads table signing_keys anew; NULL: nobody does */
    void (*loaded)(void *context); /* once, after the first whole read: this replica can be asked */
    void *context;
};

struct feed *feed_start(const struct feed_options *options);
void feed_stop(struct feed *self);
void feed_register_metrics(void);
