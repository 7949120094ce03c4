/* SPDX-License-Identifier: Apache-2.0 */
#include "expiry_store.h"

/* now() and not clock_timestamp(): an index condition must be stable. */
#define SWEEP_BEFORE(table, key, column, moment)                                                   \
    "WITH gone AS (DELETE FROM " table " WHERE " key " IN (SELECT " key " FROM " table             \
    " WHERE " column " < " moment " ORDER BY " column " LIMIT $1::bigint FOR UPDATE SKIP LOCKED)"  \
    " RETURNING 1) SELECT count(*) FROM gone"
#define SWEEP(table, column) SWEEP_BEFORE(table, "id", column, "now()")

enum { EXPIRY_AUDIT };

static const struct pg_statement statements[] = {
    [EXPIRY_AUDIT] = {"expiry_audit", SWEEP_BEFORE("audit", "id", "at",
                                                   "now() - $2::bigint * interval '1 second'")},
    {"expiry_sessions", SWEEP("sessions", "absolute_expires_at")},
    {"expiry_registrations", SWEEP("registrations", "expires_at")},
    {"expiry_one_time_tokens", SWEEP("one_time_tokens", "expires_at")},
    {"expiry_throttle", SWEEP_BEFORE("throttle", "key", "until", "now()")},
    {"expiry_known_networks", SWEEP_BEFORE("known_networks", "key", "until", "now()")},
    {"expiry_mail_counts", SWEEP_BEFORE("mail_counts", "key", "until", "now()")},
    {"expiry_mfa_logins", SWEEP("mfa_logins", "expires_at")},
    {"expiry_revocations", SWEEP_BEFORE("revocations", "seq", "expires_at", "now()")},
};

enum { STATEMENTS = sizeof(statements) / sizeof(statements[0]) };

const struct pg_statements expiry_store_statements = {statements, STATEMENTS};

enum error expiry_store_sweep(struct pg *pg, int64_t audit_retention_s, int64_t *most)
{
    int64_t largest = 0;

    for (size_t i = 0; i < STATEMENTS; i++) {
        struct pg_args args = {0};
        PG_ROWS rows = {0};

        pg_bind_i64(&args, EXPIRY_BATCH_ROWS);
        if (i == EXPIRY_AUDIT) {
            pg_bind_i64(&args, audit_retention_s);
        }
        TRY(pg_query(pg, &statements[i], &args, &rows));
        largest = pg_i64(&rows, 0, 0) > largest ? pg_i64(&rows, 0, 0) : largest;
    }
    *most = largest;
    return OK;
}
