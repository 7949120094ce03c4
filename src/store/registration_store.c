/* SPDX-License-Identifier: Apache-2.0 */
#include "registration_store.h"

enum { REGISTRATION_INSERT, REGISTRATION_GET, REGISTRATION_TAKE };

static const struct pg_statement statements[] = {
    [REGISTRATION_INSERT] = {"registration_insert",
                             "INSERT INTO registrations (id, user_id, email, email_canonical, "
                             "password_hash, pepper_kid,"
                             " name, locale, expires_at)"
                             " VALUES ($1, $2, $3, $4, $5, $6, $7, $8,"
                             " clock_timestamp() + $9::bigint * interval '1 second')"},
    [REGISTRATION_GET] = {"registration_get",
                          "SELECT user_id, email, email_canonical, password_hash, pepper_kid, name,"
                          " locale FROM registrations"
                          " WHERE id = $1 AND expires_at > clock_timestamp()"},
    [REGISTRATION_TAKE] = {"registration_take",
                           "WITH taken AS ("
                           " DELETE FROM registrations WHERE id = $1 RETURNING 1"
                           ") SELECT expect_one(count(*)) FROM taken"},
};

const struct pg_statements registration_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void registration_store_insert(struct pg_tx *tx, const struct registration *row, int64_t ttl_s)
{
    struct pg_args *args = pg_tx_add(tx, &statements[REGISTRATION_INSERT]);

    pg_bind_uuid(args, row->id);
    pg_bind_uuid(args, row->user_id);
    pg_bind_text(args, row->email);
    pg_bind_text(args, row->email_canonical);
    pg_bind_text(args, row->password_phc);
    pg_bind_text_or_null(args, row->pepper_kid);
    pg_bind_text_or_null(args, row->name);
    pg_bind_text_or_null(args, row->locale);
    pg_bind_i64(args, ttl_s);
}

enum error registration_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                  struct registration *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    TRY(pg_query(pg, &statements[REGISTRATION_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = (struct registration){
        .id = id,
        .user_id = pg_uuid(&rows, 0, 0),
        .email = arena_copy(arena, pg_text(&rows, 0, 1)),
        .email_canonical = arena_copy(arena, pg_text(&rows, 0, 2)),
        .password_phc = arena_copy(arena, pg_text(&rows, 0, 3)),
        .pepper_kid = arena_copy(arena, pg_text(&rows, 0, 4)),
        .name = arena_copy(arena, pg_text(&rows, 0, 5)),
        .locale = arena_copy(arena, pg_text(&rows, 0, 6)),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void registration_store_take(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[REGISTRATION_TAKE]), id);
}
