/* SPDX-License-Identifier: Apache-2.0 */
#include "one_time_store.h"

enum { ONE_TIME_GET, ONE_TIME_TAKE };

static const struct pg_statement statements[] = {
    [ONE_TIME_GET] = {"one_time_get",
                      "SELECT " ONE_TIME_STORE_HOLDER
                      " FROM one_time_tokens t JOIN users u ON u.id = t.user_id"
                      " WHERE t.id = $1 AND t.purpose = $2 AND t.expires_at > clock_timestamp()"
                      " AND u.auth_ver = t.auth_ver AND u.status = 'active'"},
    [ONE_TIME_TAKE] = {"one_time_take", "WITH taken AS ("
                                        " DELETE FROM one_time_tokens WHERE id = $1 RETURNING 1"
                                        ") SELECT expect_one(count(*)) FROM taken"},
};

const struct pg_statements one_time_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

enum error one_time_store_read_holder(const struct pg_rows *rows, struct arena *arena,
                                      struct one_time_holder *out)
{
    *out = (struct one_time_holder){
        .user.id = pg_uuid(rows, 0, 0),
        .user.sub = arena_copy(arena, pg_text(rows, 0, 1)),
        .user.password_phc = arena_copy(arena, pg_text(rows, 0, 2)),
        .user.pepper_kid = arena_copy(arena, pg_text(rows, 0, 3)),
        .user.roles = arena_copy(arena, pg_text(rows, 0, 4)),
        .user.auth_ver = pg_i64(rows, 0, 5),
        .user.is_active = true,
        .user.is_verified = pg_bool(rows, 0, 6),
        .email = arena_copy(arena, pg_text(rows, 0, 7)),
        .locale = arena_copy(arena, pg_text(rows, 0, 8)),
        .email_canonical = arena_copy(arena, pg_text(rows, 0, 9)),
        .user.has_mfa = pg_bool(rows, 0, 10),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error one_time_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                              struct str purpose, struct one_time_holder *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    pg_bind_text(&args, purpose);
    TRY(pg_query(pg, &statements[ONE_TIME_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    return one_time_store_read_holder(&rows, arena, out);
}

void one_time_store_take(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[ONE_TIME_TAKE]), id);
}
