/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_store.h"

enum {
    ADMIN_ALL,
    ADMIN_ACTIVE,
    ADMIN_DISABLED,
    ADMIN_BY_EMAIL,
    ADMIN_GET,
    ADMIN_DISABLE,
    ADMIN_ENABLE,
    ADMIN_SET_ROLES
};

#define SELECT_USER                                                                                \
    "SELECT u.id, coalesce(u.subject, u.id::text), u.email, u.email_verified_at IS NOT NULL,"      \
    " u.name, u.locale, array_to_string(u.roles, ' '), u.status = 'active', u.auth_ver,"           \
    " u.created_at FROM users u WHERE "
#define PAGE "u.id < $1 ORDER BY u.id DESC LIMIT $2::bigint"
#define CHANGE(assignments, condition)                                                             \
    "WITH changed AS (UPDATE users u SET " assignments " WHERE u.id = $1"                          \
    " AND " condition " RETURNING 1) SELECT expect_one(count(*)) FROM changed"

static const struct pg_statement statements[] = {
    /* One for each index, since the plan of a prepared statement is one for all parameters. */
    [ADMIN_ALL] = {"admin_all", SELECT_USER PAGE},
    [ADMIN_ACTIVE] = {"admin_active", SELECT_USER "u.status = 'active' AND " PAGE},
    [ADMIN_DISABLED] = {"admin_disabled", SELECT_USER "u.status = 'disabled' AND " PAGE},
    [ADMIN_BY_EMAIL] = {"admin_by_email",
                        SELECT_USER "u.email_canonical = $3 AND ($4::text IS NULL OR u.status = $4)"
                                    " AND " PAGE},
    [ADMIN_GET] = {"admin_get", SELECT_USER "u.subject = $1 OR (u.subject IS NULL AND u.id = $2)"},
    [ADMIN_DISABLE] = {"admin_disable", CHANGE("status = 'disabled', auth_ver = u.auth_ver + 1",
                                               "u.status = 'active'")},
    [ADMIN_ENABLE] = {"admin_enable", CHANGE("status = 'active'", "u.status = 'disabled'")},
    [ADMIN_SET_ROLES] = {"admin_set_roles",
                         CHANGE("roles = string_to_array($2, ' '), auth_ver = u.auth_ver"
                                " + (NOT u.roles <@ string_to_array($2, ' '))::integer",
                                "array_to_string(u.roles, ' ') = $3 AND u.auth_ver = $4")},
};

const struct pg_statements admin_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

/* The one text of an id: another one that means the same is no `sub`. */
static bool is_own_text(struct str sub, struct uuid *id)
{
    char text[UUID_TEXT_BYTES];
    struct buf out = buf_over(text, sizeof(text));

    if (codec_uuid_parse(sub, id) != OK) {
        return false;
    }
    codec_uuid(&out, *id);
    return str_equal(buf_str(&out), sub);
}

static void bind_sub(struct pg_args *args, struct str sub)
{
    struct uuid id;

    pg_bind_text(args, sub);
    if (is_own_text(sub, &id)) {
        pg_bind_uuid(args, id);
        return;
    }
    pg_bind_null(args);
}

static struct admin_user read_user(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct admin_user){
        .id = pg_uuid(rows, row, 0),
        .sub = arena_copy(arena, pg_text(rows, row, 1)),
        .email = arena_copy(arena, pg_text(rows, row, 2)),
        .email_verified = pg_bool(rows, row, 3),
        .name = arena_copy(arena, pg_text(rows, row, 4)),
        .locale = arena_copy(arena, pg_text(rows, row, 5)),
        .roles = arena_copy(arena, pg_text(rows, row, 6)),
        .is_active = pg_bool(rows, row, 7),
        .auth_ver = pg_i64(rows, row, 8),
        .created_ms = pg_time_ms(rows, row, 9),
    };
}

static const struct pg_statement *statement_for(const struct admin_filter *filter)
{
    if (filter->email_canonical.len > 0) {
        return &statements[ADMIN_BY_EMAIL];
    }
    if (str_equal(filter->status, STR("disabled"))) {
        return &statements[ADMIN_DISABLED];
    }
    return &statements[filter->status.len > 0 ? ADMIN_ACTIVE : ADMIN_ALL];
}

enum error admin_store_list(struct pg *pg, struct arena *arena, const struct admin_filter *filter,
                            const struct keyset *keyset, struct admin_user *out,
                            struct keyset_found *found)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};
    int row = 0;

    keyset_bind(&args, keyset);
    if (filter->email_canonical.len > 0) {
        pg_bind_text(&args, filter->email_canonical);
        pg_bind_text_or_null(&args, filter->status);
    }
    TRY(pg_query(pg, statement_for(filter), &args, &rows));
    for (; keyset_takes(keyset, arena, &rows, row); row++) {
        out[row] = read_user(&rows, row, arena);
    }
    *found = (struct keyset_found){(size_t)row, row < rows.count};
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error admin_store_get(struct pg *pg, struct arena *arena, struct str sub,
                           struct admin_user *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    bind_sub(&args, sub);
    TRY(pg_query(pg, &statements[ADMIN_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = read_user(&rows, 0, arena);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void admin_store_disable(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[ADMIN_DISABLE]), id);
}

void admin_store_enable(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[ADMIN_ENABLE]), id);
}

void admin_store_set_roles(struct pg_tx *tx, const struct admin_user *seen, struct str roles)
{
    struct pg_args *args = pg_tx_add(tx, &statements[ADMIN_SET_ROLES]);

    pg_bind_uuid(args, seen->id);
    pg_bind_text(args, roles);
    pg_bind_text(args, seen->roles);
    pg_bind_i64(args, seen->auth_ver);
}
