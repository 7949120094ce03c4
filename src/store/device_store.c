/* SPDX-License-Identifier: Apache-2.0 */
#include "device_store.h"

enum {
    DEVICE_LIST,
    DEVICE_PROOF,
    DEVICE_PROVE,
    DEVICE_PROVE_AS,
    DEVICE_REQUIRE,
    DEVICE_END_ONE,
    DEVICE_END_OTHERS
};

#define ACTING                                                                                     \
    "acting AS ("                                                                                  \
    " SELECT u.id, coalesce(u.subject, u.id::text) AS sub FROM sessions s, users u"                \
    " WHERE " USER_STORE_SESSION_COUNTS ")"

static const struct pg_statement statements[] = {
    /* A row without an id says: the session counts, and there is nothing (more). */
    [DEVICE_LIST] = {"device_list",
                     "WITH " ACTING " SELECT d.id, d.created_at, d.rotated_at, d.ip, d.user_agent,"
                     " d.id = $1 FROM acting LEFT JOIN LATERAL ("
                     " SELECT t.id, t.created_at, t.rotated_at, t.ip, t.user_agent FROM sessions t"
                     " WHERE t.user_id = acting.id AND t.revoked_at IS NULL"
                     " AND clock_timestamp() < least(t.idle_expires_at, t.absolute_expires_at)"
                     " AND t.id < $3 ORDER BY t.id DESC LIMIT $4::bigint"
                     ") d ON true ORDER BY d.id DESC"},
    [DEVICE_PROOF] = {"device_proof",
                      "SELECT u.password_hash, u.pepper_kid, array_to_string(u.roles, ' '), u.id,"
                      " u.email_canonical, " USER_STORE_HAS_MFA
                      " FROM sessions s, users u WHERE " USER_STORE_SESSION_COUNTS},
    [DEVICE_PROVE] = {"device_prove",
                      "UPDATE sessions s SET auth_time = clock_timestamp(), amr = '{pwd}'"
                      " FROM users u WHERE " USER_STORE_SESSION_COUNTS " RETURNING s.auth_time"},
    [DEVICE_PROVE_AS] = {"device_prove_as",
                         "WITH proved AS (UPDATE sessions s SET auth_time = clock_timestamp(),"
                         " amr = string_to_array($3, ' ') FROM users u"
                         " WHERE " USER_STORE_SESSION_COUNTS
                         " RETURNING 1) SELECT expect_one(count(*)) FROM proved"},
    [DEVICE_REQUIRE] = {"device_require",
                        "WITH " ACTING " SELECT expect_one(count(*)) FROM acting"},
    [DEVICE_END_ONE] = {"device_end_one",
                        "WITH " ACTING ", ended AS ("
                        " UPDATE sessions t SET revoked_at = clock_timestamp() FROM acting"
                        " WHERE t.id = $3 AND t.user_id = acting.id AND t.revoked_at IS NULL"
                        " RETURNING 1) SELECT expect_one(count(*)) FROM ended"},
    [DEVICE_END_OTHERS] =
        {"device_end_others",
         "WITH " ACTING ", ended AS ("
         " UPDATE sessions t SET revoked_at = clock_timestamp()"
         " WHERE t.user_id = (SELECT acting.id FROM acting) AND t.id <> $1"
         " AND t.revoked_at IS NULL"
         " AND clock_timestamp() < least(t.idle_expires_at, t.absolute_expires_at)"
         " RETURNING t.id), revoked AS ("
         " INSERT INTO revocations (session_id, expires_at) SELECT ended.id,"
         " clock_timestamp() + $4::bigint * interval '1 second' FROM ended)"
         " INSERT INTO outbox (id, subject, type, is_ordered, data)"
         " SELECT gen_random_uuid(), acting.sub, 'session.revoked', true,"
         " json_build_object('session_id', ended.id, 'reason', 'ended_by_user')::text"
         " FROM ended, acting WHERE $3"},
};

const struct pg_statements device_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

static void bind_acting(struct pg_args *args, const struct user_session *acting)
{
    pg_bind_uuid(args, acting->session_id);
    pg_bind_i64(args, acting->auth_ver);
}

static struct device read_device(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct device){
        .id = pg_uuid(rows, row, 0),
        .created_ms = pg_time_ms(rows, row, 1),
        .refreshed_ms = pg_time_ms(rows, row, 2),
        .ip = arena_copy(arena, pg_text(rows, row, 3)),
        .user_agent = arena_copy(arena, pg_text(rows, row, 4)),
        .is_current = pg_bool(rows, row, 5),
    };
}

enum error device_store_list(struct pg *pg, struct arena *arena, const struct user_session *acting,
                             const struct keyset *keyset, struct device *out,
                             struct keyset_found *found)
{
    int row = 0;
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    bind_acting(&args, acting);
    keyset_bind(&args, keyset);
    TRY(pg_query(pg, &statements[DEVICE_LIST], &args, &rows));
    if (rows.count == 0) {
        return ERR_UNAUTHENTICATED;
    }
    for (; keyset_takes(keyset, arena, &rows, row) && !pg_is_null(&rows, row, 0); row++) {
        out[row] = read_device(&rows, row, arena);
    }
    *found = (struct keyset_found){(size_t)row, row > 0 && row < rows.count};
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error device_store_proof(struct pg *pg, struct arena *arena, const struct user_session *acting,
                              struct device_proof *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    bind_acting(&args, acting);
    TRY(pg_query(pg, &statements[DEVICE_PROOF], &args, &rows));
    if (rows.count == 0) {
        return ERR_UNAUTHENTICATED;
    }
    *out = (struct device_proof){
        .password_phc = arena_copy(arena, pg_text(&rows, 0, 0)),
        .pepper_kid = arena_copy(arena, pg_text(&rows, 0, 1)),
        .roles = arena_copy(arena, pg_text(&rows, 0, 2)),
        .user_id = pg_uuid(&rows, 0, 3),
        .email_canonical = arena_copy(arena, pg_text(&rows, 0, 4)),
        .has_mfa = pg_bool(&rows, 0, 5),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error device_store_prove(struct pg *pg, const struct user_session *acting,
                              int64_t *auth_time_ms)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    bind_acting(&args, acting);
    TRY(pg_query(pg, &statements[DEVICE_PROVE], &args, &rows));
    if (rows.count == 0) {
        return ERR_UNAUTHENTICATED;
    }
    *auth_time_ms = pg_time_ms(&rows, 0, 0);
    return OK;
}

void device_store_prove_as(struct pg_tx *tx, const struct user_session *acting, struct str amr)
{
    struct pg_args *args = pg_tx_add(tx, &statements[DEVICE_PROVE_AS]);

    bind_acting(args, acting);
    pg_bind_text(args, amr);
}

void device_store_require(struct pg_tx *tx, const struct user_session *acting)
{
    bind_acting(pg_tx_add(tx, &statements[DEVICE_REQUIRE]), acting);
}

void device_store_end_one(struct pg_tx *tx, const struct user_session *acting, struct uuid id)
{
    struct pg_args *args = pg_tx_add(tx, &statements[DEVICE_END_ONE]);

    bind_acting(args, acting);
    pg_bind_uuid(args, id);
}

void device_store_end_others(struct pg_tx *tx, const struct user_session *acting, bool tell,
                             int64_t revocation_ttl_s)
{
    struct pg_args *args = pg_tx_add(tx, &statements[DEVICE_END_OTHERS]);

    bind_acting(args, acting);
    pg_bind_bool(args, tell);
    pg_bind_i64(args, revocation_ttl_s);
}
