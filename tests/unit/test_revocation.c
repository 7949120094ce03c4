/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#include "clock.h"
#include "crypto.h"
#include "metrics.h"
#include "revocation.h"
#include "revocation_table.h"

enum { STALE_MS = 60000, TTL_S = 600, THREADS = 4, ROUNDS = 20000 };

static struct revocations *set;

static int fresh(void **state)
{
    (void)state;
    set = revocation_new(STALE_MS);
    revocation_read(set, clock_mono_ms());
    return 0;
}

static int gone(void **state)
{
    (void)state;
    revocation_free(set);
    return 0;
}

static int64_t later(void)
{
    return clock_wall_s() + TTL_S;
}

/* The n-th of many. */
static struct uuid numbered(uint64_t number)
{
    struct uuid out = {{0x01, 0x9a}};

    for (unsigned i = 0; i < 8; i++) {
        out.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    }
    return out;
}

static enum revocation_verdict judge(struct uuid sid, const char *sub, int64_t auth_ver)
{
    const struct revocation_query query = {sid, str_from(sub), auth_ver};

    return revocation_judge(set, &query);
}

static void an_ended_session_is_found(void **state)
{
    (void)state;
    assert_int_equal(judge(numbered(1), "eve", 1), REVOCATION_NONE);
    revocation_add_session(set, numbered(1), later());
    revocation_add_session(set, numbered(1), later());
    assert_int_equal(judge(numbered(1), "eve", 1), REVOCATION_FOUND);
    assert_int_equal(judge(numbered(1), "eve", INT64_MAX - 1), REVOCATION_FOUND);
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_NONE);
    assert_int_equal(revocation_count(set), 1);
}

static void tokens_below_the_subjects_least_are_found(void **state)
{
    (void)state;
    revocation_add_subject(set, STR("eve"), 3, later());
    assert_int_equal(judge(numbered(1), "eve", 2), REVOCATION_FOUND);
    assert_int_equal(judge(numbered(1), "eve", 3), REVOCATION_NONE);
    assert_int_equal(judge(numbered(1), "eva", 2), REVOCATION_NONE);
    revocation_add_subject(set, STR("eve"), 2, later()); /* an older row, read late */
    assert_int_equal(judge(numbered(1), "eve", 2), REVOCATION_FOUND);
    revocation_add_subject(set, STR("eve"), 4, later());
    assert_int_equal(judge(numbered(1), "eve", 3), REVOCATION_FOUND);
    assert_int_equal(judge(numbered(1), "eve", 4), REVOCATION_NONE);
    assert_int_equal(revocation_count(set), 1);
}

/* A subject may be the text of a session's id, or its very bytes. */
static void sessions_and_subjects_are_apart(void **state)
{
    const struct uuid id = numbered(7);

    (void)state;
    revocation_add_subject(set, (struct str){(const char *)id.bytes, sizeof(id.bytes)}, 9, later());
    assert_int_equal(judge(id, "eve", 1), REVOCATION_NONE);
}

/* A client's token has no session. */
static void no_session_is_nobodys(void **state)
{
    static const struct uuid nil;

    (void)state;
    revocation_add_session(set, nil, later());
    assert_int_equal(judge(nil, "client", 0), REVOCATION_NONE);
    revocation_add_subject(set, STR("client"), 1, later());
    assert_int_equal(judge(nil, "client", 0), REVOCATION_FOUND);
}

static void memory_that_was_not_refreshed_cannot_tell(void **state)
{
    (void)state;
    revocation_add_session(set, numbered(1), later());
    revocation_read(set, clock_mono_ms() - STALE_MS - 1);
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_UNKNOWN);
    assert_int_equal(judge(numbered(1), "eve", 1), REVOCATION_FOUND); /* that it knows */
    revocation_read(set, clock_mono_ms() - STALE_MS + 5000);
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_NONE);
}

static void nobody_has_read_yet(void **state)
{
    (void)state;
    revocation_free(set);
    set = revocation_new(STALE_MS);
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_UNKNOWN);
    revocation_add_session(set, numbered(1), later());
    assert_int_equal(judge(numbered(1), "eve", 1), REVOCATION_FOUND);
}

static void doubt_lasts_until_a_later_read(void **state)
{
    const int64_t before_ms = clock_mono_ms();

    (void)state;
    revocation_doubt(set);
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_UNKNOWN);
    revocation_read(set, before_ms); /* it was under way then */
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_UNKNOWN);
    while (clock_mono_ms() <= before_ms + 1) {
        (void)poll(NULL, 0, 1);
    }
    revocation_read(set, clock_mono_ms() + 1);
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_NONE);
}

static void what_has_expired_is_not_found(void **state)
{
    const int64_t now_s = clock_wall_s();

    (void)state;
    revocation_add_session(set, numbered(1), now_s);
    assert_int_equal(revocation_count(set), 0);
    revocation_add_session(set, numbered(2), now_s + 1);
    revocation_add_subject(set, STR("eve"), 9, now_s + 1);
    while (clock_wall_s() <= now_s + 1) {
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(judge(numbered(2), "eve", 1), REVOCATION_NONE);
    /* A database that was restored counts anew. */
    revocation_add_subject(set, STR("eve"), 3, later());
    assert_int_equal(judge(numbered(3), "eve", 2), REVOCATION_FOUND);
    assert_int_equal(judge(numbered(3), "eve", 3), REVOCATION_NONE);
}

static void it_grows(void **state)
{
    enum { MANY = 50000 };

    (void)state;
    for (uint64_t i = 1; i <= MANY; i++) {
        revocation_add_session(set, numbered(i), later());
    }
    assert_int_equal(revocation_count(set), MANY);
    for (uint64_t i = 1; i <= MANY; i++) {
        assert_int_equal(judge(numbered(i), "eve", 1), REVOCATION_FOUND);
        assert_int_equal(judge(numbered(i + MANY), "eve", 1), REVOCATION_NONE);
    }
}

static void it_shrinks_when_all_has_expired(void **state)
{
    enum { MANY = 20000 };
    const int64_t until_s = clock_wall_s() + 2;

    (void)state;
    for (uint64_t i = 1; i <= MANY; i++) {
        revocation_add_session(set, numbered(i), until_s);
    }
    assert_int_equal(revocation_count(set), MANY);
    while (clock_wall_s() <= until_s) {
        (void)poll(NULL, 0, 10);
    }
    revocation_read(set, clock_mono_ms() + 120000); /* once a minute */
    assert_int_equal(revocation_count(set), 0);
}

static void fill(int64_t expires_s)
{
    for (uint64_t i = 1; i <= REVOCATION_MAX; i++) {
        revocation_add_session(set, numbered(i), expires_s);
    }
    assert_int_equal(revocation_count(set), REVOCATION_MAX);
}

static void more_than_fits_makes_it_unsure(void **state)
{
    (void)state;
    fill(later());
    assert_int_equal(judge(numbered(REVOCATION_MAX + 1), "eve", 1), REVOCATION_NONE);
    revocation_add_session(set, numbered(REVOCATION_MAX + 1), clock_wall_s() + 2);
    assert_int_equal(revocation_count(set), REVOCATION_MAX);
    assert_int_equal(judge(numbered(REVOCATION_MAX + 1), "eve", 1), REVOCATION_UNKNOWN);
    assert_int_equal(judge(numbered(1), "eve", 1), REVOCATION_FOUND);
    revocation_add_session(set, numbered(1), later()); /* what is there can be renewed */
    assert_int_equal(judge(numbered(1), "eve", 1), REVOCATION_FOUND);
}

/* Until what was dropped has expired. */
static void it_is_sure_again_later(void **state)
{
    const int64_t until_s = clock_wall_s() + 2;

    (void)state;
    fill(later());
    revocation_add_session(set, numbered(REVOCATION_MAX + 1), until_s);
    while (clock_wall_s() < until_s) {
        assert_int_not_equal(judge(numbered(REVOCATION_MAX + 2), "eve", 1), REVOCATION_FOUND);
        (void)poll(NULL, 0, 10);
    }
    assert_int_equal(judge(numbered(REVOCATION_MAX + 2), "eve", 1), REVOCATION_NONE);
}

static void what_has_expired_makes_room(void **state)
{
    const int64_t until_s = clock_wall_s() + 20;
    struct revocation_table table;
    struct revocation_table smaller;

    (void)state;
    assert_int_equal(revocation_table_make(1000, &table), OK);
    for (uint64_t i = 1; i <= 1000; i++) {
        const struct revocation_entry entry = {
            .key = {{i * UINT64_C(0x9e3779b97f4a7c15), i}},
            .min_auth_ver = (int64_t)i,
            .expires_s = until_s + (i % 10 == 0),
        };

        revocation_table_add(&table, &entry);
    }
    assert_int_equal(revocation_table_live(&table, until_s - 1), 1000);
    assert_int_equal(revocation_table_live(&table, until_s), 100);
    assert_int_equal(revocation_table_make(100, &smaller), OK);
    revocation_table_copy(&table, until_s, &smaller);
    assert_int_equal(smaller.used, 100);
    assert_true(smaller.places < table.places);
    for (uint64_t i = 10; i <= 1000; i += 10) {
        const struct siphash key = {{i * UINT64_C(0x9e3779b97f4a7c15), i}};

        assert_int_equal(revocation_table_find(&smaller, key)->min_auth_ver, i);
    }
    revocation_table_free(&table);
    revocation_table_free(&smaller);
}

static int64_t cost_ns(unsigned shift)
{
    enum { MANY = 100000 };
    int64_t began_ns;

    revocation_free(set);
    set = revocation_new(STALE_MS);
    began_ns = clock_thread_cpu_ns();
    for (uint64_t i = 1; i <= MANY; i++) {
        const uint64_t number = i << shift;

        revocation_add_session(set, numbered(number), later());
        revocation_add_subject(set, (struct str){(const char *)&number, sizeof(number)}, 2,
                               later());
    }
    assert_int_equal(revocation_count(set), 2 * MANY);
    return clock_thread_cpu_ns() - began_ns;
}

/* Ids that somebody chose so that they differ in few bits meet no more often than others. */
static void chosen_ids_cost_no_more(void **state)
{
    const int64_t usual_ns = cost_ns(0);

    (void)state;
    assert_true(cost_ns(24) < 10 * usual_ns);
    assert_true(cost_ns(44) < 10 * usual_ns);
}

static void keys_that_meet_are_told_apart(void **state)
{
    struct revocation_table table;

    (void)state;
    assert_int_equal(revocation_table_make(100, &table), OK);
    for (uint64_t i = 1; i <= 100; i++) {
        const struct revocation_entry entry = {{{511, i}}, (int64_t)i, 1}; /* around the end */

        revocation_table_add(&table, &entry);
    }
    for (uint64_t i = 1; i <= 100; i++) {
        assert_int_equal(revocation_table_find(&table, (struct siphash){{511, i}})->min_auth_ver,
                         i);
    }
    assert_null(revocation_table_find(&table, (struct siphash){{511, 101}}));
    assert_null(revocation_table_find(&table, (struct siphash){{510, 1}}));
    revocation_table_free(&table);
}

static _Atomic uint64_t added; /* all up to here are in the set */
static atomic_bool failed;

/* What was added is found at once, by everybody, also while the table is replaced. */
static void *ask(void *context)
{
    (void)context;
    while (!atomic_load(&failed)) {
        const uint64_t known = atomic_load(&added);
        const uint64_t number = known == 0 ? 1 : 1 + (known * 7919) % known;

        if (known > 0 && judge(numbered(number), "eve", 1) != REVOCATION_FOUND) {
            atomic_store(&failed, true);
        }
        if (judge(numbered((UINT64_C(1) << 60) + known), "eve", 1) != REVOCATION_NONE) {
            atomic_store(&failed, true);
        }
        if (known == ROUNDS) {
            break;
        }
    }
    return NULL;
}

/* A second writer, of the same entries and of others. */
static void *add_too(void *context)
{
    (void)context;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        revocation_add_session(set, numbered(i), later());
        revocation_add_subject(set, STR("adam"), (int64_t)i, later());
        revocation_read(set, clock_mono_ms());
    }
    return NULL;
}

static void threads_agree(void **state)
{
    pthread_t threads[THREADS];
    pthread_t writer;

    (void)state;
    atomic_store(&added, 0);
    atomic_store(&failed, false);
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask, NULL), 0);
    }
    assert_int_equal(pthread_create(&writer, NULL, add_too, NULL), 0);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        revocation_add_session(set, numbered(i), later());
        atomic_store(&added, i);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(pthread_join(writer, NULL), 0);
    assert_false(atomic_load(&failed));
    assert_int_equal(revocation_count(set), ROUNDS + 1);
    assert_int_equal(judge(numbered(ROUNDS + 1), "adam", ROUNDS - 1), REVOCATION_FOUND);
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fresh, gone)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_ended_session_is_found),
        TEST(tokens_below_the_subjects_least_are_found),
        TEST(sessions_and_subjects_are_apart),
        TEST(no_session_is_nobodys),
        TEST(memory_that_was_not_refreshed_cannot_tell),
        TEST(nobody_has_read_yet),
        TEST(doubt_lasts_until_a_later_read),
        TEST(what_has_expired_is_not_found),
        TEST(it_grows),
        TEST(it_shrinks_when_all_has_expired),
        TEST(more_than_fits_makes_it_unsure),
        TEST(it_is_sure_again_later),
        TEST(what_has_expired_makes_room),
        TEST(chosen_ids_cost_no_more),
        TEST(keys_that_meet_are_told_apart),
        TEST(threads_agree),
    };

    return cmocka_run_group_tests_name("revocation", tests, set_up, NULL);
}
