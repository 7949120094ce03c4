/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_store.h"

#include <stdio.h>
#include <string.h>

enum { REVOCATION_SESSION, REVOCATION_USER, REVOCATION_CHANGED, REVOCATION_READ };

#define EXPIRY "clock_timestamp() + $2::bigint * interval '1 second'"

static const struct pg_statement statements[] = {
    [REVOCATION_SESSION] = {"revocation_session", "INSERT INTO revocations (session_id, expires_at)"
                                                  " VALUES ($1, " EXPIRY ")"},
    [REVOCATION_USER] = {"revocation_user",
                         "INSERT INTO revocations (subject, min_auth_ver, expires_at)"
                         " SELECT coalesce(subject, id::text), auth_ver, " EXPIRY
                         " FROM users WHERE id = $1"},
    [REVOCATION_CHANGED] = {"revocation_changed", "INSERT INTO revocations (changed, expires_at)"
                                                  " VALUES ($1, " EXPIRY ")"},
    /* The first row is snapshot and time of the statement itself, which a page without rows has, too.
     * A xid8 travels as a bigint does. */
    [REVOCATION_READ] =
        {"revocation_read",
         "WITH page AS ("
         " SELECT xid, seq, session_id, subject, min_auth_ver, changed, expires_at"
         " FROM revocations WHERE (xid, seq) > ($1::xid8, $2::bigint)"
         "  AND NOT pg_visible_in_snapshot(xid, (SELECT $3::text::pg_snapshot))"
         "  AND expires_at > now() ORDER BY xid, seq LIMIT $4::bigint)"
         " SELECT pg_current_snapshot()::text AS snapshot,"
         " pg_snapshot_xmin(pg_current_snapshot()) AS xid, 0::bigint AS seq,"
         " NULL::uuid, NULL::text, NULL::bigint, NULL::text, now()"
         " UNION ALL SELECT NULL, xid, seq, session_id, subject, min_auth_ver, changed, expires_at"
         " FROM page ORDER BY snapshot NULLS LAST, xid, seq"},
};

enum {
    COLUMN_SNAPSHOT,
    COLUMN_XID,
    COLUMN_SEQ,
    COLUMN_SESSION,
    COLUMN_SUBJECT,
    COLUMN_MIN_AUTH_VER,
    COLUMN_CHANGED,
    COLUMN_TIME
};

const struct pg_statements revocation_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void revocation_store_session(struct pg_tx *tx, struct uuid session_id, int64_t ttl_s)
{
    struct pg_args *args = pg_tx_add(tx, &statements[REVOCATION_SESSION]);

    pg_bind_uuid(args, session_id);
    pg_bind_i64(args, ttl_s);
}

void revocation_store_user(struct pg_tx *tx, struct uuid user_id, int64_t ttl_s)
{
    struct pg_args *args = pg_tx_add(tx, &statements[REVOCATION_USER]);

    pg_bind_uuid(args, user_id);
    pg_bind_i64(args, ttl_s);
}

void revocation_store_changed(struct pg_tx *tx, enum revocation_changed table, int64_t ttl_s)
{
    struct pg_args *args = pg_tx_add(tx, &statements[REVOCATION_CHANGED]);

    pg_bind_text(args, table == REVOCATION_CLIENTS ? STR("clients") : STR("keys"));
    pg_bind_i64(args, ttl_s);
}

/* Every transaction below `xmin` is over, none from there on: what a reader then sees again does no
 * harm. */
static void forget_others(struct revocation_moment *moment, int64_t xmin)
{
    const int len = snprintf(moment->snapshot, sizeof(moment->snapshot),
                             "%lld:%lld:", (long long)xmin, (long long)xmin);

    moment->xmin = xmin;
    moment->len = (size_t)len;
}

void revocation_store_beginning(struct revocation_moment *out)
{
    forget_others(out, 1);
}

static void read_moment(const struct pg_rows *rows, struct revocation_moment *out)
{
    const struct str snapshot = pg_text(rows, 0, COLUMN_SNAPSHOT);
    const int64_t xmin = pg_i64(rows, 0, COLUMN_XID);

    if (snapshot.len > sizeof(out->snapshot)) { /* some hundred transactions under way at once */
        forget_others(out, xmin);
        return;
    }
    out->xmin = xmin;
    out->len = snapshot.len;
    memcpy(out->snapshot, snapshot.ptr, snapshot.len);
}

static struct revocation_row read_row(const struct pg_rows *rows, int at)
{
    const struct str changed = pg_text(rows, at, COLUMN_CHANGED);
    const int64_t left_ms = pg_time_ms(rows, at, COLUMN_TIME) - pg_time_ms(rows, 0, COLUMN_TIME);

    return (struct revocation_row){
        .is_session = !pg_is_null(rows, at, COLUMN_SESSION),
        .session_id = pg_uuid(rows, at, COLUMN_SESSION),
        .is_subject = !pg_is_null(rows, at, COLUMN_SUBJECT),
        .subject = pg_text(rows, at, COLUMN_SUBJECT),
        .min_auth_ver = pg_i64(rows, at, COLUMN_MIN_AUTH_VER),
        .clients_changed = str_equal(changed, STR("clients")),
        .keys_changed = str_equal(changed, STR("keys")),
        .expires_in_s = (left_ms + 999) / 1000,
    };
}

/* A row that commits between two pages, and belongs on an earlier one, was not over in the first page's
 * snapshot: the next read sees it. */
enum error revocation_store_read(struct pg *pg, struct revocation_reading *reading,
                                 const struct revocation_taker *taker, bool *more)
{
    const bool is_first = reading->last_xid == 0;
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_i64(&args, is_first ? reading->since.xmin : reading->last_xid);
    pg_bind_i64(&args, is_first ? 0 : reading->last_seq); /* `seq` begins with 1 */
    pg_bind_text(&args, (struct str){reading->since.snapshot, reading->since.len});
    pg_bind_i64(&args, REVOCATION_STORE_PAGE_ROWS);
    TRY(pg_query(pg, &statements[REVOCATION_READ], &args, &rows));
    if (is_first) {
        read_moment(&rows, &reading->now);
    }
    for (int at = 1; at < rows.count; at++) {
        const struct revocation_row row = read_row(&rows, at);

        taker->take(taker->context, &row);
        reading->last_xid = pg_i64(&rows, at, COLUMN_XID);
        reading->last_seq = pg_i64(&rows, at, COLUMN_SEQ);
    }
    *more = rows.count == REVOCATION_STORE_PAGE_ROWS + 1;
    return OK;
}
