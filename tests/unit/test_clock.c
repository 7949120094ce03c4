/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "clock.h"

#include <time.h>

static void wall_clock_has_the_units_it_says(void **state)
{
    int64_t before_s = (int64_t)time(NULL);
    int64_t ns = clock_wall_ns();
    int64_t ms = clock_wall_ms();
    int64_t s = clock_wall_s();
    int64_t after_s = (int64_t)time(NULL);

    (void)state;
    /* time() reads a coarser clock, which may be a tick behind. */
    assert_in_range(ns / 1000000000, before_s, after_s + 1);
    assert_in_range(ms / 1000, before_s, after_s + 1);
    assert_in_range(s, before_s, after_s + 1);
}

static void monotonic_clock_does_not_fall(void **state)
{
    int64_t last_ns = clock_mono_ns();

    (void)state;
    for (int i = 0; i < 10000; i++) {
        int64_t now_ns = clock_mono_ns();

        assert_true(now_ns >= last_ns);
        last_ns = now_ns;
    }
    assert_in_range(clock_mono_ms() - last_ns / 1000000, 0, 60000);
}

static void cpu_clocks_count_work(void **state)
{
    int64_t process_before_ns = clock_process_cpu_ns();
    int64_t thread_before_ns = clock_thread_cpu_ns(); /* second, so that its span is the shorter */
    int64_t deadline_ms = clock_mono_ms() + 30000;

    (void)state;
    while (clock_thread_cpu_ns() - thread_before_ns < 2000000 && clock_mono_ms() < deadline_ms) {
    }
    assert_true(clock_thread_cpu_ns() - thread_before_ns >= 2000000);
    assert_true(clock_process_cpu_ns() - process_before_ns >= 2000000);
}

static void cpu_clock_stands_while_a_thread_waits(void **state)
{
    struct timespec wait = {.tv_nsec = 50000000};
    int64_t before_ns = clock_thread_cpu_ns();

    (void)state;
    assert_int_equal(nanosleep(&wait, NULL), 0);
    assert_true(clock_thread_cpu_ns() - before_ns < 40000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wall_clock_has_the_units_it_says),
        cmocka_unit_test(monotonic_clock_does_not_fall),
        cmocka_unit_test(cpu_clocks_count_work),
        cmocka_unit_test(cpu_clock_stands_while_a_thread_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
