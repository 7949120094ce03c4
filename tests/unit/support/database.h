/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private PostgreSQL with the service's schema, and small questions to it. Floor store and above.
 */
#pragma once

#include "support/postgres.h"

#include "crypto.h"
#include "schema.h"

static struct test_postgres test_server;
static struct pg_options test_options; /* of a connection with every statement */
static struct pg *test_pg;             /* the main thread's own */

static inline void database_start(void)
{
    static unsigned char memory[SCHEMA_ARENA_BYTES];
    struct schema_report report;
    const char *why = "";
    struct arena arena;

    crypto_start();
    test_postgres_start(&test_server);
    test_options = (struct pg_options){
        .url = test_server.url,
        .application_name = "test",
        .tables = schema_statements,
        .table_count = schema_statements_count,
        .connect_timeout_ms = POSTGRES_CALL_MS,
    };
    arena_init(&arena, memory, sizeof(memory));
    if (schema_migrate(&test_options, &arena, clock_mono_ms() + 30000, &report, &why) != OK) {
        fail_msg("%s", why);
    }
    test_pg = pg_new(&test_options);
}

static inline void database_stop(void)
{
    pg_free(test_pg);
    test_postgres_stop(&test_server);
}

/* The connection, with the deadline set for the next call. */
static inline struct pg *database(void)
{
    pg_deadline(test_pg, clock_mono_ms() + POSTGRES_CALL_MS);
    return test_pg;
}

#define database_must(call)                                                                        \
    do {                                                                                           \
        const enum error error_ = (call);                                                          \
        if (error_ != OK) {                                                                        \
            fail_msg("%s: %s: %s", #call, error_code(error_), pg_message(test_pg));                \
        }                                                                                          \
    } while (0)

static inline void database_do(const char *sql)
{
    database_must(pg_execute(database(), sql));
}

/* A number that a statement gives: one row, one bigint. */
static inline int64_t database_number(const char *sql)
{
    static unsigned asked;
    char name[32];
    const struct pg_statement statement = {name, sql};
    const struct pg_statements table = {&statement, 1};
    const struct pg_statements *const tables[] = {&table};
    struct pg_options options = test_options;
    struct pg *pg;
    int64_t number;
    enum error error;
    PG_ROWS rows = {0};
    struct pg_args args = {0};

    (void)snprintf(name, sizeof(name), "test_%u", asked++);
    options.tables = tables;
    options.table_count = 1;
    pg = pg_new(&options);
    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    error = pg_query(pg, &statement, &args, &rows);
    if (error != OK) {
        fail_msg("%s: %s: %s", error_code(error), pg_message(pg), sql);
    }
    number = pg_i64(&rows, 0, 0);
    pg_free(pg);
    return number;
}

/* Until the number is as wanted; fails the test after ten seconds. */
static inline void database_await(const char *sql, int64_t wanted)
{
    const int64_t until_ms = clock_mono_ms() + 10000;
    int64_t got = database_number(sql);

    while (got != wanted) {
        if (clock_mono_ms() > until_ms) {
            fail_msg("got %lld, wanted %lld: %s", (long long)got, (long long)wanted, sql);
        }
        (void)poll(NULL, 0, 5);
        got = database_number(sql);
    }
}
