/* SPDX-License-Identifier: Apache-2.0 */
#include "session_store.h"

#include "client_store.h"

enum { SESSION_INSERT, SESSION_ROTATE, SESSION_INSPECT, SESSION_REVOKE };

#define LIVE                                                                                       \
    "u.status = 'active' AND u.auth_ver = s.auth_ver AND s.revoked_at IS NULL"                     \
    " AND clock_timestamp() < least(s.idle_expires_at, s.absolute_expires_at)"

#define HOLDER                                                                                     \
    "coalesce(u.subject, u.id::text), array_to_string(u.roles, ' '), s.auth_ver, s.auth_time,"     \
    " array_to_string(s.amr, ' '), extract(epoch FROM"                                             \
    " least(s.idle_expires_at, s.absolute_expires_at) - clock_timestamp())::bigint"

#define OTHERS_MAX "99"
_Static_assert(SESSION_STORE_LIVE_MAX == 99 + 1, "the others and the new one");

static const struct pg_statement statements[] = {
    [SESSION_INSERT] =
        {"session_insert",
         "WITH holder AS ("
         " SELECT id FROM users WHERE id = $1 AND status = 'active' AND auth_ver = $2 FOR SHARE"
         "), made AS ("
         " INSERT INTO sessions (id, user_id, auth_ver, client_id, kid, token_hash, amr, auth_time,"
         "  created_at, idle_expires_at, absolute_expires_at, ip, user_agent)"
         " SELECT $3, holder.id, $2, $4, $5, $6, string_to_array($7, ' '), t, t,"
         "  t + $8::bigint * interval '1 second', t + $9::bigint * interval '1 second', $10, $11"
         " FROM holder, clock_timestamp() AS t RETURNING 1"
         "), surplus AS ("
         " UPDATE sessions SET revoked_at = clock_timestamp() WHERE revoked_at IS NULL"
         " AND id = ANY (ARRAY(SELECT s.id FROM sessions s WHERE s.user_id = $1"
         "  AND s.revoked_at IS NULL ORDER BY s.id DESC OFFSET " OTHERS_MAX ")) RETURNING id"
         "), told AS ("
         " INSERT INTO revocations (session_id, expires_at)"
         " SELECT id, clock_timestamp() + $12::bigint * interval '1 second' FROM surplus"
         ") SELECT expect_one(count(*)) FROM made"},
    /* No lock on users: whatever ends sessions does so in `sessions` itself. */
    [SESSION_ROTATE] = {"session_rotate",
                        "UPDATE sessions s SET generation = s.generation + 1,"
                        " prev_hash = s.token_hash, token_hash = $4, idem_hash = $5,"
                        " rotated_at = clock_timestamp(),"
                        " idle_expires_at = clock_timestamp() + $6::bigint * interval '1 second'"
                        " FROM users u WHERE s.id = $1 AND s.token_hash = $2 AND s.client_id = $3"
                        " AND u.id = s.user_id AND " LIVE
                        " AND " CLIENT_STORE_COUNTS("$7") " RETURNING " HOLDER},
    [SESSION_INSPECT] =
        {"session_inspect",
         "SELECT s.generation, s.token_hash = $2, coalesce(s.prev_hash = $2 AND (s.idem_hash = $4"
         " OR s.rotated_at > clock_timestamp() - $5::bigint * interval '1 second'), false), " LIVE
         " AND " CLIENT_STORE_COUNTS("$6") ", " HOLDER " FROM sessions s JOIN users u ON u.id = "
                                           "s.user_id WHERE s.id = $1 AND s.client_id = $3"},
    [SESSION_REVOKE] = {"session_revoke", "WITH ended AS ("
                                          " UPDATE sessions SET revoked_at = clock_timestamp()"
                                          " WHERE id = $1 AND revoked_at IS NULL RETURNING 1"
                                          ") SELECT expect_one(count(*)) FROM ended"},
};

const struct pg_statements session_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void session_store_insert(struct pg_tx *tx, const struct session_row *row)
{
    struct pg_args *args = pg_tx_add(tx, &statements[SESSION_INSERT]);

    pg_bind_uuid(args, row->user_id);
    pg_bind_i64(args, row->auth_ver);
    pg_bind_uuid(args, row->id);
    pg_bind_text(args, row->client_id);
    pg_bind_text(args, row->kid);
    pg_bind_bytes(args, row->token_hash);
    pg_bind_text(args, row->amr);
    pg_bind_i64(args, row->idle_ttl_s);
    pg_bind_i64(args, row->absolute_ttl_s);
    pg_bind_text_or_null(args, row->ip);
    pg_bind_text_or_null(args, row->user_agent);
    pg_bind_i64(args, row->revocation_ttl_s);
}

static struct session_holder read_holder(const struct pg_rows *rows, int column,
                                         struct arena *arena)
{
    return (struct session_holder){
        .sub = arena_copy(arena, pg_text(rows, 0, column)),
        .roles = arena_copy(arena, pg_text(rows, 0, column + 1)),
        .auth_ver = pg_i64(rows, 0, column + 2),
        .auth_time_ms = pg_time_ms(rows, 0, column + 3),
        .amr = arena_copy(arena, pg_text(rows, 0, column + 4)),
        .expires_in_s = pg_i64(rows, 0, column + 5),
    };
}

enum error session_store_rotate(struct pg *pg, struct arena *arena,
                                const struct session_rotation *rotation, struct session_holder *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, rotation->id);
    pg_bind_bytes(&args, rotation->presented_hash);
    pg_bind_text(&args, rotation->client_id);
    pg_bind_bytes(&args, rotation->next_hash);
    pg_bind_text_or_null(&args, rotation->idem_hash);
    pg_bind_i64(&args, rotation->idle_ttl_s);
    client_store_bind(&args, rotation->client_id);
    TRY(pg_query(pg, &statements[SESSION_ROTATE], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = read_holder(&rows, 0, arena);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error session_store_inspect(struct pg *pg, struct arena *arena,
                                 const struct session_rotation *rotation, struct session_state *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, rotation->id);
    pg_bind_bytes(&args, rotation->presented_hash);
    pg_bind_text(&args, rotation->client_id);
    pg_bind_text_or_null(&args, rotation->idem_hash);
    pg_bind_i64(&args, rotation->grace_s);
    client_store_bind(&args, rotation->client_id);
    TRY(pg_query(pg, &statements[SESSION_INSPECT], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = (struct session_state){
        .generation = pg_i64(&rows, 0, 0),
        .is_current = pg_bool(&rows, 0, 1),
        .is_repeated = pg_bool(&rows, 0, 2),
        .is_live = pg_bool(&rows, 0, 3),
        .holder = read_holder(&rows, 4, arena),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void session_store_revoke(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[SESSION_REVOKE]), id);
}
