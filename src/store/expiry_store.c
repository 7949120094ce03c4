/* SPDX-License-Identifier: Apache-2.0 */
#include "expiry_store.h"

#define SWEEP(table, column)                                                                       \
    "WITH gone AS (DELETE FROM " table " WHERE id IN (SELECT id FROM " table " WHERE " column      \
    " < clock_timestamp() ORDER BY " column                                                        \
    " LIMIT $1::bigint FOR UPDATE SKIP LOCKED) RETURNING 1)"                                       \
    " SELECT count(*) FROM gone"

static const struct pg_statement statements[] = {
    {"expiry_sessions", SWEEP("sessions", "absolute_expires_at")},
    {"expiry_registrations", SWEEP("registrations", "expires_at")},
    {"expiry_one_time_tokens", SWEEP("one_time_tokens", "expires_at")},
};

enum { STATEMENTS = sizeof(statements) / sizeof(statements[0]) };

const struct pg_statements expiry_store_statements = {statements, STATEMENTS};

enum error expiry_store_sweep(struct pg *pg, int64_t *most)
{
    int64_t largest = 0;

    for (size_t i = 0; i < STATEMENTS; i++) {
        struct pg_args args = {0};
        PG_ROWS rows = {0};

        pg_bind_i64(&args, EXPIRY_BATCH_ROWS);
        TRY(pg_query(pg, &statements[i], &args, &rows));
        largest = pg_i64(&rows, 0, 0) > largest ? pg_i64(&rows, 0, 0) : largest;
    }
    *most = largest;
    return OK;
}
