/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_session_store.h"

enum {
    ADMIN_SESSION_LIST,
    ADMIN_SESSION_OWNER,
    ADMIN_SESSION_END_ALL,
    ADMIN_SESSION_REQUIRE_PAST,
    ADMIN_SESSION_END_BEGUN
};

static const struct pg_statement statements[] = {
    [ADMIN_SESSION_LIST] = {"admin_session_list",
                            "SELECT id, created_at, rotated_at, ip, user_agent FROM sessions"
                            " WHERE user_id = $1 AND revoked_at IS NULL"
                            " AND clock_timestamp() < least(idle_expires_at, absolute_expires_at)"
                            " AND id < $2 ORDER BY id DESC LIMIT $3::bigint"},
    [ADMIN_SESSION_OWNER] = {"admin_session_owner",
                             "SELECT coalesce(u.subject, u.id::text) FROM sessions s"
                             " JOIN users u ON u.id = s.user_id WHERE s.id = $1"},
    [ADMIN_SESSION_END_ALL] =
        {"admin_session_end_all",
         "WITH ended AS ("
         " UPDATE sessions SET revoked_at = clock_timestamp()"
         " WHERE user_id = $1 AND revoked_at IS NULL"
         " RETURNING id,"
         " clock_timestamp() < least(idle_expires_at, absolute_expires_at) AS was_live"
         "), told AS ("
         " INSERT INTO outbox (id, subject, type, is_ordered, data)"
         " SELECT gen_random_uuid(), $2, 'session.revoked', true,"
         " json_build_object('session_id', ended.id, 'reason', $3::text)::text"
         " FROM ended WHERE $4::boolean AND was_live"
         ") INSERT INTO revocations (session_id, expires_at)"
         " SELECT id, clock_timestamp() + $5::bigint * interval '1 second'"
         " FROM ended WHERE $6::boolean"},
    [ADMIN_SESSION_REQUIRE_PAST] = {"admin_session_require_past",
                                    "SELECT expect_one(($1 <= clock_timestamp())::integer)"},
    [ADMIN_SESSION_END_BEGUN] =
        {"admin_session_end_begun",
         "WITH batch AS (SELECT s.id FROM sessions s WHERE s.id > $1"
         " ORDER BY s.id LIMIT $4::bigint"
         "), ended AS ("
         " UPDATE sessions s SET revoked_at = clock_timestamp()"
         " WHERE s.id = ANY (ARRAY(SELECT id FROM batch)) AND s.created_at < $2"
         " AND s.revoked_at IS NULL"
         " AND clock_timestamp() < least(s.idle_expires_at, s.absolute_expires_at)"
         " RETURNING s.id"
         "), told AS (INSERT INTO revocations (session_id, expires_at)"
         " SELECT id, clock_timestamp() + $3::bigint * interval '1 second' FROM ended"
         ") SELECT (SELECT id FROM batch ORDER BY id DESC LIMIT 1),"
         " (SELECT count(*) FROM batch), (SELECT count(*) FROM ended)"},
};

const struct pg_statements admin_session_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

static struct device read_device(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct device){
        .id = pg_uuid(rows, row, 0),
        .created_ms = pg_time_ms(rows, row, 1),
        .refreshed_ms = pg_time_ms(rows, row, 2),
        .ip = arena_copy(arena, pg_text(rows, row, 3)),
        .user_agent = arena_copy(arena, pg_text(rows, row, 4)),
    };
}

enum error admin_session_store_list(struct pg *pg, struct arena *arena, struct uuid user_id,
                                    const struct keyset *keyset, struct device *out,
                                    struct keyset_found *found)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};
    int row = 0;

    pg_bind_uuid(&args, user_id);
    keyset_bind(&args, keyset);
    TRY(pg_query(pg, &statements[ADMIN_SESSION_LIST], &args, &rows));
    for (; keyset_takes(keyset, arena, &rows, row); row++) {
        out[row] = read_device(&rows, row, arena);
    }
    *found = (struct keyset_found){(size_t)row, row < rows.count};
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error admin_session_store_owner(struct pg *pg, struct arena *arena, struct uuid id,
                                     struct str *sub)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    TRY(pg_query(pg, &statements[ADMIN_SESSION_OWNER], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *sub = arena_copy(arena, pg_text(&rows, 0, 0));
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void admin_session_store_end_all(struct pg_tx *tx, const struct admin_session_ending *ending)
{
    struct pg_args *args = pg_tx_add(tx, &statements[ADMIN_SESSION_END_ALL]);

    pg_bind_uuid(args, ending->user_id);
    pg_bind_text(args, ending->sub);
    pg_bind_text(args, str_from(ending->reason));
    pg_bind_bool(args, ending->tells);
    pg_bind_i64(args, ending->revocation_ttl_s);
    pg_bind_bool(args, ending->revokes);
}

void admin_session_store_require_past(struct pg_tx *tx, int64_t moment_ms)
{
    pg_bind_time(pg_tx_add(tx, &statements[ADMIN_SESSION_REQUIRE_PAST]), moment_ms);
}

enum error admin_session_store_end_begun(struct pg *pg, const struct admin_session_walk *walk,
                                         struct admin_session_walked *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, walk->after);
    pg_bind_time(&args, walk->before_ms);
    pg_bind_i64(&args, walk->revocation_ttl_s);
    pg_bind_i64(&args, (int64_t)walk->limit);
    TRY(pg_query(pg, &statements[ADMIN_SESSION_END_BEGUN], &args, &rows));
    *out = (struct admin_session_walked){
        .last = pg_uuid(&rows, 0, 0),
        .seen = pg_i64(&rows, 0, 1),
        .ended = pg_i64(&rows, 0, 2),
    };
    return OK;
}
