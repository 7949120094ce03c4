/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "metrics.h"
#include "metrics_label.h"

#include <pthread.h>
#include <stdio.h>

enum { TEXTS = 2 * METRIC_LABEL_VALUES_MAX };

static char texts[TEXTS][8];
static uint64_t numbers[TEXTS];

static void equal_texts_have_equal_numbers(void **state)
{
    static char first[] = "GET";
    static char second[] = "GET"; /* never kept */
    uint64_t number = metrics_label_number(first);

    (void)state;
    assert_true(number > 0 && number < METRICS_LABEL_OTHER);
    assert_int_equal(metrics_label_number(second), number);
    assert_string_equal(metrics_label_text(number), "GET");
    assert_int_not_equal(metrics_label_number("POST"), number);
    assert_string_equal(metrics_label_text(metrics_label_number("")), "");
}

static void other_has_its_own(void **state)
{
    (void)state;
    assert_int_equal(metrics_label_number("_other"), METRICS_LABEL_OTHER);
    assert_string_equal(metrics_label_text(METRICS_LABEL_OTHER), "_other");
}

static void *number_all(void *context)
{
    uint64_t *own = context;

    for (size_t i = 0; i < METRIC_LABEL_VALUES_MAX / 2; i++) {
        own[i] = metrics_label_number(texts[i]);
    }
    return NULL;
}

static void threads_agree(void **state)
{
    static uint64_t seen[4][METRIC_LABEL_VALUES_MAX / 2];
    pthread_t threads[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, number_all, seen[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_memory_equal(seen[i], seen[0], sizeof(seen[0]));
    }
    for (size_t i = 0; i < METRIC_LABEL_VALUES_MAX / 2; i++) {
        assert_string_equal(metrics_label_text(seen[0][i]), texts[i]);
    }
}

/* Last: it uses up the numbers. */
static void values_beyond_the_limit_become_other(void **state)
{
    size_t numbered = 0;

    (void)state;
    for (size_t i = 0; i < TEXTS; i++) {
        numbers[i] = metrics_label_number(texts[i]);
        numbered += numbers[i] != METRICS_LABEL_OTHER;
    }
    assert_in_range(numbered, METRIC_LABEL_VALUES_MAX - 3, METRIC_LABEL_VALUES_MAX);
    for (size_t i = 0; i < TEXTS; i++) {
        assert_int_equal(metrics_label_number(texts[i]), numbers[i]);
        assert_string_equal(metrics_label_text(numbers[i]),
                            numbers[i] == METRICS_LABEL_OTHER ? "_other" : texts[i]);
    }
}

static void ask_for_zero(void)
{
    (void)metrics_label_text(0);
}

static void ask_beyond_the_last(void)
{
    (void)metrics_label_text(METRIC_LABEL_VALUES_MAX + 1);
}

static void numbers_that_are_none_abort(void **state)
{
    (void)state;
    assert_true(unit_aborts(ask_for_zero));
    assert_true(unit_aborts(ask_beyond_the_last));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_texts_have_equal_numbers),       cmocka_unit_test(other_has_its_own),
        cmocka_unit_test(numbers_that_are_none_abort),          cmocka_unit_test(threads_agree),
        cmocka_unit_test(values_beyond_the_limit_become_other),
    };

    for (size_t i = 0; i < TEXTS; i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "v%zu", i);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
