/* SPDX-License-Identifier: Apache-2.0 */
#include "mfa_login_store.h"

#include "client_store.h"

enum { MFA_LOGIN_INSERT, MFA_LOGIN_GET, MFA_LOGIN_TAKE };

static const struct pg_statement statements[] = {
    [MFA_LOGIN_INSERT] =
        {"mfa_login_insert",
         "WITH made AS (INSERT INTO mfa_logins (id, user_id, auth_ver, client_id, amr, expires_at)"
         " SELECT $3, u.id, $2, $4, string_to_array($5, ' '),"
         " clock_timestamp() + $6::bigint * interval '1 second'"
         " FROM users u WHERE u.id = $1 AND u.status = 'active' AND u.auth_ver = $2 RETURNING 1"
         ") SELECT expect_one(count(*)) FROM made"},
    [MFA_LOGIN_GET] =
        {"mfa_login_get",
         "SELECT u.id, coalesce(u.subject, u.id::text), array_to_string(u.roles, ' '),"
         " u.auth_ver, u.email_verified_at IS NOT NULL, " USER_STORE_HAS_MFA ","
         " l.client_id, array_to_string(l.amr, ' ')"
         " FROM mfa_logins l JOIN users u ON u.id = l.user_id"
         " WHERE l.id = $1 AND l.expires_at > clock_timestamp()"
         " AND u.auth_ver = l.auth_ver AND u.status = 'active'"
         " AND " CLIENT_STORE_COUNTS(
             "CASE WHEN l.client_id ~ '^[0-9a-f-]{36}$' THEN l.client_id::uuid END")},
    [MFA_LOGIN_TAKE] = {"mfa_login_take", "WITH taken AS ("
                                          " DELETE FROM mfa_logins WHERE id = $1 RETURNING 1"
                                          ") SELECT expect_one(count(*)) FROM taken"},
};

const struct pg_statements mfa_login_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void mfa_login_store_insert(struct pg_tx *tx, const struct mfa_login_row *row)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MFA_LOGIN_INSERT]);

    pg_bind_uuid(args, row->user_id);
    pg_bind_i64(args, row->auth_ver);
    pg_bind_uuid(args, row->id);
    pg_bind_text(args, row->client_id);
    pg_bind_text(args, row->amr);
    pg_bind_i64(args, row->ttl_s);
}

enum error mfa_login_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                               struct mfa_login_holder *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    TRY(pg_query(pg, &statements[MFA_LOGIN_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = (struct mfa_login_holder){
        .user = {.id = pg_uuid(&rows, 0, 0),
                 .sub = arena_copy(arena, pg_text(&rows, 0, 1)),
                 .roles = arena_copy(arena, pg_text(&rows, 0, 2)),
                 .auth_ver = pg_i64(&rows, 0, 3),
                 .is_active = true,
                 .is_verified = pg_bool(&rows, 0, 4),
                 .has_mfa = pg_bool(&rows, 0, 5)},
        .client_id = arena_copy(arena, pg_text(&rows, 0, 6)),
        .amr = arena_copy(arena, pg_text(&rows, 0, 7)),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void mfa_login_store_take(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[MFA_LOGIN_TAKE]), id);
}
