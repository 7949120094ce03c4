/* SPDX-License-Identifier: Apache-2.0 */
#include "support/database.h"

#include <pthread.h>
#include <stdatomic.h>

#include "feed.h"

enum { STALE_MS = 400, INTERVAL_MS = 20, PATIENCE_MS = 15000, TTL_S = 600 };

static struct revocations *set;
static struct clients *clients;
static struct feed *feed;
static atomic_uint keys_calls;
static atomic_uint loaded_calls;

#define CLIENT "0190c0de-0000-7000-8000-000000000001"
#define NEW_CLIENT "INSERT INTO clients (id, name, is_public) VALUES ('" CLIENT "', 'app', true)"
#define FEEDS_BACKEND "FROM pg_stat_activity WHERE application_name = 'feed'"

static void keys_changed(void *context)
{
    (void)context;
    atomic_fetch_add(&keys_calls, 1);
}

static void loaded(void *context)
{
    (void)context;
    atomic_fetch_add(&loaded_calls, 1);
}

static void start(void)
{
    static struct pg_options named;
    struct feed_options options = {
        .pg = &named,
        .revocations = set,
        .clients = clients,
        .interval_ms = INTERVAL_MS,
        .keys_changed = keys_changed,
        .loaded = loaded,
    };

    named = test_options;
    named.application_name = "feed"; /* for the tests to find its connection */
    feed = feed_start(&options);
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE revocations, clients CASCADE");
    set = revocation_new(STALE_MS);
    clients = clients_new();
    feed = NULL;
    atomic_store(&keys_calls, 0);
    atomic_store(&loaded_calls, 0);
    return 0;
}

static int stopped(void **state)
{
    (void)state;
    feed_stop(feed);
    clients_free(clients);
    revocation_free(set);
    return 0;
}

static struct uuid ended_session(void)
{
    const struct uuid id = crypto_uuid7(clock_wall_ms());
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    revocation_store_session(&tx, id, TTL_S);
    database_must(pg_tx_commit(&tx));
    return id;
}

static void tell(enum revocation_changed table)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    revocation_store_changed(&tx, table, TTL_S);
    database_must(pg_tx_commit(&tx));
}

static enum revocation_verdict judge(struct uuid sid)
{
    const struct revocation_query query = {sid, STR("eve"), 1};

    return revocation_judge(set, &query);
}

static struct uuid nobodys(void)
{
    return crypto_uuid7(clock_wall_ms());
}

static void await_verdict(struct uuid sid, enum revocation_verdict wanted)
{
    const int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    while (judge(sid) != wanted) {
        assert_true(clock_mono_ms() < until_ms);
        (void)poll(NULL, 0, 2);
    }
}

static void await_count(atomic_uint *counter, unsigned wanted)
{
    const int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    while (atomic_load(counter) < wanted) {
        assert_true(clock_mono_ms() < until_ms);
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(atomic_load(counter), wanted);
}

static void await_client(bool wanted)
{
    const int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    while (clients_is_active(clients, STR(CLIENT)) != wanted) {
        assert_true(clock_mono_ms() < until_ms);
        (void)poll(NULL, 0, 2);
    }
}

static struct pg *begun(const char *sql)
{
    struct pg_options options = test_options;
    struct pg *pg;
    char both[512];

    options.table_count = 0;
    pg = pg_new(&options);
    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    (void)snprintf(both, sizeof(both), "BEGIN; %s", sql);
    assert_int_equal(pg_execute(pg, both), OK);
    return pg;
}

static void committed(struct pg *pg)
{
    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_execute(pg, "COMMIT"), OK);
    pg_free(pg);
}

/* The server's door, shut and opened; who is inside stays. */
static void door(bool open)
{
    char shut[96];
    char name[96];

    (void)snprintf(name, sizeof(name), "%s/.s.PGSQL.5432", test_server.folder);
    (void)snprintf(shut, sizeof(shut), "%s/shut", test_server.folder);
    assert_int_equal(rename(open ? shut : name, open ? name : shut), 0);
}

static void cut(void)
{
    static const struct pg_statement statement = {
        .sql = "SELECT count(pg_terminate_backend(pid)) " FEEDS_BACKEND};
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &statement, &args, &rows));
}

static void a_start_knows_what_was_revoked_before(void **state)
{
    const struct uuid first = ended_session();
    struct uuid last;

    (void)state;
    database_do("INSERT INTO revocations (session_id, expires_at)"
                " SELECT gen_random_uuid(), now() + interval '600 s'"
                " FROM generate_series(1, 5000)");
    database_do("INSERT INTO revocations (subject, min_auth_ver, expires_at)"
                " VALUES ('adam', 5, now() + interval '600 s')");
    database_do(NEW_CLIENT);
    last = ended_session();
    assert_int_equal(judge(first), REVOCATION_UNKNOWN);
    start();
    await_count(&loaded_calls, 1);
    assert_int_equal(judge(first), REVOCATION_FOUND);
    assert_int_equal(judge(last), REVOCATION_FOUND);
    await_verdict(nobodys(), REVOCATION_NONE);
    assert_int_equal(revocation_count(set), 5003);
    assert_int_equal(revocation_judge(set, &(struct revocation_query){nobodys(), STR("adam"), 4}),
                     REVOCATION_FOUND);
    assert_int_equal(revocation_judge(set, &(struct revocation_query){nobodys(), STR("adam"), 5}),
                     REVOCATION_NONE);
    assert_true(clients_is_active(clients, STR(CLIENT)));
    assert_int_equal(atomic_load(&keys_calls), 1);
}

static void nobody_is_asked_before_that(void **state)
{
    struct pg *holder = begun("LOCK TABLE revocations IN ACCESS EXCLUSIVE MODE");
    const int64_t until_ms = clock_mono_ms() + 300;

    (void)state;
    start();
    while (clock_mono_ms() < until_ms) {
        assert_int_equal(atomic_load(&loaded_calls), 0);
        assert_int_equal(judge(nobodys()), REVOCATION_UNKNOWN);
        (void)poll(NULL, 0, 10);
    }
    committed(holder);
    await_count(&loaded_calls, 1);
    assert_int_equal(atomic_load(&loaded_calls), 1);
}

static void what_others_revoke_is_heard_of(void **state)
{
    (void)state;
    start();
    await_count(&loaded_calls, 1);
    for (unsigned i = 0; i < 20; i++) {
        await_verdict(ended_session(), REVOCATION_FOUND);
    }
}

static void a_late_commit_is_heard_of(void **state)
{
    struct uuid late;
    struct pg *pg;

    (void)state;
    assert_int_equal(codec_uuid_parse(STR("00000000-0000-7000-8000-000000000001"), &late), OK);
    start();
    await_count(&loaded_calls, 1);
    pg = begun("INSERT INTO revocations (session_id, expires_at) VALUES"
               " ('00000000-0000-7000-8000-000000000001', now() + interval '600 s')");
    for (unsigned i = 0; i < 5; i++) {
        await_verdict(ended_session(), REVOCATION_FOUND);
        assert_int_not_equal(judge(late), REVOCATION_FOUND);
    }
    committed(pg);
    await_verdict(late, REVOCATION_FOUND);
}

enum { WRITERS = 4, WRITES = 60, WAIT_MS_MAX = 40 };

struct writer {
    pthread_t thread;
    struct uuid ids[WRITES];
    bool undone[WRITES];
    bool failed;
};

/* Transactions that stay open for as long as it happens, some of which come to nothing. */
static void *write_some(void *context)
{
    struct writer *self = context;
    struct pg_options options = test_options;
    struct pg *pg;

    options.table_count = 0;
    pg = pg_new(&options);
    for (size_t i = 0; i < WRITES; i++) {
        char id[UUID_TEXT_BYTES + 1] = "";
        struct buf text = buf_over(id, UUID_TEXT_BYTES);
        char sql[256];
        uint8_t random[2];

        crypto_random(random, sizeof(random));
        self->ids[i] = crypto_uuid7(clock_wall_ms());
        self->undone[i] = random[0] % 5 == 0;
        codec_uuid(&text, self->ids[i]);
        (void)snprintf(sql, sizeof(sql),
                       "BEGIN; INSERT INTO revocations (session_id, expires_at)"
                       " VALUES ('%s', now() + interval '600 s')",
                       id);
        pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
        self->failed = self->failed || pg_execute(pg, sql) != OK;
        (void)poll(NULL, 0, random[1] % WAIT_MS_MAX);
        self->failed =
            self->failed || pg_execute(pg, self->undone[i] ? "ROLLBACK" : "COMMIT") != OK;
    }
    pg_free(pg);
    return NULL;
}

static void many_writers_in_no_order(void **state)
{
    static struct writer writers[WRITERS];
    size_t committed_count = 0;

    (void)state;
    start();
    await_count(&loaded_calls, 1);
    for (size_t w = 0; w < WRITERS; w++) {
        writers[w] = (struct writer){.failed = false};
        assert_int_equal(pthread_create(&writers[w].thread, NULL, write_some, &writers[w]), 0);
    }
    for (size_t w = 0; w < WRITERS; w++) {
        assert_int_equal(pthread_join(writers[w].thread, NULL), 0);
        assert_false(writers[w].failed);
    }
    for (size_t w = 0; w < WRITERS; w++) {
        for (size_t i = 0; i < WRITES; i++) {
            if (!writers[w].undone[i]) {
                await_verdict(writers[w].ids[i], REVOCATION_FOUND);
                committed_count++;
            }
        }
    }
    assert_int_equal(revocation_count(set), committed_count);
}

/* Not again at each read while an old transaction is open. */
static void changes_are_acted_upon_once(void **state)
{
    struct pg *holder = begun("SELECT pg_current_xact_id()");

    (void)state;
    start();
    await_count(&loaded_calls, 1);
    assert_int_equal(atomic_load(&keys_calls), 1);
    tell(REVOCATION_KEYS);
    await_count(&keys_calls, 2);
    database_do(NEW_CLIENT);
    for (unsigned i = 0; i < 3; i++) {
        await_verdict(ended_session(), REVOCATION_FOUND);
    }
    assert_false(clients_is_active(clients, STR(CLIENT)));
    tell(REVOCATION_CLIENTS);
    await_client(true);
    database_do("UPDATE clients SET disabled_at = now()");
    tell(REVOCATION_CLIENTS);
    await_client(false);
    committed(holder);
    await_verdict(ended_session(), REVOCATION_FOUND);
    assert_int_equal(atomic_load(&keys_calls), 2);
}

static void a_cut_connection_is_replaced(void **state)
{
    (void)state;
    start();
    await_count(&loaded_calls, 1);
    for (unsigned i = 0; i < 5; i++) {
        cut();
        await_verdict(ended_session(), REVOCATION_FOUND);
        await_count(&keys_calls, i + 2); /* all is read anew */
        await_verdict(nobodys(), REVOCATION_NONE);
    }
    assert_int_equal(atomic_load(&loaded_calls), 1);
}

static void without_a_database_it_is_unsure(void **state)
{
    const struct uuid before = ended_session();
    struct uuid meanwhile;

    (void)state;
    start();
    await_count(&loaded_calls, 1);
    door(false);
    cut();
    meanwhile = ended_session();
    await_verdict(nobodys(), REVOCATION_UNKNOWN);
    assert_int_equal(judge(before), REVOCATION_FOUND);
    assert_int_equal(judge(meanwhile), REVOCATION_UNKNOWN);
    door(true);
    await_verdict(nobodys(), REVOCATION_NONE);
    assert_int_equal(judge(meanwhile), REVOCATION_FOUND);
    assert_int_equal(judge(before), REVOCATION_FOUND);
}

/* Clients that could not be read are no less important than revocations that could not. */
static void clients_that_cannot_be_read_make_it_unsure(void **state)
{
    struct pg *holder;

    (void)state;
    start();
    await_count(&loaded_calls, 1);
    database_do(NEW_CLIENT);
    holder = begun("LOCK TABLE clients IN ACCESS EXCLUSIVE MODE");
    tell(REVOCATION_CLIENTS);
    await_verdict(nobodys(), REVOCATION_UNKNOWN);
    assert_false(clients_is_active(clients, STR(CLIENT)));
    committed(holder);
    await_verdict(nobodys(), REVOCATION_NONE);
    assert_true(clients_is_active(clients, STR(CLIENT)));
}

/* A worker's own look, for what it revoked without knowing the ids. */
static void one_can_catch_up(void **state)
{
    struct uuid id;

    (void)state;
    revocation_catch_up(set, database()); /* nothing was read yet: doubt */
    start();
    await_count(&loaded_calls, 1);
    await_verdict(nobodys(), REVOCATION_NONE);
    feed_stop(feed);
    feed = NULL;
    id = ended_session();
    revocation_read(set, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(judge(id), REVOCATION_NONE);
    revocation_catch_up(set, database());
    assert_int_equal(judge(id), REVOCATION_FOUND);
    assert_int_equal(judge(nobodys()), REVOCATION_NONE);
}

static void who_cannot_catch_up_is_unsure(void **state)
{
    struct pg_options nowhere = test_options;
    struct pg *pg;

    (void)state;
    start();
    await_count(&loaded_calls, 1);
    await_verdict(nobodys(), REVOCATION_NONE);
    feed_stop(feed);
    feed = NULL;
    nowhere.url = "postgresql://owner@/postgres?host=/nowhere";
    pg = pg_new(&nowhere);
    pg_deadline(pg, clock_mono_ms() + 1000);
    revocation_catch_up(set, pg);
    pg_free(pg);
    assert_int_equal(judge(nobodys()), REVOCATION_UNKNOWN);
}

static int set_up(void **state)
{
    (void)state;
    database_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    database_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, empty, stopped)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_start_knows_what_was_revoked_before),
        TEST(nobody_is_asked_before_that),
        TEST(what_others_revoke_is_heard_of),
        TEST(a_late_commit_is_heard_of),
        TEST(many_writers_in_no_order),
        TEST(changes_are_acted_upon_once),
        TEST(a_cut_connection_is_replaced),
        TEST(without_a_database_it_is_unsure),
        TEST(clients_that_cannot_be_read_make_it_unsure),
        TEST(one_can_catch_up),
        TEST(who_cannot_catch_up_is_unsure),
    };

    return cmocka_run_group_tests_name("feed", tests, set_up, tear_down);
}
