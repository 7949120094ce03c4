/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database schema: the migrations of db/migrations, embedded, and all prepared statements.
 *
 * Migrations go forward only. Each runs in a transaction of its own, under an advisory lock that is
 * polled (several replicas start at once), with a short lock_timeout. A file that was applied must not
 * change (SHA-256); a schema newer than the binary is accepted, so that a roll-back starts.
 *
 * Threads: one at a time, with a connection of its own.
 */
#pragma once

#include "pg.h"

/* Every table of statements of this floor, for pg_new. */
extern const struct pg_statements *const schema_statements[];
extern const size_t schema_statements_count;

struct schema_report {
    int64_t applied; /* now */
    int64_t version; /* of the database, afterwards */
};

/* Connects as `options` say (its tables of statements are left aside: their relations may not exist
 * yet). Each failure is one sentence in `why` (arena, of at least SCHEMA_ARENA_BYTES): ERR_CONFIG when
 * an applied file has changed or the server refuses a statement, ERR_UNAVAILABLE when the database is
 * away, or the lock was not to be had by `deadline_ms` (clock_mono_ms). */
enum { SCHEMA_ARENA_BYTES = 256 * 1024 };
NODISCARD enum error schema_migrate(const struct pg_options *options, struct arena *arena,
                                    int64_t deadline_ms, struct schema_report *report,
                                    const char **why);
/* For who only reads and writes: ERR_CONFIG also when a migration of this binary is not applied. */
NODISCARD enum error schema_check(const struct pg_options *options, struct arena *arena,
                                  int64_t deadline_ms, const char **why);
