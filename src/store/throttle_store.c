/* SPDX-License-Identifier: Apache-2.0 */
#include "throttle_store.h"

enum { THROTTLE_GET, THROTTLE_FAIL, THROTTLE_SUCCEED, THROTTLE_RESTART };

_Static_assert(THROTTLE_NETWORK_FAILS_MAX == 5 && THROTTLE_NETWORK_S == 900, "as in the SQL below");
_Static_assert(THROTTLE_ADDRESS_FAILS_MAX == 100 && THROTTLE_ADDRESS_DAYS_MAX == 30, "likewise");
_Static_assert(THROTTLE_KNOWN_S == 30 * 86400, "likewise");

/* Of the 16 bytes of an address: what begins with them. */
#define KEYS_OF_ADDRESSES(table)                                                                   \
    "unnest($1::text::bytea[]) AS a (key) WHERE octet_length(a.key) = 16"                          \
    " AND " table ".key BETWEEN a.key AND a.key || '\\xffffffffffffffffffffffffffffffffff'::bytea"

static const struct pg_statement statements[] = {
    [THROTTLE_GET] = {"throttle_get", "SELECT " THROTTLE_STORE_STATE("$1", "$2")},
    [THROTTLE_FAIL] = {"throttle_fail",
                       "WITH network AS ("
                       " INSERT INTO throttle AS t (key, fails, until)"
                       " VALUES ($2, 1, clock_timestamp() + interval '900 s')"
                       " ON CONFLICT (key) DO UPDATE SET until = excluded.until,"
                       " fails = CASE WHEN t.until > clock_timestamp() THEN t.fails + 1 ELSE 1 END"
                       " WHERE t.fails < 5 OR t.until <= clock_timestamp() RETURNING 1"
                       "), address AS ("
                       " INSERT INTO throttle AS t (key, fails, until)"
                       " SELECT $1, 1, clock_timestamp() + interval '1 day' FROM network"
                       " ON CONFLICT (key) DO UPDATE SET"
                       " fails = CASE WHEN t.until > clock_timestamp() THEN t.fails + 1 ELSE 1 END,"
                       " until = CASE WHEN t.until > clock_timestamp()"
                       " THEN clock_timestamp() + least(t.fails + 1, 30) * interval '1 day'"
                       " ELSE excluded.until END"
                       " WHERE t.fails < 100 OR t.until <= clock_timestamp() OR $3 RETURNING 1"
                       ") SELECT expect_one(count(*)) FROM address"},
    [THROTTLE_SUCCEED] =
        {"throttle_succeed",
         "WITH mine AS ("
         " SELECT key, fails, until FROM throttle WHERE key = ANY ($1::text::bytea[])"
         " ORDER BY octet_length(key) DESC, key FOR UPDATE"
         "), counted AS ("
         " SELECT coalesce(sum(fails) FILTER (WHERE octet_length(key) = 32), 0) AS network,"
         " coalesce(sum(fails) FILTER (WHERE octet_length(key) = 16), 0) AS address"
         " FROM mine WHERE until > clock_timestamp()"
         "), ended AS ("
         " DELETE FROM throttle t USING mine WHERE t.key = mine.key"
         "), noted AS ("
         " INSERT INTO known_networks AS n (key, until)"
         " SELECT $3, clock_timestamp() + interval '30 days' WHERE $4"
         " ON CONFLICT (key) DO UPDATE SET until = excluded.until"
         ") SELECT expect_one(count(*)) FROM counted WHERE network < 5 AND (address < 100 OR $5"
         " OR EXISTS (SELECT FROM known_networks k WHERE k.key = ANY ($2::text::bytea[])"
         " AND k.until > clock_timestamp()))"},
    [THROTTLE_RESTART] =
        {"throttle_restart",
         "WITH mine AS ("
         " SELECT t.key FROM throttle t, " KEYS_OF_ADDRESSES(
             "t") " ORDER BY octet_length(t.key) DESC, t.key FOR UPDATE OF t"
                  "), ended AS ("
                  " DELETE FROM throttle t USING mine WHERE t.key = mine.key"
                  "), forgotten AS ("
                  " DELETE FROM known_networks n USING " KEYS_OF_ADDRESSES(
                      "n") " AND n.key <> $2"
                           ") INSERT INTO known_networks (key, until)"
                           " VALUES ($2, clock_timestamp() + interval '30 days')"
                           " ON CONFLICT (key) DO UPDATE SET until = excluded.until"},
};

const struct pg_statements throttle_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void throttle_store_bind(struct pg_args *args, const struct throttle_keys *keys)
{
    pg_bind_text(args, keys->all);
    pg_bind_text(args, keys->networks);
}

struct throttle_state throttle_store_read(const struct pg_rows *rows, int column)
{
    const int64_t known_s = pg_i64(rows, 0, column + 3);

    return (struct throttle_state){
        .network_fails = pg_i64(rows, 0, column),
        .network_wait_ms = pg_i64(rows, 0, column + 1),
        .address_fails = pg_i64(rows, 0, column + 2),
        .is_known = known_s > 0,
        .is_fresh = known_s > THROTTLE_KNOWN_FRESH_S,
    };
}

enum error throttle_store_get(struct pg *pg, const struct throttle_keys *keys,
                              struct throttle_state *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    throttle_store_bind(&args, keys);
    TRY(pg_query(pg, &statements[THROTTLE_GET], &args, &rows));
    *out = throttle_store_read(&rows, 0);
    return OK;
}

enum error throttle_store_fail(struct pg *pg, const struct throttle_keys *keys, bool any_network)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_bytes(&args, keys->address);
    pg_bind_bytes(&args, keys->network);
    pg_bind_bool(&args, any_network);
    return pg_query(pg, &statements[THROTTLE_FAIL], &args, &rows);
}

void throttle_store_succeed(struct pg_tx *tx, const struct throttle_success *success)
{
    struct pg_args *args = pg_tx_add(tx, &statements[THROTTLE_SUCCEED]);

    throttle_store_bind(args, success->keys);
    pg_bind_bytes(args, success->keys->network);
    pg_bind_bool(args, success->notes);
    pg_bind_bool(args, success->any_network);
}

void throttle_store_restart(struct pg_tx *tx, const struct throttle_keys *keys)
{
    struct pg_args *args = pg_tx_add(tx, &statements[THROTTLE_RESTART]);

    pg_bind_text(args, keys->all);
    pg_bind_bytes(args, keys->network);
}
