/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "circuit.h"

static void closed_lets_everything_through(void **state)
{
    const struct circuit circuit = {0};

    (void)state;
    assert_false(circuit_is_open(&circuit));
    assert_int_equal(circuit_allows(&circuit, 0, 16), 16);
    assert_int_equal(circuit_allows(&circuit, 0, 0), 0);
    assert_int_equal(circuit_wait_ms(&circuit, 0), 0);
}

static void a_fault_opens_it_until_one_probe_may_go(void **state)
{
    struct circuit circuit = {0};

    (void)state;
    circuit_started(&circuit);
    circuit_faulted(&circuit, 5000, 700); /* 700 of 0..1000 ms */
    assert_true(circuit_is_open(&circuit));
    assert_int_equal(circuit_allows(&circuit, 5000, 16), 0);
    assert_int_equal(circuit_allows(&circuit, 5699, 16), 0);
    assert_int_equal(circuit_wait_ms(&circuit, 5300), 400);
    assert_int_equal(circuit_allows(&circuit, 5700, 16), 1);
    assert_int_equal(circuit_allows(&circuit, 5700, 0), 0);
    circuit_started(&circuit);
    assert_int_equal(circuit_allows(&circuit, 99999, 16), 0); /* while the probe is under way */
}

static void a_probe_that_is_answered_closes_it(void **state)
{
    struct circuit circuit = {0};

    (void)state;
    circuit_faulted(&circuit, 0, 0);
    circuit_started(&circuit);
    circuit_answered(&circuit);
    assert_false(circuit_is_open(&circuit));
    assert_int_equal(circuit_allows(&circuit, 0, 16), 16);
}

static void calls_that_fail_together_count_once(void **state)
{
    struct circuit circuit = {0};

    (void)state;
    for (int i = 0; i < 16; i++) {
        circuit_faulted(&circuit, 0, UINT64_MAX);
    }
    assert_int_equal(circuit.faults, 1);
    assert_true(circuit_wait_ms(&circuit, 0) <= CIRCUIT_BASE_MS);
}

/* The most that it may wait doubles with each probe that fails, to a minute. */
static void it_waits_longer_each_time(void **state)
{
    static const int64_t most_ms[] = {1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000};
    uint64_t seed = 88172645463325252;

    (void)state;
    for (int round = 0; round < 1000; round++) {
        struct circuit circuit = {0};

        for (size_t i = 0; i < sizeof(most_ms) / sizeof(most_ms[0]); i++) {
            circuit_started(&circuit);
            circuit_faulted(&circuit, 0, unit_random(&seed));
            assert_true(circuit_wait_ms(&circuit, 0) >= 0);
            assert_true(circuit_wait_ms(&circuit, 0) <= most_ms[i]);
        }
    }
}

static void the_count_of_faults_does_not_overflow(void **state)
{
    struct circuit circuit = {.faults = INT32_MAX, .probing = true};

    (void)state;
    circuit_faulted(&circuit, 0, 60000);
    assert_int_equal(circuit.faults, INT32_MAX);
    assert_int_equal(circuit_wait_ms(&circuit, 0), 60000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closed_lets_everything_through),
        cmocka_unit_test(a_fault_opens_it_until_one_probe_may_go),
        cmocka_unit_test(a_probe_that_is_answered_closes_it),
        cmocka_unit_test(calls_that_fail_together_count_once),
        cmocka_unit_test(it_waits_longer_each_time),
        cmocka_unit_test(the_count_of_faults_does_not_overflow),
    };

    return cmocka_run_group_tests_name("circuit", tests, NULL, NULL);
}
