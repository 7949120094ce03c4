/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "retry.h"

static const struct retry_state fresh_head = {
    .is_ordered = true,
    .park_after_ms = 300000,
    .retry_after_s = -1,
};

static enum retry_fate fate_of(int status)
{
    const struct http_call call = {.outcome = HTTP_ANSWERED, .status = status};

    return retry_judge(&call).fate;
}

static void every_status_has_its_fate(void **state)
{
    (void)state;
    for (int status = 200; status < 600; status++) {
        const enum retry_fate fate = fate_of(status);

        if (status < 300) {
            assert_int_equal(fate, RETRY_DELIVERED);
        } else if (status < 400 || status == 401 || status == 403 || status == 410) {
            assert_int_equal(fate, RETRY_ENDPOINT);
        } else if (status == 408 || status == 425 || status == 429 || status >= 500) {
            assert_int_equal(fate, RETRY_LATER);
        } else {
            assert_int_equal(fate, RETRY_REJECTED);
        }
    }
}

static void without_an_answer(void **state)
{
    static const struct {
        enum http_outcome outcome;
        enum retry_fate fate;
        const char *reason;
    } rows[] = {
        {HTTP_NO_CONNECTION, RETRY_AWAY, "no_connection"},
        {HTTP_TIMED_OUT, RETRY_LATER, "timeout"},
        {HTTP_BROKEN, RETRY_LATER, "broken"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct http_call call = {.outcome = rows[i].outcome, .status = 200};

        assert_int_equal(retry_judge(&call).fate, rows[i].fate);
        assert_string_equal(retry_judge(&call).reason, rows[i].reason);
    }
}

static void back_off_is_full_jitter_up_to_the_cap(void **state)
{
    uint64_t seed = 88172645463325252;

    (void)state;
    for (int32_t attempt = 0; attempt < 64; attempt++) {
        const int64_t most_ms = attempt < 9 ? 1000LL << attempt : 300000;
        const int64_t bound_ms = most_ms < 300000 ? most_ms : 300000;
        int64_t sum_ms = 0;

        assert_int_equal(retry_backoff_ms(1000, 300000, attempt, 0), 0);
        assert_int_equal(retry_backoff_ms(1000, 300000, attempt, (uint64_t)bound_ms), bound_ms);
        for (int i = 0; i < 1000; i++) {
            const int64_t wait_ms = retry_backoff_ms(1000, 300000, attempt, unit_random(&seed));

            assert_true(wait_ms >= 0 && wait_ms <= bound_ms);
            sum_ms += wait_ms;
        }
        assert_true(sum_ms / 1000 > bound_ms * 4 / 10 && sum_ms / 1000 < bound_ms * 6 / 10);
    }
    assert_true(retry_backoff_ms(1000, 300000, INT32_MAX, 299999) == 299999);
}

static void the_endpoints_fault_costs_the_event_nothing(void **state)
{
    struct retry_state in = fresh_head;
    struct outbox_failure out;

    (void)state;
    in.rejections = 2;
    out = retry_plan(RETRY_ENDPOINT, &in, UINT64_MAX);
    assert_false(out.counts || out.is_rejection || out.is_dead || out.is_parked);
    assert_true(out.is_fault);
    in.others_accepted = true; /* proves nothing where nobody answered */
    in.failing_ms = 900000;
    out = retry_plan(RETRY_AWAY, &in, UINT64_MAX);
    assert_false(out.counts || out.is_rejection || out.is_dead || out.is_parked || out.is_fault);
}

static void a_fault_that_only_one_event_meets_is_its_own(void **state)
{
    struct retry_state in = fresh_head;

    (void)state;
    in.others_accepted = true;
    for (in.rejections = 0; in.rejections < 3; in.rejections++) {
        const struct outbox_failure out = retry_plan(RETRY_ENDPOINT, &in, 700);

        assert_true(out.counts && out.is_rejection && out.is_fault);
        assert_int_equal(out.is_dead, in.rejections == 2);
        assert_int_equal(out.retry_in_ms, 700);
    }
}

static void the_third_rejection_is_the_last(void **state)
{
    struct retry_state in = fresh_head;

    (void)state;
    in.attempts = 40; /* failures of another kind do not count towards it */
    for (in.rejections = 0; in.rejections < 3; in.rejections++) {
        const struct outbox_failure out = retry_plan(RETRY_REJECTED, &in, 1);

        assert_true(out.counts && out.is_rejection);
        assert_int_equal(out.is_dead, in.rejections == 2);
    }
}

static void other_failures_never_kill(void **state)
{
    struct retry_state in = fresh_head;
    struct outbox_failure out;

    (void)state;
    in.attempts = 1000000;
    in.rejections = 2;
    out = retry_plan(RETRY_LATER, &in, 1);
    assert_true(out.counts);
    assert_false(out.is_dead || out.is_rejection);
}

static void a_head_is_parked_after_its_time(void **state)
{
    struct retry_state in = fresh_head;

    (void)state;
    in.failing_ms = 299999;
    assert_false(retry_plan(RETRY_LATER, &in, 1).is_parked);
    in.failing_ms = 300000;
    assert_true(retry_plan(RETRY_LATER, &in, 1).is_parked);
    assert_true(retry_plan(RETRY_REJECTED, &in, 1).is_parked);
    assert_true(retry_plan(RETRY_ENDPOINT, &in, 1).is_parked);
    in.is_ordered = false;
    assert_false(retry_plan(RETRY_LATER, &in, 1).is_parked);
}

/* A back-off of minutes must not put the parking off by minutes. */
static void the_last_try_before_parking_is_in_time(void **state)
{
    struct retry_state in = fresh_head;

    (void)state;
    in.attempts = 20;
    in.failing_ms = 290000;
    assert_int_equal(retry_plan(RETRY_LATER, &in, 299999).retry_in_ms, 10000);
    in.is_ordered = false;
    assert_int_equal(retry_plan(RETRY_LATER, &in, 299999).retry_in_ms, 299999);
}

static void retry_after_is_the_least(void **state)
{
    struct retry_state in = fresh_head;

    (void)state;
    in.retry_after_s = 7;
    assert_int_equal(retry_plan(RETRY_LATER, &in, 1).retry_in_ms, 7000);
    in.attempts = 20;
    assert_int_equal(retry_plan(RETRY_LATER, &in, 20000).retry_in_ms, 20000);
    in.retry_after_s = INT32_MAX; /* nobody holds an event for years */
    assert_int_equal(retry_plan(RETRY_LATER, &in, 1).retry_in_ms, RETRY_CAP_MS);
    in.retry_after_s = 0;
    assert_int_equal(retry_plan(RETRY_LATER, &in, 1).retry_in_ms, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_its_fate),
        cmocka_unit_test(without_an_answer),
        cmocka_unit_test(back_off_is_full_jitter_up_to_the_cap),
        cmocka_unit_test(the_endpoints_fault_costs_the_event_nothing),
        cmocka_unit_test(a_fault_that_only_one_event_meets_is_its_own),
        cmocka_unit_test(the_third_rejection_is_the_last),
        cmocka_unit_test(other_failures_never_kill),
        cmocka_unit_test(a_head_is_parked_after_its_time),
        cmocka_unit_test(the_last_try_before_parking_is_in_time),
        cmocka_unit_test(retry_after_is_the_least),
    };

    return cmocka_run_group_tests_name("retry", tests, NULL, NULL);
}
