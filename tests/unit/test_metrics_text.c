/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "metrics_text.h"

#include <math.h>

static char memory[512];
static const char *const names[] = {"method", "route", "status"};

static struct str sample(struct metrics_text_sample what)
{
    struct buf buf = buf_over(memory, sizeof(memory));

    what.name = "t";
    what.suffix = what.suffix == NULL ? "" : what.suffix;
    what.label_names = names;
    metrics_text_sample(&buf, &what);
    assert_false(buf.overflowed);
    return buf_str(&buf);
}

static void numbers(void **state)
{
    static const struct {
        double value;
        struct str line;
    } rows[] = {
        {0, {"t 0\n", 4}},
        {-0.0, {"t 0\n", 4}},
        {-7, {"t -7\n", 5}},
        {0.1, {"t 0.1\n", 6}},
        {-2.5, {"t -2.5\n", 7}},
        {9007199254740991.0, {"t 9007199254740991\n", 19}},
        {1e300, {"t 1e+300\n", 9}},
        {-1e300, {"t -1e+300\n", 10}},
        {1e-9, {"t 1e-09\n", 8}},
        {(double)NAN, {"t NaN\n", 6}},
        {(double)INFINITY, {"t +Inf\n", 7}},
        {-(double)INFINITY, {"t -Inf\n", 7}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_str_equal(sample((struct metrics_text_sample){.value = rows[i].value}),
                         rows[i].line);
    }
}

static void labels(void **state)
{
    const char *values[] = {"GET", "/v1/me", "200"};
    const double bound = 0.25;
    const double infinite = (double)INFINITY;

    (void)state;
    assert_str_equal(sample((struct metrics_text_sample){.label_values = values, .label_count = 1}),
                     STR("t{method=\"GET\"} 0\n"));
    assert_str_equal(sample((struct metrics_text_sample){.label_values = values, .label_count = 3}),
                     STR("t{method=\"GET\",route=\"/v1/me\",status=\"200\"} 0\n"));
    assert_str_equal(sample((struct metrics_text_sample){.suffix = "_bucket", .le = &bound}),
                     STR("t_bucket{le=\"0.25\"} 0\n"));
    assert_str_equal(
        sample((struct metrics_text_sample){
            .suffix = "_bucket", .le = &infinite, .label_values = values, .label_count = 2}),
        STR("t_bucket{method=\"GET\",route=\"/v1/me\",le=\"+Inf\"} 0\n"));
}

static void label_values_are_escaped(void **state)
{
    const char *values[] = {"a\\b\"c\nd", ""};

    (void)state;
    assert_str_equal(sample((struct metrics_text_sample){.label_values = values, .label_count = 2}),
                     STR("t{method=\"a\\\\b\\\"c\\nd\",route=\"\"} 0\n"));
}

static void heads(void **state)
{
    struct buf buf = buf_over(memory, sizeof(memory));

    (void)state;
    metrics_text_head(&buf, "t_total", "counter", "A \\ and a\nline and a \".");
    assert_str_equal(buf_str(&buf), STR("# HELP t_total A \\\\ and a\\nline and a \".\n"
                                        "# TYPE t_total counter\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(labels),
        cmocka_unit_test(label_values_are_escaped),
        cmocka_unit_test(heads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
