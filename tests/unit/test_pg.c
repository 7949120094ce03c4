/* SPDX-License-Identifier: Apache-2.0 */
/* Against a real PostgreSQL. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>

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

/* `listen` are the addresses beside its socket, `port` the one of both. */
static void server_start_at(const char *listen, int port)
{
    char addresses[64];
    char number[16];
    char *arguments[] = {
        (char[]){"postgres"}, (char[]){"-D"}, server.data,    (char[]){"-k"}, server.folder,
        (char[]){"-c"},       addresses,      (char[]){"-p"}, number,         NULL};

    (void)snprintf(addresses, sizeof addresses, "listen_addresses=%s", listen);
    (void)snprintf(number, sizeof number, "%d", port);
    server.pid = test_postgres_run(&server, arguments);
}

static void server_start(void)
{
    server_start_at("", 5432);
}

static void await_ready(struct pg *pg)
{
    int64_t until_ms = clock_mono_ms() + POSTGRES_START_MS;

    do {
        if (clock_mono_ms() > until_ms) {
            fail_msg("the server does not come: %s", pg_message(pg));
        }
        pg_deadline(pg, clock_mono_ms() + 1000);
    } while (pg_ready(pg) != OK);
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
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

/* Connections to it are made, by the kernel, and nobody speaks. Its port. */
static int listen_silently(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(listener >= 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 16), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    return listener;
}

/* It has its share of the time, once: the next connection begins with the host that worked. */
static void silent_host_leaves_time_for_the_next(void **state)
{
    enum { ALL_MS = 1500 };
    char url[256];
    int port = 0;
    int listener = listen_silently(&port);
    const struct pg_options options = {.url = url, .connect_timeout_ms = ALL_MS};
    PG *pg = pg_new(&options);
    int64_t start_ms = clock_mono_ms();

    (void)state;
    (void)snprintf(url, sizeof url,
                   "host=127.0.0.1,127.0.0.1,%s port=%d,%d,5432 dbname=postgres user=owner",
                   server.folder, port, port);
    pg_deadline(pg, start_ms + CALL_MS);
    assert_ok(pg, pg_ready(pg));
    assert_true(clock_mono_ms() - start_ms >= ALL_MS * 2 / 3 - 2);
    assert_true(clock_mono_ms() - start_ms < ALL_MS);
    pg_link_close(pg);
    start_ms = clock_mono_ms();
    assert_ok(pg, pg_ready(pg));
    assert_true(clock_mono_ms() - start_ms < ALL_MS / 3);
    close(listener);
}

static void silent_hosts_meet_the_deadline(void **state)
{
    char url[256];
    int port = 0;
    int listener = listen_silently(&port);
    const struct pg_options options = {.url = url, .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);
    int64_t start_ms = clock_mono_ms();

    (void)state;
    (void)snprintf(url, sizeof url, "postgresql://owner@127.0.0.1:%d,127.0.0.2:1,127.0.0.1:%d/x",
                   port, port);
    pg_deadline(pg, start_ms + SHORT_MS);
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms >= SHORT_MS - 2);
    assert_true(clock_mono_ms() - start_ms < SHORT_MS + 2000);
    close(listener);
}

/* A host that has been made a reader is passed over. */
static void reader_is_passed_over(void **state)
{
    char url[256];
    const struct pg_options options = {.url = url, .connect_timeout_ms = CALL_MS};
    PG *owner = new_pg("owner");
    PG *pg = pg_new(&options);

    (void)state;
    (void)snprintf(url, sizeof url, "host=/nowhere,%s,%s dbname=postgres user=owner", server.folder,
                   server.folder);
    assert_ok(owner, pg_ready(owner));
    assert_ok(owner, pg_execute(owner, "ALTER ROLE owner SET default_transaction_read_only = on"));
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
    assert_non_null(strstr(pg_message(pg), "read-only"));
    assert_int_equal(pg->host, 3); /* every one was tried */
    assert_ok(owner, pg_execute(owner, "ALTER ROLE owner RESET default_transaction_read_only"));
}

static void names_are_resolved(void **state)
{
    static const struct pg_statement client = {.sql = "SELECT host(inet_client_addr())"};
    const struct pg_args none = {.count = 0};
    char url[64];
    int port = 0;
    int listener = listen_silently(&port);
    const struct pg_options options = {.url = url, .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);
    PG *after = new_pg("after");
    PG_ROWS rows = {.result = NULL};

    (void)state;
    (void)snprintf(url, sizeof url, "postgresql://owner@localhost:%d/postgres", port);
    close(listener); /* the port is free now */
    server_stop();
    server_start_at("127.0.0.1", port);
    await_ready(pg);
    assert_ok(pg, pg_query(pg, &client, &none, &rows));
    assert_str_equal(pg_text(&rows, 0, 0), STR("127.0.0.1"));
    server_stop();
    server_start();
    await_ready(after);
}

static void wrong_names_are_told(void **state)
{
    const struct pg_options options = {.url = "host=no-such-host.invalid",
                                       .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);

    (void)state;
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
    assert_non_null(strstr(pg_message(pg), "name"));
}

/* A name server of our own that never answers. False: may not. */
static bool resolve_by_silence(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(53)};
    int listener = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/resolv.conf", server.folder);
    file = fopen(path, "w");
    if (file == NULL || fputs("nameserver 127.0.0.153\noptions timeout:20\n", file) < 0 ||
        fclose(file) != 0 || inet_pton(AF_INET, "127.0.0.153", &address.sin_addr) != 1) {
        return false;
    }
    return bind(listener, (struct sockaddr *)&address, sizeof address) == 0 &&
           unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount(path, "/etc/resolv.conf", NULL, MS_BIND, NULL) == 0;
}

enum { SILENCE_OK, SILENCE_FORBIDDEN, SILENCE_WRONG_ERROR, SILENCE_LATE, SILENCE_NO_NEXT };

static int silent_name_server_in_child(void)
{
    char url[128];
    const struct pg_options options = {.url = url, .connect_timeout_ms = CALL_MS};
    struct pg *pg = pg_new(&options);
    int64_t start_ms = clock_mono_ms();

    if (!resolve_by_silence()) {
        return SILENCE_FORBIDDEN;
    }
    (void)snprintf(url, sizeof url, "host=db.example.com dbname=postgres user=owner");
    for (int i = 1; i <= 3; i++) {
        pg_link_tried(pg, true); /* due at once */
        pg_deadline(pg, clock_mono_ms() + SHORT_MS);
        if (pg_ready(pg) != ERR_UNAVAILABLE || strstr(pg_message(pg), "in time") == NULL) {
            return SILENCE_WRONG_ERROR;
        }
        if (clock_mono_ms() - start_ms > i * SHORT_MS + 2000) {
            return SILENCE_LATE;
        }
    }
    (void)snprintf(url, sizeof url, "host=db.example.com,%s dbname=postgres user=owner",
                   server.folder);
    pg_link_tried(pg, true);
    pg_deadline(pg, clock_mono_ms() + 2000);
    if (pg_ready(pg) != OK) {
        return SILENCE_NO_NEXT;
    }
    pg_free(pg); /* with the look-up under way */
    return SILENCE_OK;
}

/* In a child, for /etc/resolv.conf is to be another; the first of the tests that look up a name,
 * because libc's threads for it do not outlive a fork, and libc does not know. */
static void silent_name_server_meets_the_deadline(void **state)
{
    pid_t child = fork();
    int status = 0;

    (void)state;
    assert_true(child >= 0);
    if (child == 0) {
        _exit(silent_name_server_in_child());
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == SILENCE_FORBIDDEN) {
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), SILENCE_OK);
}

static void wrong_url_is_told(void **state)
{
    const struct pg_options options = {.url = "postgresql://u:secret@[::1/x",
                                       .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);

    (void)state;
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
    assert_non_null(strstr(pg_message(pg), "URL"));
    assert_null(strstr(pg_message(pg), "secret"));
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

/* What one call failed with is not told of the next. */
static void success_has_no_message(void **state)
{
    PG *pg = new_pg("message");
    struct pg_tx tx;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct pg_args args = {.count = 0};
        PG_ROWS none = {.result = NULL};

        pg_bind_i64(&args, 7);
        assert_int_equal(
            commit_two(pg, &statements[CONFLICT_LATE], 7, &statements[CONFLICT_LATE], 7),
            ERR_CONFLICT);
        assert_string_not_equal(pg_constraint(pg), "");
        pg_tx_begin(&tx, pg);
        assert_ok(pg, i == 0   ? pg_ready(pg)
                      : i == 1 ? pg_query(pg, &statements[BUMP], &args, &none)
                      : i == 2 ? pg_tx_commit(&tx)
                               : pg_execute(pg, "SELECT 1"));
        assert_string_equal(pg_message(pg), "");
        assert_string_equal(pg_sqlstate(pg), "");
        assert_string_equal(pg_constraint(pg), "");
    }
}

/* An attempt to connect that is not due fails for the reason of the last one. */
static void refusal_keeps_its_reason(void **state)
{
    const struct pg_options options = {.url = "host=/nowhere", .connect_timeout_ms = CALL_MS};
    PG *pg = pg_new(&options);

    (void)state;
    pg_deadline(pg, clock_mono_ms() + CALL_MS);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pg_ready(pg), ERR_UNAVAILABLE);
        assert_non_null(strstr(pg_message(pg), "/nowhere"));
    }
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

/* An open connection does not tell; the ping does. */
static void hung_backend_fails_the_ping(void **state)
{
    PG *pg = new_pg("hung");
    pid_t backend = (pid_t)number_of(pg, "SELECT pg_backend_pid()");
    int64_t answered_ms = pg_answered_ms(pg);
    int64_t start_ms = clock_mono_ms();
    enum error looked;
    enum error pinged;

    (void)state;
    assert_int_equal(kill(backend, SIGSTOP), 0);
    pg_deadline(pg, start_ms + SHORT_MS);
    looked = pg_ready(pg);
    pinged = pg_ping(pg);
    (void)kill(backend, SIGCONT);
    assert_int_equal(looked, OK);
    assert_int_equal(pinged, ERR_UNAVAILABLE);
    assert_true(clock_mono_ms() - start_ms < SHORT_MS + 2000);
    assert_true(pg_answered_ms(pg) == answered_ms);
    assert_false(pg_connected(pg));
}

static void ping_is_an_answer(void **state)
{
    PG *pg = new_pg("victim");
    int64_t first_ms;

    (void)state;
    assert_true(pg_answered_ms(pg) == 0);
    assert_ok(pg, pg_ping(pg)); /* connects */
    first_ms = pg_answered_ms(pg);
    assert_true(first_ms > 0 && first_ms <= clock_mono_ms());
    while (clock_mono_ms() == first_ms) {
    }
    assert_ok(pg, pg_ready(pg));
    assert_true(pg_answered_ms(pg) == first_ms);
    assert_ok(pg, pg_ping(pg));
    assert_true(pg_answered_ms(pg) > first_ms);
    terminate_victim();
    assert_ok(pg, pg_ping(pg)); /* by a new connection */
    assert_int_equal(number_of(pg, "SELECT 1"), 1);
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
    await_ready(pg);
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
        cmocka_unit_test(silent_host_leaves_time_for_the_next),
        cmocka_unit_test(silent_hosts_meet_the_deadline),
        cmocka_unit_test(reader_is_passed_over),
        cmocka_unit_test(silent_name_server_meets_the_deadline),
        cmocka_unit_test(names_are_resolved),
        cmocka_unit_test(wrong_names_are_told),
        cmocka_unit_test(wrong_url_is_told),
        cmocka_unit_test(readers_are_refused),
        cmocka_unit_test(large_values_pass),
        cmocka_unit_test(pipeline_is_all_or_nothing),
        cmocka_unit_test(empty_transaction_is_nothing),
        cmocka_unit_test(conflict_names_its_constraint),
        cmocka_unit_test(deferred_conflict_is_seen),
        cmocka_unit_test(sqlstates_map),
        cmocka_unit_test(success_has_no_message),
        cmocka_unit_test(refusal_keeps_its_reason),
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
        cmocka_unit_test(hung_backend_fails_the_ping),
        cmocka_unit_test(ping_is_an_answer),
        cmocka_unit_test(hung_backend_while_sending),
        cmocka_unit_test(hung_server_refuses_in_time),
        cmocka_unit_test(start_failures_have_their_sqlstate),
        cmocka_unit_test(back_off_grows_and_ends),
        cmocka_unit_test(restart_is_survived),
        cmocka_unit_test(free_of_nothing),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
