/* SPDX-License-Identifier: Apache-2.0 */
#include "support/postgres.h"

#include <pthread.h>

#include "crypto.h"
#include "schema.h"

enum { RACERS = 4, FRESH_MS = 30000 };

static struct test_postgres server;
static char url[192];
static unsigned databases;

/* Answers of one run. */
struct run {
    pthread_t thread;
    pthread_barrier_t *start;
    unsigned char memory[SCHEMA_ARENA_BYTES];
    int64_t timeout_ms;
    struct schema_report report;
    const char *why;
    enum error error;
};

static struct pg_options options(void)
{
    return (struct pg_options){
        .url = url,
        .application_name = "test",
        .tables = schema_statements,
        .table_count = schema_statements_count,
        .connect_timeout_ms = POSTGRES_CALL_MS,
    };
}

static void migrate_into(struct run *self)
{
    struct pg_options with = options();
    struct arena arena;

    arena_init(&arena, self->memory, sizeof(self->memory));
    self->report = (struct schema_report){-1, -1};
    self->why = NULL;
    self->error = schema_migrate(&with, &arena, clock_mono_ms() + self->timeout_ms, &self->report,
                                 &self->why);
}

static struct run *migrate(void)
{
    static struct run run;

    run.timeout_ms = FRESH_MS;
    migrate_into(&run);
    return &run;
}

static struct run *must_migrate(void)
{
    struct run *run = migrate();

    if (run->error != OK) {
        fail_msg("%s: %s", error_code(run->error), run->why == NULL ? "" : run->why);
    }
    return run;
}

/* Waits, as these tests do not look at deadlines. */
static int64_t number(const char *sql)
{
    const struct pg_options with = {.url = url, .connect_timeout_ms = POSTGRES_CALL_MS};
    const struct pg_statement statement = {.sql = sql};
    struct pg *pg = pg_new(&with);
    struct pg_args args = {0};
    PG_ROWS rows = {0};
    int64_t found;

    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    if (pg_query(pg, &statement, &args, &rows) != OK) {
        fail_msg("%s: %s", sql, pg_message(pg));
    }
    found = pg_i64(&rows, 0, 0);
    pg_free(pg);
    return found;
}

static void a_fresh_database_gets_all(void **state)
{
    struct run *run = must_migrate();

    (void)state;
    assert_true(run->report.applied >= 1);
    assert_true(run->report.version >= run->report.applied);
    assert_int_equal(number("SELECT count(*) FROM schema_migrations"), run->report.applied);
    assert_int_equal(number("SELECT count(*) FROM schema_migrations WHERE name ="
                            " '0001_accounts.sql' AND version = 1 AND length(sha256) = 32"
                            " AND applied_at <= clock_timestamp()"),
                     1);
    assert_int_equal(number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND"
                            " tablename IN ('users', 'sessions', 'outbox')"),
                     3);
}

static void the_second_run_applies_nothing(void **state)
{
    int64_t version = must_migrate()->report.version;
    struct run *run = must_migrate();

    (void)state;
    assert_int_equal(run->report.applied, 0);
    assert_int_equal(run->report.version, version);
}

static void *race(void *context)
{
    struct run *self = context;

    (void)pthread_barrier_wait(self->start);
    migrate_into(self);
    return NULL;
}

/* As replicas do that are started together. */
static void several_at_once_apply_it_once(void **state)
{
    static struct run runs[RACERS];
    pthread_barrier_t start;
    int64_t applied = 0;

    (void)state;
    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        runs[i].start = &start;
        runs[i].timeout_ms = FRESH_MS;
        assert_int_equal(pthread_create(&runs[i].thread, NULL, race, &runs[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(runs[i].thread, NULL), 0);
        if (runs[i].error != OK) {
            fail_msg("%s: %s", error_code(runs[i].error), runs[i].why == NULL ? "" : runs[i].why);
        }
        applied += runs[i].report.applied;
        assert_int_equal(runs[i].report.version, runs[0].report.version);
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
    assert_int_equal(applied, number("SELECT count(*) FROM schema_migrations"));
}

static void a_file_that_changed_is_refused(void **state)
{
    struct run *run;

    (void)state;
    (void)must_migrate();
    test_postgres_sql(url, "UPDATE schema_migrations SET sha256 = sha256(name::bytea)"
                           " WHERE version = 1");
    run = migrate();
    assert_int_equal(run->error, ERR_CONFIG);
    assert_non_null(strstr(run->why, "0001_accounts.sql"));
    assert_non_null(strstr(run->why, "must never change"));
    assert_int_equal(run->report.version, -1); /* untouched */
}

/* The binary was rolled back: expand and contract make that possible. */
static void a_newer_schema_is_taken(void **state)
{
    struct run *run;

    (void)state;
    (void)must_migrate();
    test_postgres_sql(url, "INSERT INTO schema_migrations (version, name, sha256) VALUES"
                           " (9998, '9998_later.sql', '\\x00'), (9999, '9999_later.sql', '\\x01')");
    run = must_migrate();
    assert_int_equal(run->report.applied, 0);
    assert_int_equal(run->report.version, 9999);
}

/* Half of a migration is none: everything of it is undone, and it can be tried again. */
static void a_migration_that_fails_leaves_nothing(void **state)
{
    struct run *run;

    (void)state;
    test_postgres_sql(url, "CREATE TABLE sessions (x integer)");
    run = migrate();
    assert_int_equal(run->error, ERR_CONFIG);
    assert_non_null(strstr(run->why, "0001_accounts.sql"));
    assert_non_null(strstr(run->why, "sessions"));
    assert_null(strchr(run->why, '\n'));
    assert_int_equal(number("SELECT count(*) FROM pg_tables WHERE tablename = 'users'"), 0);
    assert_int_equal(number("SELECT count(*) FROM schema_migrations"), 0);
    test_postgres_sql(url, "DROP TABLE sessions");
    assert_true(must_migrate()->report.applied >= 1);
}

/* The server notices in its own time that a connection has ended. */
static void await_no_advisory_lock(void)
{
    const int64_t until_ms = clock_mono_ms() + POSTGRES_CALL_MS;

    while (number("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != 0) {
        assert_true(clock_mono_ms() < until_ms);
        (void)poll(NULL, 0, 10);
    }
}

/* Another one holds the lock and does not give it back: nobody waits for ever. */
static void the_lock_is_waited_for_until_the_deadline(void **state)
{
    const struct pg_options with = {.url = url, .connect_timeout_ms = POSTGRES_CALL_MS};
    struct pg *holder = pg_new(&with);
    static struct run run;
    int64_t began_ms;

    (void)state;
    pg_deadline(holder, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_execute(holder, "SELECT pg_advisory_lock(8463219665822507880)"), OK);
    run.timeout_ms = 700;
    began_ms = clock_mono_ms();
    migrate_into(&run);
    assert_int_equal(run.error, ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - began_ms < 5000);
    assert_string_equal(run.why, "another instance is migrating the schema");
    assert_int_equal(number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), 0);
    pg_free(holder); /* and the lock with it */
    (void)must_migrate();
    await_no_advisory_lock();
}

/* The owner migrates; the service's own role may do no more than use what is there. */
static void a_role_without_ddl_starts_on_a_migrated_database(void **state)
{
    const struct pg_options with = {.url = url, .connect_timeout_ms = POSTGRES_CALL_MS};
    struct pg *owner = pg_new(&with);
    struct pg_options as_app = options();
    static struct run run;
    struct arena arena;

    (void)state;
    pg_deadline(owner, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_execute(owner, "DROP ROLE IF EXISTS app; CREATE ROLE app LOGIN;"
                                       " REVOKE CREATE ON SCHEMA public FROM PUBLIC"),
                     OK);
    as_app.user = "app";
    arena_init(&arena, run.memory, sizeof(run.memory));
    assert_int_equal(
        schema_migrate(&as_app, &arena, clock_mono_ms() + POSTGRES_CALL_MS, &run.report, &run.why),
        ERR_CONFIG);
    assert_non_null(strstr(run.why, "42501")); /* there is something to do, and it may not */
    arena_reset(&arena);
    (void)must_migrate();
    assert_int_equal(pg_execute(owner, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO app"), OK);
    assert_int_equal(
        schema_migrate(&as_app, &arena, clock_mono_ms() + POSTGRES_CALL_MS, &run.report, &run.why),
        OK);
    assert_int_equal(run.report.applied, 0);
    assert_int_equal(pg_execute(owner, "DROP OWNED BY app; DROP ROLE app"), OK);
    pg_free(owner);
}

static void a_database_that_is_away_is_told(void **state)
{
    static struct run run;

    (void)state;
    (void)snprintf(url, sizeof(url), "postgresql://owner@/postgres?host=%s/nowhere", server.folder);
    run.timeout_ms = 2000;
    migrate_into(&run);
    assert_int_equal(run.error, ERR_UNAVAILABLE);
}

static void a_database_that_does_not_exist_is_told(void **state)
{
    static struct run run;

    (void)state;
    (void)snprintf(url, sizeof(url), "postgresql://owner@/no_such?host=%s", server.folder);
    run.timeout_ms = 2000;
    migrate_into(&run);
    assert_true(run.error == ERR_UNAVAILABLE || run.error == ERR_CONFIG);
}

static void an_arena_that_is_too_small_is_told(void **state)
{
    static unsigned char memory[512];
    struct pg_options with = options();
    struct schema_report report = {-1, -1};
    const char *why = NULL;
    struct arena arena;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(schema_migrate(&with, &arena, clock_mono_ms() + FRESH_MS, &report, &why),
                     ERR_CONFIG);
    assert_non_null(why);
    assert_int_equal(report.applied, -1);
    assert_int_equal(number("SELECT count(*) FROM schema_migrations"), 0);
}

/* The contract of names, and what the design wants of tables. */
static void the_tables_are_of_the_design(void **state)
{
    (void)state;
    (void)must_migrate();
    /* no table but users is unique on anything but its id, so that the large ones can be split */
    assert_int_equal(number("SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
                            " JOIN pg_namespace n ON n.oid = c.relnamespace"
                            " WHERE n.nspname = 'public' AND i.indisunique AND NOT i.indisprimary"
                            " AND c.relname <> 'users'"),
                     0);
    /* two addresses are compared byte by byte, whatever the database's locale */
    assert_int_equal(number("SELECT count(*) FROM information_schema.columns WHERE column_name ="
                            " 'email_canonical' AND table_schema = 'public'"
                            " AND collation_name IS DISTINCT FROM 'C'"),
                     0);
    /* the columns that a rotation changes are in no index */
    assert_int_equal(number("SELECT count(*) FROM pg_index i JOIN pg_attribute a ON a.attrelid ="
                            " i.indrelid AND a.attnum = ANY (i.indkey) WHERE i.indrelid ="
                            " 'sessions'::regclass AND a.attname IN ('generation', 'token_hash',"
                            " 'prev_hash', 'idem_hash', 'rotated_at', 'idle_expires_at',"
                            " 'revoked_at')"),
                     0);
    assert_int_equal(number("SELECT count(*) FROM pg_class WHERE relname = 'sessions' AND"
                            " 'fillfactor=80' = ANY (reloptions)"),
                     1);
    /* small hot tables: autovacuum by threshold, not by scale */
    assert_int_equal(number("SELECT count(*) FROM pg_class WHERE relname IN ('outbox',"
                            " 'mail_requests') AND 'autovacuum_vacuum_scale_factor=0' ="
                            " ANY (reloptions)"),
                     2);
    assert_int_equal(number("SELECT count(*) FROM information_schema.columns WHERE table_name ="
                            " 'users' AND column_name LIKE '%last_login%'"),
                     0);
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    test_postgres_start(&server);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_postgres_stop(&server);
    return 0;
}

/* Each test has an empty database of its own. */
static int fresh_database(void **state)
{
    char sql[64];

    (void)state;
    (void)snprintf(sql, sizeof(sql), "CREATE DATABASE fresh_%u", ++databases);
    test_postgres_sql(server.url, sql);
    (void)snprintf(url, sizeof(url), "postgresql://owner@/fresh_%u?host=%s", databases,
                   server.folder);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, fresh_database)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_database_gets_all),
        TEST(the_second_run_applies_nothing),
        TEST(several_at_once_apply_it_once),
        TEST(several_at_once_apply_it_once),
        TEST(several_at_once_apply_it_once),
        TEST(a_file_that_changed_is_refused),
        TEST(a_newer_schema_is_taken),
        TEST(a_migration_that_fails_leaves_nothing),
        TEST(the_lock_is_waited_for_until_the_deadline),
        TEST(a_role_without_ddl_starts_on_a_migrated_database),
        TEST(a_database_that_is_away_is_told),
        TEST(a_database_that_does_not_exist_is_told),
        TEST(an_arena_that_is_too_small_is_told),
        TEST(the_tables_are_of_the_design),
    };

    return cmocka_run_group_tests_name("schema", tests, set_up, tear_down);
}
