/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox_store.h"

#include <assert.h>

enum { OUTBOX_LOCK, OUTBOX_INSERT, OUTBOX_CLAIM, OUTBOX_DELETE, OUTBOX_FAIL, OUTBOX_BACKLOG };

/* A lease is known by the microsecond in which it was given. */
#define LEASED_AT "(extract(epoch FROM leased_at) * 1000000)::bigint"

/* The commit of a lease or of its end need not reach the disk first. */
#define ASYNC "set_config('synchronous_commit', 'off', true)"

static const struct pg_statement statements[] = {
    /* The seed keeps these keys apart from other users of advisory locks. */
    [OUTBOX_LOCK] = {"outbox_lock", "SELECT pg_advisory_xact_lock(hashtextextended($1, 7102))"},
    [OUTBOX_INSERT] = {"outbox_insert",
                       "INSERT INTO outbox (id, subject, type, is_ordered, data, expires_at,"
                       " token_kid, token_purpose, token_id)"
                       " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"},
    /* now() and not clock_timestamp(): an index condition must be stable. ARRAY() and not a join: its
     * plan stays an index scan whatever the table's size was when it was made. A row that another
     * relay leased meanwhile is skipped while it is locked, and judged anew by its new due_at after. */
    [OUTBOX_CLAIM] =
        {"outbox_claim",
         "UPDATE outbox o SET due_at = clock_timestamp() + $1::bigint * interval '1 ms',"
         " leased_at = clock_timestamp()"
         " WHERE o.seq = ANY (ARRAY("
         " SELECT d.seq FROM outbox d"
         " WHERE d.dead_at IS NULL AND d.due_at <= now()"
         " AND (NOT d.is_ordered OR d.parked_at IS NOT NULL OR NOT EXISTS ("
         " SELECT FROM outbox e WHERE e.subject = d.subject AND e.seq < d.seq AND e.is_ordered"
         " AND e.dead_at IS NULL AND e.parked_at IS NULL))"
         " ORDER BY d.due_at LIMIT $2::bigint FOR UPDATE OF d SKIP LOCKED))"
         " RETURNING o.seq, o.id, o.subject, o.type, o.is_ordered, o.data, o.created_at,"
         " o.attempts, o.rejections,"
         " coalesce((extract(epoch FROM now() - o.first_failed_at) * 1000)::bigint, 0),"
         " o.expires_at, coalesce(o.expires_at <= now(), false),"
         " o.token_kid, o.token_purpose, o.token_id, " LEASED_AT
         ", (extract(epoch FROM clock_timestamp() - o.faulted_at) * 1000)::bigint, " ASYNC},
    [OUTBOX_DELETE] = {"outbox_delete",
                       "DELETE FROM outbox"
                       " WHERE seq = ANY (string_to_array($1, ',')::bigint[])"
                       " AND (string_to_array($2, ',')::bigint[])"
                       "[array_position(string_to_array($1, ',')::bigint[], seq)] = " LEASED_AT
                       " RETURNING " ASYNC},
    [OUTBOX_FAIL] = {"outbox_fail",
                     "UPDATE outbox SET"
                     " due_at = clock_timestamp() + $2::bigint * interval '1 ms',"
                     " attempts = attempts + $3::boolean::integer,"
                     " rejections = rejections + $4::boolean::integer,"
                     " first_failed_at = CASE WHEN $3::boolean"
                     " THEN coalesce(first_failed_at, clock_timestamp()) ELSE first_failed_at END,"
                     " dead_at = CASE WHEN $5::boolean THEN clock_timestamp() END,"
                     " parked_at = CASE WHEN $6::boolean"
                     " THEN coalesce(parked_at, clock_timestamp()) ELSE parked_at END,"
                     " faulted_at = CASE WHEN $7::boolean"
                     " THEN clock_timestamp() ELSE faulted_at END,"
                     " last_error = $8, leased_at = NULL"
                     " WHERE seq = $1 AND $9::bigint = " LEASED_AT " RETURNING " ASYNC},
    [OUTBOX_BACKLOG] =
        {"outbox_backlog",
         "SELECT"
         " (SELECT count(*) FROM (SELECT FROM outbox WHERE dead_at IS NULL"
         " ORDER BY due_at LIMIT $1::bigint) AS pending),"
         " (SELECT count(*) FROM (SELECT FROM outbox WHERE dead_at IS NOT NULL"
         " ORDER BY dead_at LIMIT $1::bigint) AS dead),"
         " coalesce((SELECT (extract(epoch FROM now() - created_at) * 1000)::bigint FROM outbox"
         " WHERE dead_at IS NULL ORDER BY seq LIMIT 1), 0)"},
};

const struct pg_statements outbox_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void outbox_store_lock(struct pg_tx *tx, struct str subject)
{
    pg_bind_text(pg_tx_add(tx, &statements[OUTBOX_LOCK]), subject);
}

void outbox_store_insert(struct pg_tx *tx, const struct outbox_event *event)
{
    struct pg_args *args = pg_tx_add(tx, &statements[OUTBOX_INSERT]);

    outbox_store_bind(args, event);
}

void outbox_store_bind(struct pg_args *args, const struct outbox_event *event)
{
    const bool has_token = event->token_kid.len > 0;

    pg_bind_uuid(args, event->id);
    pg_bind_text(args, event->subject);
    pg_bind_text(args, event->type);
    pg_bind_bool(args, event->is_ordered);
    pg_bind_text(args, event->data);
    if (event->expires_ms == 0) {
        pg_bind_null(args);
    } else {
        pg_bind_time(args, event->expires_ms);
    }
    pg_bind_text_or_null(args, event->token_kid);
    pg_bind_text_or_null(args, event->token_purpose);
    if (has_token) {
        pg_bind_uuid(args, event->token_id);
    } else {
        pg_bind_null(args);
    }
}

void outbox_store_append(struct pg_tx *tx, const struct outbox_event *event)
{
    outbox_store_lock(tx, event->subject);
    outbox_store_insert(tx, event);
}

static struct outbox_claimed read_claimed(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct outbox_claimed){
        .lease = {pg_i64(rows, row, 0), pg_i64(rows, row, 15)},
        .event.id = pg_uuid(rows, row, 1),
        .event.subject = arena_copy(arena, pg_text(rows, row, 2)),
        .event.type = arena_copy(arena, pg_text(rows, row, 3)),
        .event.is_ordered = pg_bool(rows, row, 4),
        .event.data = arena_copy(arena, pg_text(rows, row, 5)),
        .created_ms = pg_time_ms(rows, row, 6),
        .attempts = (int32_t)pg_i64(rows, row, 7),
        .rejections = (int32_t)pg_i64(rows, row, 8),
        .failing_ms = pg_i64(rows, row, 9),
        .event.expires_ms = pg_time_ms(rows, row, 10),
        .is_expired = pg_bool(rows, row, 11),
        .event.token_kid = arena_copy(arena, pg_text(rows, row, 12)),
        .event.token_purpose = arena_copy(arena, pg_text(rows, row, 13)),
        .event.token_id = pg_uuid(rows, row, 14),
        .faulted_ago_ms = pg_is_null(rows, row, 16) ? -1 : pg_i64(rows, row, 16),
    };
}

enum error outbox_store_claim(struct pg *pg, struct arena *arena, int64_t lease_ms, size_t max,
                              struct outbox_batch *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    assert(max <= OUTBOX_CLAIM_MAX);
    pg_bind_i64(&args, lease_ms);
    pg_bind_i64(&args, (int64_t)max);
    TRY(pg_query(pg, &statements[OUTBOX_CLAIM], &args, &rows));
    for (int row = 0; row < rows.count; row++) {
        out->rows[row] = read_claimed(&rows, row, arena);
    }
    if (arena_overflowed(arena)) {
        return ERR_NO_SPACE;
    }
    out->count = (size_t)rows.count;
    return OK;
}

enum error outbox_store_delete(struct pg *pg, const struct outbox_lease *leases, size_t count)
{
    char seqs_memory[OUTBOX_CLAIM_MAX * 21]; /* 20 characters and a comma each */
    char times_memory[OUTBOX_CLAIM_MAX * 21];
    struct buf seqs = buf_over(seqs_memory, sizeof(seqs_memory));
    struct buf times = buf_over(times_memory, sizeof(times_memory));
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    assert(count <= OUTBOX_CLAIM_MAX);
    for (size_t i = 0; i < count; i++) {
        buf_printf(&seqs, i == 0 ? "%lld" : ",%lld", (long long)leases[i].seq);
        buf_printf(&times, i == 0 ? "%lld" : ",%lld", (long long)leases[i].at_us);
    }
    pg_bind_text(&args, buf_str(&seqs));
    pg_bind_text(&args, buf_str(&times));
    return pg_query(pg, &statements[OUTBOX_DELETE], &args, &rows);
}

enum error outbox_store_fail(struct pg *pg, const struct outbox_failure *failure)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_i64(&args, failure->lease.seq);
    pg_bind_i64(&args, failure->retry_in_ms);
    pg_bind_bool(&args, failure->counts);
    pg_bind_bool(&args, failure->is_rejection);
    pg_bind_bool(&args, failure->is_dead);
    pg_bind_bool(&args, failure->is_parked);
    pg_bind_bool(&args, failure->is_fault);
    pg_bind_text(&args, failure->reason);
    pg_bind_i64(&args, failure->lease.at_us);
    return pg_query(pg, &statements[OUTBOX_FAIL], &args, &rows);
}

enum error outbox_store_backlog(struct pg *pg, struct outbox_backlog *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_i64(&args, OUTBOX_BACKLOG_MAX);
    TRY(pg_query(pg, &statements[OUTBOX_BACKLOG], &args, &rows));
    *out = (struct outbox_backlog){
        .pending = pg_i64(&rows, 0, 0),
        .dead = pg_i64(&rows, 0, 1),
        .oldest_ms = pg_i64(&rows, 0, 2),
    };
    return OK;
}
