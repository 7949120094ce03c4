/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A delivery thread's own connection to the database: every call has a deadline, and an outage is one
 * log line when it begins and one when it is over, however often it was noticed.
 *
 * Threads: its owner's.
 */
#pragma once

#include "pg.h"

enum { STORE_LINK_DEADLINE_MS = 5000 };

struct store_link {
    const char *owner; /* static, for the log */
    struct pg_options options;
    struct pg *pg;
    bool away;
};

void store_link_open(struct store_link *self, const struct pg_options *options, const char *owner);
void store_link_close(struct store_link *self);
/* The connection, with the deadline set for the next call. */
struct pg *store_link_pg(struct store_link *self);
/* Hands on whether a call of the store succeeded, and notes it. */
bool store_link_did(struct store_link *self, enum error error);
