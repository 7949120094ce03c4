/* SPDX-License-Identifier: Apache-2.0 */
/* Against a real PostgreSQL. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>

#include "clock.h"
#include "crypto.h"
#include "pg.h"
#include "pg_link.h"
#include "support/postgres.h"

enum { CALL_MS = 10000, SHORT_MS = 300 };

static struct test_postgres server;

static const char schema[] =
    "CREATE TABLE things (id uuid PRIMARY KEY, label text CONSTRAINT things_label UNIQUE,"
    " raw bytea, big bigint, small smallint, normal integer, flag boolean, at timestamptz);"
    "CREATE TABLE counters (id bigint PRIMARY KEY, value bigint NOT NULL);"
    "INSERT INTO counters VALUES (1, 0), (2, 0);"
    "CREATE TABLE late (id bigint UNIQUE DEFERRABLE INITIALLY DEFERRED);"
    "CREATE FUNCTION expect_one(n bigint) RETURNS void LANGUAGE plpgsql AS $$"
    " BEGIN IF n <> 1 THEN RAISE EXCEPTION 'expected one row' USING ERRCODE = 'US001'; END IF;"
    " END $$;"
    "CREATE FUNCTION fail_with(code text) RETURNS void LANGUAGE plpgsql AS $$"
    " BEGIN RAISE EXCEPTION 'made to fail' USING ERRCODE = code; END $$;"
    "CREATE FUNCTION chatter() RETURNS void LANGUAGE plpgsql AS $$"
    " BEGIN RAISE NOTICE 'nobody reads this'; END $$;";

enum {
    INSERT,
    SELECT,
    ECHO,
    COUNT,
    SLEEP,
    BUMP,
    BUMP_ONE,
    CONFLICT_LATE,
    FAIL,
    CHATTER,
    SETTING,
    BIG_TEXT,
    TERMINATE,
    STATEMENTS,
};

static const struct pg_statement statements[STATEMENTS] = {
    [INSERT] = {"insert", "INSERT INTO things (id, label, raw, big, small, normal, flag, at)"
                          " VALUES ($1, $2, $3, $4, ($5::bigint)::smallint, ($6::bigint)::integer,"
                          " $7, $8)"},
    [SELECT] = {"select", "SELECT id, label, raw, big, small, normal, flag, at FROM things"
                          " WHERE id = $1"},
    [ECHO] = {"echo", "SELECT $1::text, $2::timestamptz, to_char($2::timestamptz AT TIME ZONE"
                      " 'UTC', 'YYYY-MM-DD HH24:MI:SS.US'), $3::bigint"},
    [COUNT] = {"count", "SELECT count(*) FROM things"},
    [SLEEP] = {"sleep", "SELECT pg_sleep(30)"},
    [BUMP] = {"bump", "UPDATE counters SET value = value + 1 WHERE id = $1"},
    [BUMP_ONE] = {"bump_one", "WITH hit AS (UPDATE counters SET value = value + 1 WHERE id = $1"
                              " RETURNING 1) SELECT expect_one(count(*)) FROM hit"},
    [CONFLICT_LATE] = {"conflict_late", "INSERT INTO late VALUES ($1)"},
    [FAIL] = {"fail", "SELECT fail_with($1)"},
    [CHATTER] = {"chatter", "SELECT chatter()"},
    [SETTING] = {"setting", "SELECT current_setting($1)"},
    [BIG_TEXT] = {"big_text", "SELECT repeat($1, 1000000), length($2)"},
    [TERMINATE] = {"terminate", "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                                " WHERE application_name = $1"},
};

static const struct pg_statements table = {statements, STATEMENTS};
static const struct pg_statements *const tables[] = {&table};

static void server_stop(void)
{
    assert_int_equal(kill(server.pid, SIGQUIT), 0);
    assert_int_equal(waitpid(server.pid, NULL, 0), server.pid);
    server.pid = 0;
}

static void server_start(void)
{
    char *arguments[] = {(char[]){"postgres"},
                         (char[]){"-D"},
                         server.data,
                         (char[]){"-k"},
                         server.folder,
                         (char[]){"-c"},
                         (char[]){"listen_addresses="},
                         NULL};

    server.pid = test_postgres_run(&server, arguments);
}

static struct pg *new_pg(const char *name)
{
    const struct pg_options options = {.url = server.url,
                                       .application_name = name,
                                       .tables = tables,
                                       .table_count = 1,
                                       .connect_timeout_ms = CALL_MS};
    struct pg *pg = pg_new(&options);

    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    return pg;
}

static void pg_close(struct pg **pg)
{
    pg_free(*pg);
}

#define PG __attribute__((cleanup(pg_close))) struct pg

static void assert_ok(struct pg *pg, enum error error)
{
    if (error != OK) {
        fail_msg("%s: %s", error_code(error), pg_message(pg));
    }
}

static int64_t number_of(struct pg *pg, const char *sql)
{
    const struct pg_statement statement = {.sql = sql}; /* without a name: not prepared */
    const struct pg_args none = {.count = 0};
    PG_ROWS rows = {.result = NULL};

    assert_ok(pg, pg_query(pg, &statement, &none, &rows));
    assert_int_equal(rows.count, 1);
    return pg_i64(&rows, 0, 0);
}

static void bind_thing(struct pg_args *args, struct uuid id, struct str label)
{
    pg_bind_uuid(args, id);
    pg_bind_text_or_null(args, label);
    pg_bind_bytes(args, (struct str){"\0\xff\x80z", 4});
    pg_bind_i64(args, INT64_MIN);
    pg_bind_i64(args, -32768);
    pg_bind_i64(args, INT32_MAX);
    pg_bind_bool(args, true);
    pg_bind_time(args, 1767225599123);
}

static void every_type_both_ways(void **state)
{
    PG *pg = new_pg("types");
    struct uuid id = crypto_uuid7(clock_wall_ms());
    struct pg_args args = {.count = 0};
    struct pg_args by_id = {.count = 0};
    PG_ROWS none = {.result = NULL};
    PG_ROWS rows = {.result = NULL};

    (void)state;
    bind_thing(&args, id, STR("gr\xc3\xbc\xc3\x9f"));
    assert_ok(pg, pg_query(pg, &statements[INSERT], &args, &none));
    assert_int_equal(none.count, 0);
    pg_bind_uuid(&by_id, id);
    assert_ok(pg, pg_query(pg, &statements[SELECT], &by_id, &rows));
    assert_int_equal(rows.count, 1);
    assert_true(uuid_equal(pg_uuid(&rows, 0, 0), id));
    assert_str_equal(pg_text(&rows, 0, 1), STR("gr\xc3\xbc\xc3\x9f"));
    assert_str_equal(pg_text(&rows, 0, 2), ((struct str){"\0\xff\x80z", 4}));
    assert_true(pg_i64(&rows, 0, 3) == INT64_MIN);
    assert_int_equal(pg_i64(&rows, 0, 4), -32768);
    assert_int_equal(pg_i64(&rows, 0, 5), INT32_MAX);
    assert_true(pg_bool(&rows, 0, 6));
    assert_true(pg_time_ms(&rows, 0, 7) == 1767225599123);
    assert_false(pg_is_null(&rows, 0, 7));
}

static void nulls_both_ways(void **state)
{
    PG *pg = new_pg("nulls");
    struct uuid id = crypto_uuid4();
    struct uuid nil = {{0}};
    struct pg_args args = {.count = 0};
    struct pg_args by_id = {.count = 0};
    PG_ROWS none = {.result = NULL};
    PG_ROWS rows = {.result = NULL};

    (void)state;
    pg_bind_uuid(&args, id);
    pg_bind_text_or_null(&args, STR_EMPTY);
    for (int i = 2; i < 8; i++) {
        pg_bind_null(&args);
    }
    assert_ok(pg, pg_query(pg, &statements[INSERT], &args, &none));
    pg_bind_uuid(&by_id, id);
    assert_ok(pg, pg_query(pg, &statements[SELECT], &by_id, &rows));
    for (int column = 1; column < 8; column++) {
        assert_true(pg_is_null(&rows, 0, column));
    }
    assert_int_equal(pg_text(&rows, 0, 1).len, 0);
    assert_non_null(pg_text(&rows, 0, 1).ptr);
    assert_true(uuid_equal(pg_uuid(&rows, 0, 1), nil));
    assert_int_equal(pg_i64(&rows, 0, 3), 0);
    assert_false(pg_bool(&rows, 0, 6));
    assert_int_equal(pg_time_ms(&rows, 0, 7), 0);
}

/* An empty text is not NULL, whatever its pointer; a time before 2000 is rounded down. */
static void edges_both_ways(void **state)
{
    static const struct {
        int64_t ms;
        const char *text;
    } times[] = {
        {0, "1970-01-01 00:00:00.000000"},
        {-1, "1969-12-31 23:59:59.999000"},
        {946684800000, "2000-01-01 00:00:00.000000"},
        {946684799999, "1999-12-31 23:59:59.999000"},
        {253402300799999, "9999-12-31 23:59:59.999000"},
    };
    PG *pg = new_pg("edges");

    (void)state;
    for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
        struct pg_args args = {.count = 0};
        PG_ROWS rows = {.result = NULL};

        pg_bind_text(&args, (struct str){NULL, 0});
        pg_bind_time(&args, times[i].ms);
        pg_bind_i64(&args, -1);
        assert_ok(pg, pg_query(pg, &statements[ECHO], &args, &rows));
        assert_false(pg_is_null(&rows, 0, 0));
        assert_true(pg_time_ms(&rows, 0, 1) == times[i].ms);
        assert_str_equal(pg_text(&rows, 0, 2), str_from(times[i].text));
        assert_int_equal(pg_i64(&rows, 0, 3), -1);
    }
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

/* Down, not towards zero, on both sides of both epochs. */
static void microseconds_are_rounded_down(void **state)
{
    static const struct pg_statement times = {
        .sql = "SELECT timestamptz '1969-12-31 23:59:59.9995Z', '1999-12-31 23:59:59.9999Z'"
               "::timestamptz, timestamptz '2001-01-01 00:00:00.0009Z'"};
    PG *pg = new_pg("times");
    const struct pg_args none = {.count = 0};
    PG_ROWS rows = {.result = NULL};

    (void)state;
    assert_ok(pg, pg_query(pg, &times, &none, &rows));
    assert_true(pg_time_ms(&rows, 0, 0) == -1);
    assert_true(pg_time_ms(&rows, 0, 1) == 946684799999);
    assert_true(pg_time_ms(&rows, 0, 2) == 978307200000);
}

static void session_is_set_up(void **state)
{
    static const struct {
        const char *name;
        const char *value;
    } settings[] = {
        {"statement_timeout", "5s"},        {"idle_in_transaction_session_timeout", "5s"},
        {"search_path", "public, pg_temp"}, {"TimeZone", "UTC"},
        {"client_encoding", "UTF8"},        {"standard_conforming_strings", "on"},
        {"application_name", "settings"},
    };
    PG *pg = new_pg("settings");

    (void)state;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        struct pg_args args = {.count = 0};
        PG_ROWS rows = {.result = NULL};

        pg_bind_text(&args, str_from(settings[i].name));
        assert_ok(pg, pg_query(pg, &statements[SETTING], &args, &rows));
        assert_str_equal(pg_text(&rows, 0, 0), str_from(settings[i].value));
    }
}

static void tools_take_their_time(void **state)
{
    const struct pg_statement setting = {
        .sql = "SELECT (current_setting('statement_timeout') = '0')::int::bigint"};
    const struct pg_options options = {.url = server.url, .connect_timeout_ms = CALL_MS};
    const struct pg_args none = {.count = 0};
    PG *pg = pg_new(&options);
    PG_ROWS rows = {.result = NULL};

    (void)state;
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_ok(pg, pg_query(pg, &setting, &none, &rows));
    assert_int_equal(pg_i64(&rows, 0, 0), 1);
}

/* libpq goes through the hosts of a URL until one takes it. */
static void next_host_is_tried(void **state)
{
    char url[256];
    const struct pg_options options = {.url = url, .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);

    (void)state;
    (void)snprintf(url, sizeof url, "host=/nowhere,%s dbname=postgres user=owner", server.folder);
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_ok(pg, pg_ready(pg));
}

static void readers_are_refused(void **state)
{
    PG *owner = new_pg("owner");
    PG *pg = new_pg("reader");

    (void)state;
    assert_ok(owner, pg_ready(owner));
    assert_ok(owner, pg_execute(owner, "ALTER ROLE owner SET default_transaction_read_only = on"));
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
    assert_non_null(strstr(pg_message(pg), "read-only"));
    assert_ok(owner, pg_execute(owner, "ALTER ROLE owner RESET default_transaction_read_only"));
}

/* More than a socket's buffers hold, both ways at once. */
static void large_values_pass(void **state)
{
    enum { BYTES = 8 << 20 };
    PG *pg = new_pg("large");
    struct pg_args args = {.count = 0};
    PG_ROWS rows = {.result = NULL};
    char *text = malloc(BYTES);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', BYTES);
    pg_bind_text(&args, STR("0123456789"));
    pg_bind_text(&args, (struct str){text, BYTES});
    assert_ok(pg, pg_query(pg, &statements[BIG_TEXT], &args, &rows));
    assert_int_equal(pg_text(&rows, 0, 0).len, 10000000);
    assert_int_equal(pg_i64(&rows, 0, 1), BYTES);
    free(text);
}

static enum error commit_two(struct pg *pg, const struct pg_statement *first, int64_t a,
                             const struct pg_statement *second, int64_t b)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, pg);
    pg_bind_i64(pg_tx_add(&tx, first), a);
    pg_bind_i64(pg_tx_add(&tx, second), b);
    return pg_tx_commit(&tx);
}

static void pipeline_is_all_or_nothing(void **state)
{
    PG *pg = new_pg("pipeline");
    int64_t before = number_of(pg, "SELECT sum(value)::bigint FROM counters");

    (void)state;
    assert_ok(pg, commit_two(pg, &statements[BUMP], 1, &statements[BUMP_ONE], 2));
    assert_int_equal(number_of(pg, "SELECT sum(value)::bigint FROM counters"), before + 2);
    assert_int_equal(commit_two(pg, &statements[BUMP], 1, &statements[BUMP_ONE], 99), ERR_NO_MATCH);
    assert_string_equal(pg_sqlstate(pg), "US001");
    assert_int_equal(commit_two(pg, &statements[BUMP_ONE], 99, &statements[BUMP], 1), ERR_NO_MATCH);
    assert_int_equal(number_of(pg, "SELECT sum(value)::bigint FROM counters"), before + 2);
    assert_true(pg_connected(pg));
}

static void empty_transaction_is_nothing(void **state)
{
    PG *pg = new_pg("empty");
    struct pg_tx tx;

    (void)state;
    pg_tx_begin(&tx, pg);
    assert_int_equal(pg_tx_commit(&tx), OK);
    assert_false(pg_connected(pg));
}

static void conflict_names_its_constraint(void **state)
{
    PG *pg = new_pg("conflict");
    PG_ROWS rows = {.result = NULL};
    struct uuid id = crypto_uuid4();
    const struct {
        struct uuid id;
        const char *label;
        enum error error;
        const char *constraint;
    } inserts[] = {
        {id, "the one", OK, ""},
        {crypto_uuid4(), "the one", ERR_CONFLICT, "things_label"},
        {id, "the other", ERR_CONFLICT, "things_pkey"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof inserts / sizeof *inserts; i++) {
        struct pg_args args = {.count = 0};

        bind_thing(&args, inserts[i].id, str_from(inserts[i].label));
        assert_int_equal(pg_query(pg, &statements[INSERT], &args, &rows), inserts[i].error);
        pg_rows_free(&rows);
        assert_string_equal(pg_constraint(pg), inserts[i].constraint);
    }
    assert_string_equal(pg_sqlstate(pg), "23505");
    assert_true(strncmp(pg_message(pg), "23505 duplicate key", 19) == 0);
    assert_null(strstr(pg_message(pg), "the one")); /* values stay out of logs */
    assert_true(pg_connected(pg));
}

/* A failure that comes with the commit itself. */
static void deferred_conflict_is_seen(void **state)
{
    PG *pg = new_pg("deferred");

    (void)state;
    assert_int_equal(commit_two(pg, &statements[CONFLICT_LATE], 5, &statements[CONFLICT_LATE], 5),
                     ERR_CONFLICT);
    assert_int_equal(number_of(pg, "SELECT count(*) FROM late"), 0);
}

static void sqlstates_map(void **state)
{
    static const struct {
        const char *code;
        enum error error;
        bool stays;
    } rows[] = {
        {"23505", ERR_CONFLICT, true},     {"US001", ERR_NO_MATCH, true},
        {"08006", ERR_UNAVAILABLE, false}, {"57P01", ERR_UNAVAILABLE, false},
        {"57P03", ERR_UNAVAILABLE, false}, {"25006", ERR_UNAVAILABLE, false},
        {"53100", ERR_UNAVAILABLE, true},  {"53300", ERR_UNAVAILABLE, true},
        {"57014", ERR_UNAVAILABLE, true},  {"40001", ERR_UNAVAILABLE, true},
        {"40P01", ERR_UNAVAILABLE, true},  {"42601", ERR_INTERNAL, true},
        {"22P03", ERR_INTERNAL, true},     {"23503", ERR_INTERNAL, true},
    };
    PG *pg = new_pg("sqlstates");

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pg_args args = {.count = 0};
        PG_ROWS none = {.result = NULL};

        pg_bind_text(&args, str_from(rows[i].code));
        assert_int_equal(pg_query(pg, &statements[FAIL], &args, &none), rows[i].error);
        assert_string_equal(pg_sqlstate(pg), rows[i].code);
        assert_null(none.result);
        assert_int_equal(pg_connected(pg), rows[i].stays);
    }
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

static void wrong_statement_is_internal(void **state)
{
    const struct pg_statement wrong = {"wrong", "SELECT nothing FROM nowhere"};
    const struct pg_statements wrong_table = {&wrong, 1};
    const struct pg_statements *const wrong_tables[] = {&table, &wrong_table};
    const struct pg_options options = {
        .url = server.url, .tables = wrong_tables, .table_count = 2, .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);

    (void)state;
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_int_equal(pg_ready(pg), ERR_INTERNAL);
    assert_string_equal(pg_sqlstate(pg), "42P01");
    assert_non_null(strstr(pg_message(pg), "nowhere"));
    assert_false(pg_connected(pg));
}

static void notices_are_swallowed(void **state)
{
    PG *pg = new_pg("notices");
    const struct pg_args none = {.count = 0};
    PG_ROWS rows = {.result = NULL};

    (void)state;
    assert_ok(pg, pg_query(pg, &statements[CHATTER], &none, &rows));
    assert_true(pg_connected(pg));
}

static void execute_takes_several_statements(void **state)
{
    PG *pg = new_pg("execute");

    (void)state;
    assert_ok(pg, pg_execute(pg, "CREATE TABLE made (id int); INSERT INTO made VALUES (1), (2)"));
    assert_int_equal(number_of(pg, "SELECT count(*) FROM made"), 2);
    assert_int_equal(pg_execute(pg, "INSERT INTO made VALUES (3); SELECT 1/0"), ERR_INTERNAL);
    assert_string_equal(pg_sqlstate(pg), "22012");
    assert_int_equal(number_of(pg, "SELECT count(*) FROM made"), 2);
    assert_ok(pg, pg_execute(pg, "-- nothing but a comment"));
    assert_ok(pg, pg_execute(pg, "DROP TABLE made"));
    assert_int_equal(pg_execute(pg, "SELECT fail_with('57P01')"), ERR_UNAVAILABLE);
    assert_false(pg_connected(pg));
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

/* Ends within the deadline and leaves no connection; the next call has a new one. */
static void deadline_closes(void **state)
{
    PG *pg = new_pg("deadline");
    const struct pg_args none = {.count = 0};
    PG_ROWS rows = {.result = NULL};
    int64_t start_ms;

    (void)state;
    assert_ok(pg, pg_ready(pg));
    start_ms = clock_mono_ms();
    pg_deadline(pg, start_ms + SHORT_MS);
    assert_int_equal(pg_query(pg, &statements[SLEEP], &none, &rows), ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms >= SHORT_MS);
    assert_true(clock_mono_ms() - start_ms < SHORT_MS + 2000);
    assert_false(pg_connected(pg));
    assert_non_null(strstr(pg_message(pg), "deadline"));
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

/* What a client that gave up left behind is ended by the server. */
static void statement_timeout_ends_it(void **state)
{
    PG *pg = new_pg("timeout");
    const struct pg_args none = {.count = 0};
    PG_ROWS rows = {.result = NULL};

    (void)state;
    assert_ok(pg, pg_execute(pg, "SET statement_timeout = 50"));
    assert_int_equal(pg_query(pg, &statements[SLEEP], &none, &rows), ERR_UNAVAILABLE);
    assert_string_equal(pg_sqlstate(pg), "57014");
    assert_true(pg_connected(pg));
}

/* Ends the connection named "victim", and sees it gone. */
static void terminate_victim(void)
{
    PG *killer = new_pg("killer");
    struct pg_args args = {.count = 0};
    PG_ROWS rows = {.result = NULL};
    int64_t until_ms = clock_mono_ms() + CALL_MS;

    pg_bind_text(&args, STR("victim"));
    assert_ok(killer, pg_query(killer, &statements[TERMINATE], &args, &rows));
    assert_int_equal(pg_i64(&rows, 0, 0), 1);
    while (number_of(killer, "SELECT count(*) FROM pg_stat_activity"
                             " WHERE application_name = 'victim'") > 0) {
        assert_true(clock_mono_ms() < until_ms);
    }
}

static void idle_loss_is_noticed(void **state)
{
    PG *pg = new_pg("victim");

    (void)state;
    assert_ok(pg, pg_ready(pg));
    terminate_victim();
    assert_ok(pg, pg_ready(pg)); /* a new connection already */
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

static void loss_without_look_is_unavailable(void **state)
{
    PG *pg = new_pg("victim");

    (void)state;
    assert_ok(pg, pg_ready(pg));
    terminate_victim();
    assert_int_equal(commit_two(pg, &statements[BUMP], 1, &statements[BUMP], 2), ERR_UNAVAILABLE);
    assert_false(pg_connected(pg));
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

static void *deadlock_commit(void *pointer)
{
    static enum error error;
    struct pg *pg = pointer;

    error = commit_two(pg, &statements[BUMP], 1, &statements[BUMP], 2);
    return &error;
}

static void await_lock_wait(struct pg *watcher)
{
    int64_t until_ms = clock_mono_ms() + CALL_MS;

    while (number_of(watcher, "SELECT count(*) FROM pg_stat_activity WHERE application_name ="
                              " 'deadlock' AND wait_event_type = 'Lock'") == 0) {
        assert_true(clock_mono_ms() < until_ms);
    }
}

/* The other session holds row 2 and goes for row 1, which ours holds while it waits for row 2.
 * Ours looks for deadlocks first, so ours is the one to be rolled back. */
static void deadlock_is_tried_again(void **state)
{
    PG *pg = new_pg("deadlock");
    PG *other = new_pg("other");
    PG *watcher = new_pg("watcher");
    int64_t before = number_of(watcher, "SELECT sum(value)::bigint FROM counters");
    enum error *error;
    pthread_t thread;

    (void)state;
    assert_ok(pg, pg_execute(pg, "SET deadlock_timeout = '2s'"));
    assert_ok(other, pg_execute(other, "SET deadlock_timeout = '1min'; BEGIN;"));
    assert_ok(other, pg_execute(other, "UPDATE counters SET value = value + 1 WHERE id = 2"));
    assert_int_equal(pthread_create(&thread, NULL, deadlock_commit, pg), 0);
    await_lock_wait(watcher);
    assert_ok(other, pg_execute(other, "UPDATE counters SET value = value + 1 WHERE id = 1"));
    assert_ok(other, pg_execute(other, "COMMIT"));
    assert_int_equal(pthread_join(thread, (void **)&error), 0);
    assert_int_equal(*error, OK);
    assert_string_equal(pg_sqlstate(pg), "40P01"); /* what the first try came to */
    assert_int_equal(number_of(watcher, "SELECT sum(value)::bigint FROM counters"), before + 4);
}

/* A sequence keeps its count when a transaction is rolled back. */
static void second_collision_is_final(void **state)
{
    const struct pg_statement attempt = {.sql = "SELECT nextval('attempts')"};
    PG *pg = new_pg("collision");
    struct pg_tx tx;

    (void)state;
    assert_ok(pg, pg_execute(pg, "CREATE SEQUENCE attempts"));
    pg_tx_begin(&tx, pg);
    (void)pg_tx_add(&tx, &attempt);
    pg_bind_text(pg_tx_add(&tx, &statements[FAIL]), STR("40001"));
    assert_int_equal(pg_tx_commit(&tx), ERR_UNAVAILABLE);
    assert_int_equal(number_of(pg, "SELECT nextval('attempts')"), 3);
}

/* The server's process for this connection is there, and does nothing. */
static void hung_backend_meets_the_deadline(void **state)
{
    PG *pg = new_pg("hung");
    pid_t backend = (pid_t)number_of(pg, "SELECT pg_backend_pid()");
    int64_t start_ms = clock_mono_ms();
    enum error error;

    (void)state;
    assert_int_equal(kill(backend, SIGSTOP), 0);
    pg_deadline(pg, start_ms + SHORT_MS);
    error = commit_two(pg, &statements[BUMP], 1, &statements[BUMP], 2);
    (void)kill(backend, SIGCONT);
    assert_int_equal(error, ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms < SHORT_MS + 2000);
    assert_false(pg_connected(pg));
}

/* More than the socket takes, to a server that does not read. */
static void hung_backend_while_sending(void **state)
{
    enum { BYTES = 16 << 20 };
    PG *pg = new_pg("hung");
    pid_t backend = (pid_t)number_of(pg, "SELECT pg_backend_pid()");
    struct pg_args args = {.count = 0};
    PG_ROWS rows = {.result = NULL};
    char *text = calloc(1, BYTES);
    enum error error;

    (void)state;
    assert_non_null(text);
    assert_int_equal(kill(backend, SIGSTOP), 0);
    pg_deadline(pg, clock_mono_ms() + SHORT_MS);
    pg_bind_text(&args, STR("x"));
    pg_bind_text(&args, (struct str){text, BYTES});
    error = pg_query(pg, &statements[BIG_TEXT], &args, &rows);
    (void)kill(backend, SIGCONT);
    free(text);
    assert_int_equal(error, ERR_UNAVAILABLE);
    assert_false(pg_connected(pg));
}

static void hung_server_refuses_in_time(void **state)
{
    PG *pg = new_pg("hung");
    int64_t start_ms = clock_mono_ms();
    enum error error;

    (void)state;
    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    pg_deadline(pg, start_ms + SHORT_MS);
    error = pg_ready(pg);
    (void)kill(server.pid, SIGCONT);
    assert_int_equal(error, ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms < SHORT_MS + 2000);
    assert_false(pg_connected(pg));
}

static void start_failures_have_their_sqlstate(void **state)
{
    static const struct {
        const char *user;
        const char *database;
        const char *sqlstate;
    } rows[] = {{"nobody-of-that-name", "postgres", "28000"}, {"owner", "nothing", "3D000"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct pg_options options = {.user = rows[i].user, .connect_timeout_ms = CALL_MS};
        char url[256];
        PG *pg = NULL;

        (void)snprintf(url, sizeof url, "host=%s dbname=%s user=somebody", server.folder,
                       rows[i].database);
        options.url = url;
        pg = pg_new(&options);
        pg_deadline(pg, clock_mono_ms() + CALL_MS);
        assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
        assert_string_equal(pg_sqlstate(pg), rows[i].sqlstate);
        assert_null(strchr(pg_message(pg), '\n'));
    }
}

static void back_off_grows_and_ends(void **state)
{
    PG *pg = new_pg("back-off");
    int64_t ceiling_ms = PG_BACKOFF_MS_MIN;

    (void)state;
    assert_true(pg_link_due(pg));
    for (int i = 0; i < 12; i++) {
        int64_t before_ms = clock_mono_ms();

        pg_link_tried(pg, false);
        assert_true(pg->retry_at_ms - before_ms >= ceiling_ms / 2);
        assert_true(pg->retry_at_ms - clock_mono_ms() <= ceiling_ms);
        ceiling_ms = ceiling_ms * 2 > PG_BACKOFF_MS_MAX ? PG_BACKOFF_MS_MAX : ceiling_ms * 2;
    }
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE); /* not due, though the server is there */
    assert_false(pg_connected(pg));
    pg_link_tried(pg, true);
    assert_ok(pg, pg_ready(pg));
}

static void restart_is_survived(void **state)
{
    PG *pg = new_pg("restart");
    int64_t until_ms;
    int64_t start_ms;

    (void)state;
    assert_ok(pg, pg_ready(pg));
    server_stop();
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE); /* the immediate attempt */
    assert_false(pg_connected(pg));
    start_ms = clock_mono_ms();
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
    }
    assert_true(clock_mono_ms() - start_ms < 2000); /* refusals cost nothing */
    server_start();
    until_ms = clock_mono_ms() + POSTGRES_START_MS;
    do {
        assert_true(clock_mono_ms() < until_ms);
        pg_deadline(pg, clock_mono_ms() + 1000);
    } while (pg_ready(pg) != OK);
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
}

static void free_of_nothing(void **state)
{
    struct pg_rows rows = {.result = NULL};

    (void)state;
    pg_free(NULL);
    pg_rows_free(&rows);
}

static int start(void **state)
{
    (void)state;
    crypto_start();
    test_postgres_start(&server);
    test_postgres_sql(server.url, schema);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    test_postgres_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_both_ways),
        cmocka_unit_test(nulls_both_ways),
        cmocka_unit_test(edges_both_ways),
        cmocka_unit_test(microseconds_are_rounded_down),
        cmocka_unit_test(session_is_set_up),
        cmocka_unit_test(tools_take_their_time),
        cmocka_unit_test(next_host_is_tried),
        cmocka_unit_test(readers_are_refused),
        cmocka_unit_test(large_values_pass),
        cmocka_unit_test(pipeline_is_all_or_nothing),
        cmocka_unit_test(empty_transaction_is_nothing),
        cmocka_unit_test(conflict_names_its_constraint),
        cmocka_unit_test(deferred_conflict_is_seen),
        cmocka_unit_test(sqlstates_map),
        cmocka_unit_test(wrong_statement_is_internal),
        cmocka_unit_test(notices_are_swallowed),
        cmocka_unit_test(execute_takes_several_statements),
        cmocka_unit_test(deadline_closes),
        cmocka_unit_test(statement_timeout_ends_it),
        cmocka_unit_test(idle_loss_is_noticed),
        cmocka_unit_test(loss_without_look_is_unavailable),
        cmocka_unit_test(deadlock_is_tried_again),
        cmocka_unit_test(second_collision_is_final),
        cmocka_unit_test(hung_backend_meets_the_deadline),
        cmocka_unit_test(hung_backend_while_sending),
        cmocka_unit_test(hung_server_refuses_in_time),
        cmocka_unit_test(start_failures_have_their_sqlstate),
        cmocka_unit_test(back_off_grows_and_ends),
        cmocka_unit_test(restart_is_survived),
        cmocka_unit_test(free_of_nothing),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
