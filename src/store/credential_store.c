/* SPDX-License-Identifier: Apache-2.0 */
#include "credential_store.h"

enum { CREDENTIAL_GET, CREDENTIAL_REPLACE, CREDENTIAL_REHASH };

static const struct pg_statement statements[] = {
    [CREDENTIAL_GET] = {"credential_get",
                        "SELECT " ONE_TIME_STORE_HOLDER
                        " FROM sessions s, users u WHERE " USER_STORE_SESSION_COUNTS},
    [CREDENTIAL_REPLACE] =
        {"credential_replace",
         "WITH replaced AS ("
         " UPDATE users SET password_hash = $3, pepper_kid = $4, auth_ver = auth_ver + 1,"
         " email_verified_at = CASE WHEN $5 THEN coalesce(email_verified_at, clock_timestamp())"
         " ELSE email_verified_at END"
         " WHERE id = $1 AND auth_ver = $2 AND status = 'active'"
         " AND (NOT $5 OR (email_verified_at IS NOT NULL) = $6)"
         " RETURNING 1) SELECT expect_one(count(*)) FROM replaced"},
    [CREDENTIAL_REHASH] = {"credential_rehash",
                           "UPDATE users SET password_hash = $3, pepper_kid = $4"
                           " WHERE id = $1 AND password_hash = $2"},
};

const struct pg_statements credential_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

enum error credential_store_get(struct pg *pg, struct arena *arena,
                                const struct user_session *acting, struct one_time_holder *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, acting->session_id);
    pg_bind_i64(&args, acting->auth_ver);
    TRY(pg_query(pg, &statements[CREDENTIAL_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_UNAUTHENTICATED;
    }
    return one_time_store_read_holder(&rows, arena, out);
}

void credential_store_replace(struct pg_tx *tx, const struct credential_change *change)
{
    struct pg_args *args = pg_tx_add(tx, &statements[CREDENTIAL_REPLACE]);

    pg_bind_uuid(args, change->user_id);
    pg_bind_i64(args, change->auth_ver);
    pg_bind_text(args, change->password_phc);
    pg_bind_text_or_null(args, change->pepper_kid);
    pg_bind_bool(args, change->verifies);
    pg_bind_bool(args, change->was_verified);
}

enum error credential_store_rehash(struct pg *pg, struct uuid user_id, struct str old_phc,
                                   struct str new_phc, struct str pepper_kid)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, user_id);
    pg_bind_text(&args, old_phc);
    pg_bind_text(&args, new_phc);
    pg_bind_text_or_null(&args, pepper_kid);
    return pg_query(pg, &statements[CREDENTIAL_REHASH], &args, &rows);
}
