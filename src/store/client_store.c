/* SPDX-License-Identifier: Apache-2.0 */
#include "client_store.h"

enum { CLIENT_INSERT, CLIENT_ROTATE, CLIENT_DISABLE, CLIENT_GET, CLIENT_LIST, CLIENT_ALL };

#define COLUMNS                                                                                    \
    "id, name, is_public, secret_hash, prev_secret_hash, array_to_string(audience, ' '),"          \
    " array_to_string(scope, ' '), created_at, rotated_at, disabled_at"

static const struct pg_statement statements[] = {
    [CLIENT_INSERT] =
        {"client_insert",
         "WITH made AS ("
         " INSERT INTO clients (id, name, is_public, secret_hash, audience, scope)"
         " SELECT $1, $2, $3, $4, string_to_array($5, ' '), string_to_array($6, ' ')"
         " WHERE (SELECT count(*) FROM (SELECT id FROM clients LIMIT $7::bigint) AS c)"
         " < $7::bigint RETURNING 1"
         ") SELECT expect_one(count(*)) FROM made"},
    [CLIENT_ROTATE] = {"client_rotate",
                       "WITH rotated AS ("
                       " UPDATE clients SET prev_secret_hash = secret_hash, secret_hash = $2,"
                       "  rotated_at = clock_timestamp()"
                       " WHERE id = $1 AND NOT is_public AND disabled_at IS NULL RETURNING 1"
                       ") SELECT expect_one(count(*)) FROM rotated"},
    [CLIENT_DISABLE] = {"client_disable", "WITH disabled AS ("
                                          " UPDATE clients SET disabled_at = clock_timestamp()"
                                          " WHERE id = $1 AND disabled_at IS NULL RETURNING 1"
                                          ") SELECT expect_one(count(*)) FROM disabled"},
    [CLIENT_GET] = {"client_get", "SELECT " COLUMNS " FROM clients WHERE id = $1"},
    [CLIENT_LIST] = {"client_list", "SELECT " COLUMNS " FROM clients"
                                    " WHERE id < $1 ORDER BY id DESC LIMIT $2::bigint"},
    [CLIENT_ALL] = {"client_all", "SELECT " COLUMNS " FROM clients ORDER BY id LIMIT $1::bigint"},
};

const struct pg_statements client_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void client_store_bind(struct pg_args *args, struct str client_id)
{
    struct uuid id;

    if (codec_uuid_parse(client_id, &id) == OK) {
        pg_bind_uuid(args, id);
    } else {
        pg_bind_null(args);
    }
}

void client_store_insert(struct pg_tx *tx, const struct client_row *row, int64_t count_max)
{
    struct pg_args *args = pg_tx_add(tx, &statements[CLIENT_INSERT]);

    pg_bind_uuid(args, row->id);
    pg_bind_text(args, row->name);
    pg_bind_bool(args, row->is_public);
    if (row->is_public) {
        pg_bind_null(args);
    } else {
        pg_bind_bytes(args, row->secret_hash);
    }
    pg_bind_text(args, row->audience);
    pg_bind_text(args, row->scope);
    pg_bind_i64(args, count_max);
}

void client_store_rotate(struct pg_tx *tx, struct uuid id, struct str secret_hash)
{
    struct pg_args *args = pg_tx_add(tx, &statements[CLIENT_ROTATE]);

    pg_bind_uuid(args, id);
    pg_bind_bytes(args, secret_hash);
}

void client_store_disable(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[CLIENT_DISABLE]), id);
}

static struct client_row read_row(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct client_row){
        .id = pg_uuid(rows, row, 0),
        .name = arena_copy(arena, pg_text(rows, row, 1)),
        .is_public = pg_bool(rows, row, 2),
        .secret_hash = arena_copy(arena, pg_text(rows, row, 3)),
        .prev_secret_hash = arena_copy(arena, pg_text(rows, row, 4)),
        .audience = arena_copy(arena, pg_text(rows, row, 5)),
        .scope = arena_copy(arena, pg_text(rows, row, 6)),
        .created_ms = pg_time_ms(rows, row, 7),
        .rotated_ms = pg_time_ms(rows, row, 8),
        .disabled_ms = pg_time_ms(rows, row, 9),
    };
}

enum error client_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                            struct client_row *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    TRY(pg_query(pg, &statements[CLIENT_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = read_row(&rows, 0, arena);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error client_store_list(struct pg *pg, struct arena *arena, const struct keyset *keyset,
                             struct client_row *out, struct keyset_found *found)
{
    int row = 0;
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    keyset_bind(&args, keyset);
    TRY(pg_query(pg, &statements[CLIENT_LIST], &args, &rows));
    for (; keyset_takes(keyset, arena, &rows, row); row++) {
        out[row] = read_row(&rows, row, arena);
    }
    *found = (struct keyset_found){(size_t)row, row < rows.count};
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error client_store_all(struct pg *pg, struct arena *arena, size_t max, struct client_row **out,
                            size_t *count)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};
    struct client_row *all;

    pg_bind_i64(&args, (int64_t)max);
    TRY(pg_query(pg, &statements[CLIENT_ALL], &args, &rows));
    all = arena_alloc_array(arena, (size_t)rows.count, sizeof(*all));
    if (all == NULL) {
        return ERR_NO_SPACE;
    }
    for (int row = 0; row < rows.count; row++) {
        all[row] = read_row(&rows, row, arena);
    }
    if (arena_overflowed(arena)) {
        return ERR_NO_SPACE;
    }
    *out = all;
    *count = (size_t)rows.count;
    return OK;
}
