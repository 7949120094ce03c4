/* SPDX-License-Identifier: Apache-2.0 */
#include "user_store.h"

enum { USER_FIND_LOGIN, USER_INSERT, USER_VERIFY_EMAIL, USER_PROFILE, USER_PATCH };

#define PROFILE_COLUMNS                                                                            \
    "coalesce(u.subject, u.id::text), u.email, u.email_verified_at IS NOT NULL, u.name, u.locale," \
    " array_to_string(u.roles, ' '), u.created_at"

static const struct pg_statement statements[] = {
    [USER_FIND_LOGIN] =
        {"user_find_login",
         "SELECT " THROTTLE_STORE_STATE(
             "$2", "$3") ", u.id, coalesce(u.subject, u.id::text), u.password_hash, u.pepper_kid,"
                         " array_to_string(u.roles, ' '), u.auth_ver, u.status = 'active',"
                         " u.email_verified_at IS NOT NULL, " USER_STORE_HAS_MFA
                         " FROM (VALUES (1)) AS one LEFT JOIN users u ON u.email_canonical = $1"},
    [USER_INSERT] =
        {"user_insert",
         "INSERT INTO users (id, email, email_canonical, email_verified_at,"
         " password_hash, pepper_kid, name, locale, created_at)"
         " VALUES ($1, $2, $3, CASE WHEN $4 THEN clock_timestamp() END, $5, $6, $7, $8, $9)"},
    [USER_VERIFY_EMAIL] = {"user_verify_email",
                           "WITH verified AS ("
                           " UPDATE users SET email_verified_at = clock_timestamp()"
                           " WHERE id = $1 AND auth_ver = $2 AND status = 'active'"
                           " AND email_verified_at IS NULL RETURNING 1"
                           ") SELECT expect_one(count(*)) FROM verified"},
    [USER_PROFILE] = {"user_profile", "SELECT " PROFILE_COLUMNS
                                      " FROM sessions s, users u WHERE " USER_STORE_SESSION_COUNTS},
    [USER_PATCH] = {"user_patch", "UPDATE users u SET name = CASE WHEN $3 THEN $4 ELSE u.name END,"
                                  " locale = CASE WHEN $5 THEN $6 ELSE u.locale END"
                                  " FROM sessions s WHERE " USER_STORE_SESSION_COUNTS
                                  " RETURNING " PROFILE_COLUMNS},
};

const struct pg_statements user_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

enum error user_store_find_login(struct pg *pg, struct arena *arena, struct str email_canonical,
                                 struct throttle_look *throttle, struct user_login *out)
{
    enum { USER = THROTTLE_STORE_COLUMNS };
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_text(&args, email_canonical);
    throttle_store_bind(&args, &throttle->keys);
    TRY(pg_query(pg, &statements[USER_FIND_LOGIN], &args, &rows));
    throttle->state = throttle_store_read(&rows, 0);
    if (pg_is_null(&rows, 0, USER)) {
        return ERR_NOT_FOUND;
    }
    *out = (struct user_login){
        .id = pg_uuid(&rows, 0, USER),
        .sub = arena_copy(arena, pg_text(&rows, 0, USER + 1)),
        .password_phc = arena_copy(arena, pg_text(&rows, 0, USER + 2)),
        .pepper_kid = arena_copy(arena, pg_text(&rows, 0, USER + 3)),
        .roles = arena_copy(arena, pg_text(&rows, 0, USER + 4)),
        .auth_ver = pg_i64(&rows, 0, USER + 5),
        .is_active = pg_bool(&rows, 0, USER + 6),
        .is_verified = pg_bool(&rows, 0, USER + 7),
        .has_mfa = pg_bool(&rows, 0, USER + 8),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void user_store_insert(struct pg_tx *tx, const struct user_new *user)
{
    struct pg_args *args = pg_tx_add(tx, &statements[USER_INSERT]);

    pg_bind_uuid(args, user->id);
    pg_bind_text(args, user->email);
    pg_bind_text(args, user->email_canonical);
    pg_bind_bool(args, user->is_verified);
    pg_bind_text(args, user->password_phc);
    pg_bind_text_or_null(args, user->pepper_kid);
    pg_bind_text_or_null(args, user->name);
    pg_bind_text_or_null(args, user->locale);
    pg_bind_time(args, user->created_ms);
}

void user_store_verify_email(struct pg_tx *tx, struct uuid id, int64_t auth_ver)
{
    struct pg_args *args = pg_tx_add(tx, &statements[USER_VERIFY_EMAIL]);

    pg_bind_uuid(args, id);
    pg_bind_i64(args, auth_ver);
}

static enum error read_profile(const struct pg_rows *rows, struct arena *arena,
                               struct user_profile *out)
{
    if (rows->count == 0) {
        return ERR_UNAUTHENTICATED;
    }
    *out = (struct user_profile){
        .sub = arena_copy(arena, pg_text(rows, 0, 0)),
        .email = arena_copy(arena, pg_text(rows, 0, 1)),
        .email_verified = pg_bool(rows, 0, 2),
        .name = arena_copy(arena, pg_text(rows, 0, 3)),
        .locale = arena_copy(arena, pg_text(rows, 0, 4)),
        .roles = arena_copy(arena, pg_text(rows, 0, 5)),
        .created_ms = pg_time_ms(rows, 0, 6),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error user_store_profile(struct pg *pg, struct arena *arena,
                              const struct user_session *session, struct user_profile *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, session->session_id);
    pg_bind_i64(&args, session->auth_ver);
    TRY(pg_query(pg, &statements[USER_PROFILE], &args, &rows));
    return read_profile(&rows, arena, out);
}

enum error user_store_patch(struct pg *pg, struct arena *arena, const struct user_session *session,
                            const struct user_patch *patch, struct user_profile *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, session->session_id);
    pg_bind_i64(&args, session->auth_ver);
    pg_bind_bool(&args, patch->has_name);
    pg_bind_text_or_null(&args, patch->name);
    pg_bind_bool(&args, patch->has_locale);
    pg_bind_text_or_null(&args, patch->locale);
    TRY(pg_query(pg, &statements[USER_PATCH], &args, &rows));
    return read_profile(&rows, arena, out);
}
