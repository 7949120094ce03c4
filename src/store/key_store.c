/* SPDX-License-Identifier: Apache-2.0 */
#include "key_store.h"

enum {
    REGISTER_SIGNING,
    LIST_SIGNING,
    MARK_SIGNED,
    REVOKE,
    REGISTER_KEYRING,
    LIST_KEYRING,
    MARK_CURRENT,
    KEYRING_IN_USE
};

#define TELL(source, seconds)                                                                      \
    " INSERT INTO revocations (changed, expires_at)"                                               \
    " SELECT 'keys', clock_timestamp() + " seconds "::bigint * interval '1 second' FROM " source

static const struct pg_statement statements[] = {
    /* What was in no JWKS any more is as good as new. */
    [REGISTER_SIGNING] = {"key_register_signing",
                          "WITH added AS (INSERT INTO signing_keys AS k (kid, public_jwk)"
                          " VALUES ($1, $2) ON CONFLICT (kid) DO UPDATE"
                          " SET first_seen_at = clock_timestamp() WHERE k.revoked_at IS NULL"
                          " AND k.public_jwk = $2 AND greatest(k.last_signed_at,"
                          " k.first_seen_at + $4::bigint * interval '1 second')"
                          " + $3::bigint * interval '1 second' < clock_timestamp()"
                          " RETURNING 1)" TELL("added", "$3")},
    [LIST_SIGNING] = {"key_list_signing",
                      "SELECT k.kid, k.first_seen_at, k.last_signed_at, clock_timestamp(),"
                      " k.public_jwk, k.revoked_at FROM ("
                      " SELECT kid, first_seen_at, last_signed_at, public_jwk, revoked_at"
                      " FROM signing_keys ORDER BY coalesce(last_signed_at, first_seen_at) DESC"
                      " LIMIT $1::bigint) k ORDER BY k.first_seen_at DESC, k.kid"},
    [MARK_SIGNED] = {"key_mark_signed", "UPDATE signing_keys SET last_signed_at = clock_timestamp()"
                                        " WHERE kid = $1 AND revoked_at IS NULL RETURNING 1"},
    [REVOKE] = {"key_revoke",
                "WITH revoked AS (UPDATE signing_keys SET revoked_at = clock_timestamp()"
                " WHERE kid = $1 AND revoked_at IS NULL RETURNING 1), told AS (" TELL(
                    "revoked", "$2") ") SELECT expect_one(count(*)) FROM revoked"},
    [REGISTER_KEYRING] = {"key_register_keyring",
                          "INSERT INTO keyring_keys (kid) VALUES ($1) ON CONFLICT DO NOTHING"},
    [LIST_KEYRING] = {"key_list_keyring",
                      "SELECT k.kid, k.first_seen_at, k.last_current_at, clock_timestamp() FROM ("
                      " SELECT kid, first_seen_at, last_current_at FROM keyring_keys"
                      " ORDER BY coalesce(last_current_at, first_seen_at) DESC LIMIT $1::bigint) k"
                      " ORDER BY k.first_seen_at DESC, k.kid"},
    [MARK_CURRENT] = {"key_mark_current",
                      "UPDATE keyring_keys SET last_current_at = clock_timestamp()"
                      " WHERE kid = $1 RETURNING 1"},
    /* From id to id through the index, since there are few ids and many users. */
    [KEYRING_IN_USE] =
        {"keyring_in_use",
         "WITH RECURSIVE needed(kid) AS ("
         " (SELECT min(u.pepper_kid) FROM users u)"
         " UNION ALL SELECT (SELECT min(u.pepper_kid) FROM users u"
         " WHERE u.pepper_kid > needed.kid) FROM needed WHERE needed.kid IS NOT NULL)"
         ", sealing(kid) AS ("
         " (SELECT min(f.kid) FROM totp_factors f)"
         " UNION ALL SELECT (SELECT min(f.kid) FROM totp_factors f"
         " WHERE f.kid > sealing.kid) FROM sealing WHERE sealing.kid IS NOT NULL)"
         " SELECT kid FROM needed WHERE kid <> '.'" /* which stands for none */
         " UNION SELECT kid FROM sealing WHERE kid IS NOT NULL"
         " UNION SELECT kid FROM keyring_keys WHERE last_current_at"
         " > clock_timestamp() - $2::bigint * interval '1 second'"
         " LIMIT $1::bigint"},
};

const struct pg_statements key_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

/* Columns: kid, first_seen_at, last used, clock; then public_jwk, revoked_at of signing keys. */
static struct key_row read_row(const struct pg_rows *rows, int row, bool signs, struct arena *arena)
{
    return (struct key_row){
        .kid = arena_copy(arena, pg_text(rows, row, 0)),
        .first_seen_ms = pg_time_ms(rows, row, 1),
        .last_used_ms = pg_time_ms(rows, row, 2),
        .public_jwk = signs ? arena_copy(arena, pg_text(rows, row, 4)) : STR_EMPTY,
        .revoked_ms = signs ? pg_time_ms(rows, row, 5) : 0,
    };
}

static enum error list(struct pg *pg, unsigned statement, struct arena *arena, struct key_rows *out)
{
    struct key_rows found = {
        .items = arena_alloc_array(arena, KEY_STORE_ROWS_MAX, sizeof(struct key_row)),
    };
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    if (found.items == NULL) {
        return ERR_NO_SPACE;
    }
    pg_bind_i64(&args, KEY_STORE_ROWS_MAX);
    TRY(pg_query(pg, &statements[statement], &args, &rows));
    for (int row = 0; row < rows.count; row++) {
        found.now_ms = pg_time_ms(&rows, row, 3);
        found.items[found.count++] = read_row(&rows, row, statement == LIST_SIGNING, arena);
    }
    *out = found;
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

/* A change that says by a row that it found what it changes. */
static enum error change(struct pg *pg, unsigned statement, const struct pg_args *args)
{
    PG_ROWS rows = {0};

    TRY(pg_query(pg, &statements[statement], args, &rows));
    return rows.count == 1 ? OK : ERR_NOT_FOUND;
}

void key_store_register_signing(struct pg_tx *tx, const struct key_registration *key)
{
    struct pg_args *args = pg_tx_add(tx, &statements[REGISTER_SIGNING]);

    pg_bind_text(args, key->kid);
    pg_bind_text(args, key->public_jwk);
    pg_bind_i64(args, key->keep_s);
    pg_bind_i64(args, key->delay_s);
}

enum error key_store_list_signing(struct pg *pg, struct arena *arena, struct key_rows *out)
{
    return list(pg, LIST_SIGNING, arena, out);
}

enum error key_store_mark_signed(struct pg *pg, struct str kid)
{
    struct pg_args args = {0};

    pg_bind_text(&args, kid);
    return change(pg, MARK_SIGNED, &args);
}

void key_store_revoke(struct pg_tx *tx, struct str kid, int64_t told_s)
{
    struct pg_args *args = pg_tx_add(tx, &statements[REVOKE]);

    pg_bind_text(args, kid);
    pg_bind_i64(args, told_s);
}

void key_store_register_keyring(struct pg_tx *tx, struct str kid)
{
    pg_bind_text(pg_tx_add(tx, &statements[REGISTER_KEYRING]), kid);
}

enum error key_store_list_keyring(struct pg *pg, struct arena *arena, struct key_rows *out)
{
    return list(pg, LIST_KEYRING, arena, out);
}

enum error key_store_mark_current(struct pg *pg, struct str kid)
{
    struct pg_args args = {0};

    pg_bind_text(&args, kid);
    return change(pg, MARK_CURRENT, &args);
}

enum error key_store_keyring_in_use(struct pg *pg, struct arena *arena, int64_t used_s,
                                    struct key_rows *out)
{
    struct key_rows found = {
        .items = arena_alloc_array(arena, KEY_STORE_ROWS_MAX, sizeof(struct key_row)),
    };
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    if (found.items == NULL) {
        return ERR_NO_SPACE;
    }
    pg_bind_i64(&args, KEY_STORE_ROWS_MAX);
    pg_bind_i64(&args, used_s);
    TRY(pg_query(pg, &statements[KEYRING_IN_USE], &args, &rows));
    for (int row = 0; row < rows.count; row++) {
        found.items[found.count++] = (struct key_row){
            .kid = arena_copy(arena, pg_text(&rows, row, 0)),
        };
    }
    *out = found;
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}
