/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "clock.h"
#include "health.h"

static const char *told(const struct health *health, bool wanted)
{
    bool ready = !wanted;
    const char *reason = health_readiness(health, &ready);

    assert_int_equal(ready, wanted);
    return reason;
}

static void it_is_not_ready_before_the_schema_is(void **state)
{
    struct health health = {0};

    (void)state;
    assert_string_equal(told(&health, false), "schema_not_migrated");
    health_database_seen(&health);
    assert_string_equal(told(&health, false), "schema_not_migrated");
}

static void it_is_ready_with_schema_and_database(void **state)
{
    struct health health = {0};

    (void)state;
    atomic_store(&health.migrated, true);
    assert_false(health_database_is_near(&health));
    assert_string_equal(told(&health, false), "database_away");
    health_database_seen(&health);
    assert_true(health_database_is_near(&health));
    assert_string_equal(told(&health, false), "revocations_not_read");
    atomic_store(&health.revocations_read, true);
    assert_string_equal(told(&health, true), "ready");
}

/* A blip is ridden out, an outage is told. */
static void a_database_is_away_after_a_while(void **state)
{
    struct health health = {0};

    (void)state;
    atomic_store(&health.revocations_read, true);
    atomic_store(&health.migrated, true);
    atomic_store(&health.database_seen_ms, clock_mono_ms() - HEALTH_DATABASE_AWAY_MS + 2000);
    assert_string_equal(told(&health, true), "ready");
    atomic_store(&health.database_seen_ms, clock_mono_ms() - HEALTH_DATABASE_AWAY_MS - 1);
    assert_string_equal(told(&health, false), "database_away");
    health_database_seen(&health);
    assert_string_equal(told(&health, true), "ready");
}

/* Workers report in any order: the newest answer counts. */
static void an_older_answer_says_nothing(void **state)
{
    struct health health = {0};
    int64_t now_ms = clock_mono_ms();

    (void)state;
    atomic_store(&health.revocations_read, true);
    atomic_store(&health.migrated, true);
    health_database_answered(&health, 0);
    assert_string_equal(told(&health, false), "database_away");
    health_database_answered(&health, now_ms);
    health_database_answered(&health, now_ms - HEALTH_DATABASE_AWAY_MS - 1);
    assert_int_equal(atomic_load(&health.database_seen_ms), now_ms);
    assert_string_equal(told(&health, true), "ready");
}

/* The first thing that a balancer must know of. */
static void who_stops_is_not_ready(void **state)
{
    struct health health = {0};

    (void)state;
    atomic_store(&health.draining, true);
    assert_string_equal(told(&health, false), "draining");
    atomic_store(&health.migrated, true);
    health_database_seen(&health);
    assert_string_equal(told(&health, false), "draining");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_not_ready_before_the_schema_is),
        cmocka_unit_test(it_is_ready_with_schema_and_database),
        cmocka_unit_test(a_database_is_away_after_a_while),
        cmocka_unit_test(an_older_answer_says_nothing),
        cmocka_unit_test(who_stops_is_not_ready),
    };

    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
