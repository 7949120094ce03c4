/* SPDX-License-Identifier: Apache-2.0 */
#include "support/database.h"

#include "expiry_store.h"
#include "revocation_store.h"

enum { TTL_S = 600, SEEN_MAX = 8192 };

static struct revocation_reading reading;
static struct revocation_row seen[SEEN_MAX];
static size_t seen_count;
static char seen_subject[65];

static void keep(void *context, const struct revocation_row *row)
{
    (void)context;
    assert_true(seen_count < SEEN_MAX);
    (void)snprintf(seen_subject, sizeof(seen_subject), "%.*s", STR_ARG(row->subject));
    seen[seen_count++] = *row;
}

/* All pages, and the next call begins where this one did. */
static size_t read_news(void)
{
    const struct revocation_taker taker = {keep, NULL};
    bool more = true;

    seen_count = 0;
    reading.last_xid = 0;
    while (more) {
        database_must(revocation_store_read(database(), &reading, &taker, &more));
    }
    reading.since = reading.now;
    return seen_count;
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE revocations, users CASCADE");
    revocation_store_beginning(&reading.since);
    return 0;
}

static struct uuid revoke_session(void)
{
    const struct uuid id = crypto_uuid7(clock_wall_ms());
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    revocation_store_session(&tx, id, TTL_S);
    database_must(pg_tx_commit(&tx));
    return id;
}

/* Another connection, in the middle of a transaction. */
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

static void ended(struct pg *pg, const char *how)
{
    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_execute(pg, how), OK);
    pg_free(pg);
}

#define LATE                                                                                       \
    "INSERT INTO revocations (session_id, expires_at)"                                             \
    " VALUES ('00000000-0000-7000-8000-000000000001', now() + interval '600 s')"

static bool saw_late(void)
{
    static const struct uuid late = {{0, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, 1}};

    for (size_t i = 0; i < seen_count; i++) {
        if (uuid_equal(seen[i].session_id, late)) {
            return true;
        }
    }
    return false;
}

static void a_session_is_read_once(void **state)
{
    const struct uuid id = revoke_session();

    (void)state;
    assert_int_equal(read_news(), 1);
    assert_true(seen[0].is_session && !seen[0].is_subject);
    assert_false(seen[0].clients_changed || seen[0].keys_changed);
    assert_true(uuid_equal(seen[0].session_id, id));
    assert_in_range(seen[0].expires_in_s, TTL_S - 10, TTL_S);
    assert_int_equal(read_news(), 0);
    (void)revoke_session();
    assert_int_equal(read_news(), 1);
    assert_int_equal(read_news(), 0);
}

static void a_user_is_named_by_its_subject(void **state)
{
    struct uuid id;
    struct pg_tx tx;

    (void)state;
    database_do("INSERT INTO users (id, subject, email, email_canonical, password_hash, auth_ver)"
                " VALUES ('5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e', 'auth0|eve', 'e', 'e', 'x', 7),"
                " ('6f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e', NULL, 'f', 'f', 'x', 2)");
    assert_int_equal(codec_uuid_parse(STR("5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e"), &id), OK);
    pg_tx_begin(&tx, database());
    revocation_store_user(&tx, id, TTL_S);
    database_must(pg_tx_commit(&tx));
    assert_int_equal(read_news(), 1);
    assert_true(seen[0].is_subject && !seen[0].is_session);
    assert_string_equal(seen_subject, "auth0|eve");
    assert_int_equal(seen[0].min_auth_ver, 7);
    id.bytes[0] = 0x6f;
    pg_tx_begin(&tx, database());
    revocation_store_user(&tx, id, TTL_S);
    database_must(pg_tx_commit(&tx));
    assert_int_equal(read_news(), 1);
    assert_string_equal(seen_subject, "6f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e");
}

static void changes_are_told_once(void **state)
{
    struct pg *holder = begun("SELECT pg_current_xact_id()");
    struct pg_tx tx;

    (void)state;
    pg_tx_begin(&tx, database());
    revocation_store_changed(&tx, REVOCATION_CLIENTS, TTL_S);
    revocation_store_changed(&tx, REVOCATION_KEYS, TTL_S);
    database_must(pg_tx_commit(&tx));
    assert_int_equal(read_news(), 2);
    assert_true(seen[0].clients_changed && !seen[0].keys_changed);
    assert_true(seen[1].keys_changed && !seen[1].clients_changed);
    assert_int_equal(read_news(), 0); /* although a transaction is older than they are */
    ended(holder, "COMMIT");
    assert_int_equal(read_news(), 0);
}

/* It took its number first and commits last. */
static void a_late_commit_is_not_missed(void **state)
{
    struct pg *late = begun(LATE);

    (void)state;
    (void)revoke_session();
    assert_int_equal(read_news(), 1);
    assert_false(saw_late());
    (void)revoke_session();
    assert_int_equal(read_news(), 1);
    ended(late, "COMMIT");
    assert_int_equal(read_news(), 1);
    assert_true(saw_late());
    assert_int_equal(read_news(), 0);
}

/* Nor by the very first read. */
static void a_commit_during_the_whole_read_is_not_missed(void **state)
{
    struct pg *late = begun(LATE);

    (void)state;
    assert_int_equal(read_news(), 0);
    ended(late, "COMMIT");
    assert_int_equal(read_news(), 1);
    assert_true(saw_late());
}

/* Its place is on a page that was read already. */
static void a_commit_between_two_pages_is_not_missed(void **state)
{
    const struct revocation_taker taker = {keep, NULL};
    struct pg *late = begun(LATE);
    bool more = false;

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        database_do("INSERT INTO revocations (session_id, expires_at)"
                    " SELECT gen_random_uuid(), now() + interval '600 s'"
                    " FROM generate_series(1, 2000)");
    }
    seen_count = 0;
    database_must(revocation_store_read(database(), &reading, &taker, &more));
    assert_true(more);
    assert_int_equal(seen_count, REVOCATION_STORE_PAGE_ROWS);
    ended(late, "COMMIT");
    while (more) {
        database_must(revocation_store_read(database(), &reading, &taker, &more));
    }
    assert_int_equal(seen_count, 4000);
    assert_false(saw_late());
    reading.since = reading.now;
    (void)read_news();
    assert_true(saw_late());
}

static void pages_follow_each_other(void **state)
{
    (void)state;
    database_do("INSERT INTO revocations (session_id, expires_at)"
                " SELECT gen_random_uuid(), now() + interval '600 s'"
                " FROM generate_series(1, 4500)");
    assert_int_equal(read_news(), 4500);
    for (size_t i = 0; i < 4500; i += 499) {
        for (size_t k = 0; k < i; k++) {
            assert_false(uuid_equal(seen[i].session_id, seen[k].session_id));
        }
    }
    assert_int_equal(read_news(), 0);
}

static void what_was_undone_is_not_read(void **state)
{
    struct pg *undone = begun(LATE);

    (void)state;
    assert_int_equal(read_news(), 0);
    ended(undone, "ROLLBACK");
    assert_int_equal(read_news(), 0);
}

static void what_has_expired_is_not_read(void **state)
{
    (void)state;
    database_do("INSERT INTO revocations (session_id, expires_at)"
                " VALUES (gen_random_uuid(), now() - interval '1 s'),"
                " (gen_random_uuid(), now() + interval '100 s')");
    assert_int_equal(read_news(), 1);
}

static void what_has_expired_is_swept(void **state)
{
    int64_t most = 0;

    (void)state;
    database_do("INSERT INTO revocations (session_id, expires_at)"
                " SELECT gen_random_uuid(), now() - interval '1 s' FROM generate_series(1, 3)");
    (void)revoke_session();
    database_must(expiry_store_sweep(database(), 86400, &most));
    assert_int_equal(most, 3);
    assert_int_equal(database_number("SELECT count(*) FROM revocations"), 1);
}

/* A list of transactions that does not fit: what they and others write may be read twice, and is never
 * missed. */
static void more_transactions_than_can_be_listed(void **state)
{
    struct pg *late = begun(LATE);
    size_t at;

    (void)state;
    (void)revoke_session();
    assert_int_equal(read_news(), 1);
    at = (size_t)snprintf(reading.since.snapshot, sizeof(reading.since.snapshot),
                          "%lld:%lld:", (long long)reading.since.xmin,
                          (long long)reading.since.xmin);
    reading.since.len = at;
    ended(late, "COMMIT");
    assert_int_equal(read_news(), 2);
    assert_true(saw_late());
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

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_session_is_read_once),
        TEST(a_user_is_named_by_its_subject),
        TEST(changes_are_told_once),
        TEST(a_late_commit_is_not_missed),
        TEST(a_commit_during_the_whole_read_is_not_missed),
        TEST(a_commit_between_two_pages_is_not_missed),
        TEST(pages_follow_each_other),
        TEST(what_was_undone_is_not_read),
        TEST(what_has_expired_is_not_read),
        TEST(what_has_expired_is_swept),
        TEST(more_transactions_than_can_be_listed),
    };

    return cmocka_run_group_tests_name("revocation_store", tests, set_up, tear_down);
}
