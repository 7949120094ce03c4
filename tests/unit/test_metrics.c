/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static double read_context(void *context)
{
    return *(const double *)context;
}

static double read_value = 41.5;
static const double two_buckets[] = {0.5, 2, 0};

enum {
    REQUESTS,
    PLAIN,
    DEPTH,
    READ,
    SECONDS,
    SIZES,
    SHARED,
    SHARED_SECONDS,
    SHARED_GAUGE,
    CROWDED,
    METRICS
};

static struct metric metrics[METRICS] = {
    [REQUESTS] = {.name = "t_requests_total",
                  .type = METRIC_COUNTER,
                  .help = "Requests.",
                  .labels = {"method", "route", "status"}},
    [PLAIN] = {.name = "t_plain_total", .type = METRIC_COUNTER, .help = "Plain."},
    [DEPTH] = {.name = "t_depth", .type = METRIC_GAUGE, .help = "Depth.", .labels = {"lane"}},
    [READ] = {.name = "t_read",
              .type = METRIC_GAUGE,
              .help = "Read.",
              .read = read_context,
              .context = &read_value},
    [SECONDS] = {.name = "t_seconds", .type = METRIC_HISTOGRAM, .help = "Seconds."},
    [SIZES] = {.name = "t_sizes",
               .type = METRIC_HISTOGRAM,
               .help = "Sizes.",
               .labels = {"kind"},
               .buckets = two_buckets},
    [SHARED] = {.name = "t_shared_total",
                .type = METRIC_COUNTER,
                .help = "Shared.",
                .labels = {"a", "b"}},
    [SHARED_SECONDS] = {.name = "t_shared_seconds",
                        .type = METRIC_HISTOGRAM,
                        .help = "Shared.",
                        .labels = {"a"},
                        .buckets = two_buckets},
    [SHARED_GAUGE] = {.name = "t_shared", .type = METRIC_GAUGE, .help = "Shared."},
    [CROWDED] = {.name = "t_crowded_total",
                 .type = METRIC_COUNTER,
                 .help = "Crowded.",
                 .labels = {"a", "b"}},
};

static char memory[1 << 20];

static struct str rendered(void)
{
    struct buf buf = buf_over(memory, sizeof(memory));
    struct str all = STR_EMPTY;

    metrics_render(&buf);
    assert_int_equal(buf_finish(&buf, &all), OK);
    return all;
}

static bool find_line(struct str text, const char *line)
{
    while (text.len > 0) {
        if (str_equal(str_cut(&text, '\n'), str_from(line))) {
            return true;
        }
    }
    return false;
}

static void assert_line(const char *line)
{
    if (!find_line(rendered(), line)) {
        fail_msg("no line %s", line);
    }
}

/* How many series the metric shows, and the sum of their values. */
static size_t series_of(struct str name, double *sum)
{
    struct str text = rendered();
    size_t count = 0;

    *sum = 0;
    while (text.len > 0) {
        struct str line = str_cut(&text, '\n');
        struct str value = line;
        char number[32];

        if (!str_starts(line, name)) {
            continue;
        }
        (void)str_cut(&value, ' ');
        (void)snprintf(number, sizeof(number), "%.*s", STR_ARG(value));
        *sum += strtod(number, NULL);
        count++;
    }
    return count;
}

static int register_all(void **state)
{
    (void)state;
    metric_count(&metrics[PLAIN], NULL, NULL, NULL); /* not yet: counts nothing */
    metric_set(&metrics[DEPTH], 5, "db", NULL, NULL);
    metric_observe(&metrics[SECONDS], 1, NULL, NULL, NULL);
    metrics_register(metrics, METRICS);
    return 0;
}

static void without_labels_it_shows_from_the_start(void **state)
{
    double sum;

    (void)state;
    assert_line("# HELP t_plain_total Plain.");
    assert_line("# TYPE t_plain_total counter");
    assert_line("t_plain_total 0");
    assert_line("# TYPE t_requests_total counter");
    assert_int_equal(series_of(STR("t_requests_total"), &sum), 0);
    assert_int_equal(series_of(STR("t_depth"), &sum), 0);
    assert_line("t_seconds_count 0");
}

static void a_list_is_registered_once(void **state)
{
    (void)state;
    metric_count(&metrics[PLAIN], NULL, NULL, NULL);
    metrics_register(metrics, METRICS);
    assert_line("t_plain_total 1");
}

static void counters(void **state)
{
    char same_text[] = "GET";

    (void)state;
    metric_count(&metrics[REQUESTS], "GET", "/v1/me", "200");
    metric_add(&metrics[REQUESTS], 2, same_text, "/v1/me", "200");
    metric_count(&metrics[REQUESTS], "GET", "/v1/me", "401");
    metric_count(&metrics[REQUESTS], "/v1/me", "GET", "200"); /* order matters */
    assert_line("t_requests_total{method=\"GET\",route=\"/v1/me\",status=\"200\"} 3");
    assert_line("t_requests_total{method=\"GET\",route=\"/v1/me\",status=\"401\"} 1");
    assert_line("t_requests_total{method=\"/v1/me\",route=\"GET\",status=\"200\"} 1");
    metric_add(&metrics[PLAIN], 0.25, NULL, NULL, NULL);
    metric_add(&metrics[PLAIN], 0, NULL, NULL, NULL);
    assert_line("t_plain_total 1.25");
}

static void gauges(void **state)
{
    (void)state;
    metric_set(&metrics[DEPTH], 7, "db", NULL, NULL);
    metric_add(&metrics[DEPTH], -2, "db", NULL, NULL);
    metric_set(&metrics[DEPTH], -0.5, "hash", NULL, NULL);
    assert_line("t_depth{lane=\"db\"} 5");
    assert_line("t_depth{lane=\"hash\"} -0.5");
}

static void what_is_read_at_render(void **state)
{
    (void)state;
    assert_line("t_read 41.5");
    read_value = 42;
    assert_line("t_read 42");
}

static void histogram_has_the_buckets_of_requests_by_default(void **state)
{
    static const char *const lines[] = {"t_seconds_bucket{le=\"0.001\"} 1",
                                        "t_seconds_bucket{le=\"0.0025\"} 1",
                                        "t_seconds_bucket{le=\"0.005\"} 1",
                                        "t_seconds_bucket{le=\"0.01\"} 1",
                                        "t_seconds_bucket{le=\"0.025\"} 1",
                                        "t_seconds_bucket{le=\"0.05\"} 1",
                                        "t_seconds_bucket{le=\"0.1\"} 1",
                                        "t_seconds_bucket{le=\"0.2\"} 1",
                                        "t_seconds_bucket{le=\"0.3\"} 2",
                                        "t_seconds_bucket{le=\"0.5\"} 2",
                                        "t_seconds_bucket{le=\"1\"} 2",
                                        "t_seconds_bucket{le=\"2.5\"} 2",
                                        "t_seconds_bucket{le=\"5\"} 2",
                                        "t_seconds_bucket{le=\"10\"} 2",
                                        "t_seconds_bucket{le=\"+Inf\"} 3",
                                        "t_seconds_sum 11.25",
                                        "t_seconds_count 3"};

    (void)state;
    metric_observe(&metrics[SECONDS], 0, NULL, NULL, NULL);
    metric_observe(&metrics[SECONDS], 0.25, NULL, NULL, NULL);
    metric_observe(&metrics[SECONDS], 11, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        assert_line(lines[i]);
    }
}

static void a_bound_belongs_to_its_bucket(void **state)
{
    (void)state;
    metric_observe(&metrics[SIZES], 0.5, "x", NULL, NULL);
    metric_observe(&metrics[SIZES], 0.500001, "x", NULL, NULL);
    metric_observe(&metrics[SIZES], 2, "x", NULL, NULL);
    metric_observe(&metrics[SIZES], 2.000001, "x", NULL, NULL);
    metric_observe(&metrics[SIZES], (double)INFINITY, "y", NULL, NULL);
    assert_line("t_sizes_bucket{kind=\"x\",le=\"0.5\"} 1");
    assert_line("t_sizes_bucket{kind=\"x\",le=\"2\"} 3");
    assert_line("t_sizes_bucket{kind=\"x\",le=\"+Inf\"} 4");
    assert_line("t_sizes_count{kind=\"x\"} 4");
    assert_line("t_sizes_sum{kind=\"x\"} 5.000002");
    assert_line("t_sizes_bucket{kind=\"y\",le=\"2\"} 0");
    assert_line("t_sizes_count{kind=\"y\"} 1");
}

static void several_lists(void **state)
{
    static struct metric second[] = {
        {.name = "t_second", .type = METRIC_GAUGE, .help = "Second."},
    };

    (void)state;
    metrics_register(second, 1);
    metrics_register(metrics, METRICS);
    metric_set(&second[0], 3, NULL, NULL, NULL);
    metrics_register(second, 1);
    assert_line("t_second 3");
    assert_line("# TYPE t_plain_total counter");
}

static void each_metric_is_rendered_once(void **state)
{
    struct str text = rendered();
    size_t heads = 0;

    (void)state;
    assert_true(str_ends(text, STR("\n")));
    while (text.len > 0) {
        heads += str_starts(str_cut(&text, '\n'), STR("# TYPE t_"));
    }
    assert_int_equal(heads, METRICS + 1);
}

static void a_buffer_that_is_too_small_says_so(void **state)
{
    char small[100];
    struct buf buf = buf_over(small, sizeof(small));

    (void)state;
    metrics_render(&buf);
    assert_true(buf.overflowed);
}

enum { THREADS = 8, ROUNDS = 4000, TEXTS = 6, SUM_EACH = ROUNDS / 3 * 3 /* of i % 3 */ };

static const char *const texts[TEXTS] = {"s0", "s1", "s2", "s3", "s4", "s5"};
static pthread_barrier_t barrier;
static atomic_bool rendering;

static void *use_shared(void *context)
{
    unsigned offset = *(const unsigned *)context;

    (void)pthread_barrier_wait(&barrier); /* all of them bring the new series at once */
    for (unsigned i = 0; i < ROUNDS; i++) {
        const char *a = texts[(i + offset) % TEXTS];
        const char *b = texts[(i + offset) / TEXTS % TEXTS];

        metric_count(&metrics[SHARED], a, b, NULL);
        metric_observe(&metrics[SHARED_SECONDS], i % 3, a, NULL, NULL);
        metric_add(&metrics[SHARED_GAUGE], i % 2 == 0 ? 1 : -1, NULL, NULL, NULL);
    }
    return NULL;
}

static void *render_on(void *context)
{
    static char own_memory[1 << 18];

    (void)context;
    while (atomic_load(&rendering)) {
        struct buf buf = buf_over(own_memory, sizeof(own_memory));

        metrics_render(&buf);
    }
    return NULL;
}

static void threads_lose_no_count(void **state)
{
    unsigned offsets[THREADS];
    pthread_t threads[THREADS];
    pthread_t renderer;
    double sum;

    (void)state;
    atomic_store(&rendering, true);
    assert_int_equal(pthread_barrier_init(&barrier, NULL, THREADS), 0);
    assert_int_equal(pthread_create(&renderer, NULL, render_on, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        offsets[i] = i % 2; /* pairs in step: the same series at the same moment */
        assert_int_equal(pthread_create(&threads[i], NULL, use_shared, &offsets[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    atomic_store(&rendering, false);
    assert_int_equal(pthread_join(renderer, NULL), 0);

    assert_int_equal(series_of(STR("t_shared_total"), &sum), TEXTS * TEXTS); /* none twice */
    assert_true(sum == (double)THREADS * ROUNDS);
    assert_int_equal(series_of(STR("t_shared_seconds_count"), &sum), TEXTS);
    assert_true(sum == (double)THREADS * ROUNDS);
    (void)series_of(STR("t_shared_seconds_sum"), &sum);
    assert_true(sum == THREADS * SUM_EACH);
    assert_line("t_shared 0");
}

static char many_texts[30][8];

static void series_beyond_the_limit_land_in_other(void **state)
{
    double sum;

    (void)state;
    /* 30 values make 900 pairs. */
    for (unsigned i = 0; i < 30; i++) {
        (void)snprintf(many_texts[i], sizeof(many_texts[i]), "p%u", i);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 900; i++) {
            metric_count(&metrics[CROWDED], many_texts[i / 30], many_texts[i % 30], NULL);
        }
    }
    metric_count(&metrics[CROWDED], "_other", "_other", NULL); /* the same series */
    assert_int_equal(series_of(STR("t_crowded_total"), &sum), METRIC_SERIES_MAX + 1);
    assert_true(sum == 1801);
    assert_line("t_crowded_total{a=\"p0\",b=\"p0\"} 2");
    assert_line("t_crowded_total{a=\"_other\",b=\"_other\"} 777"); /* 2 * (900 - 512) + 1 */
}

/* Each row is a declaration that is wrong in one way. */
static struct metric wrong[] = {
    {.name = "counts", .type = METRIC_COUNTER, .help = "h"},
    {.name = "gauge_total", .type = METRIC_GAUGE, .help = "h"},
    {.name = "bad-name", .type = METRIC_GAUGE, .help = "h"},
    {.name = "0name", .type = METRIC_GAUGE, .help = "h"},
    {.name = "", .type = METRIC_GAUGE, .help = "h"},
    {.name = NULL, .type = METRIC_GAUGE, .help = "h"},
    {.name = "no_help", .type = METRIC_GAUGE},
    {.name = "t_requests_total", .type = METRIC_COUNTER, .help = "registered already"},
    {.name = "t_depth", .type = METRIC_GAUGE, .help = "registered already"},
    {.name = "t_second", .type = METRIC_GAUGE, .help = "registered in another list"},
    {.name = "bad_label", .type = METRIC_GAUGE, .help = "h", .labels = {"a b"}},
    {.name = "reads", .type = METRIC_GAUGE, .help = "h", .labels = {"a"}, .read = read_context},
    {.name = "reads", .type = METRIC_HISTOGRAM, .help = "h", .read = read_context},
    {.name = "falls", .type = METRIC_HISTOGRAM, .help = "h", .buckets = (const double[]){2, 1, 0}},
    {.name = "same", .type = METRIC_HISTOGRAM, .help = "h", .buckets = (const double[]){1, 1, 0}},
    {.name = "none", .type = METRIC_HISTOGRAM, .help = "h", .buckets = (const double[]){0}},
    {.name = "seventeen",
     .type = METRIC_HISTOGRAM,
     .help = "h",
     .buckets = (const double[]){1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 0}},
};
static size_t wrong_at;

static void register_wrong(void)
{
    metrics_register(&wrong[wrong_at], 1);
}

static void wrong_declarations_abort(void **state)
{
    (void)state;
    for (wrong_at = 0; wrong_at < sizeof(wrong) / sizeof(wrong[0]); wrong_at++) {
        if (!unit_aborts(register_wrong)) {
            fail_msg("row %zu was accepted", wrong_at);
        }
    }
}

static void counter_falls(void)
{
    metric_add(&metrics[PLAIN], -1, NULL, NULL, NULL);
}

static void counter_is_set(void)
{
    metric_set(&metrics[PLAIN], 1, NULL, NULL, NULL);
}

static void counter_observes(void)
{
    metric_observe(&metrics[PLAIN], 1, NULL, NULL, NULL);
}

static void histogram_counts(void)
{
    metric_count(&metrics[SECONDS], NULL, NULL, NULL);
}

static void observes_no_number(void)
{
    metric_observe(&metrics[SECONDS], (double)NAN, NULL, NULL, NULL);
}

static void lacks_a_label(void)
{
    metric_count(&metrics[REQUESTS], "GET", "/", NULL);
}

static void has_a_label_too_many(void)
{
    metric_count(&metrics[PLAIN], "GET", NULL, NULL);
}

static void sets_what_is_read(void)
{
    metric_set(&metrics[READ], 1, NULL, NULL, NULL);
}

static void registers_too_many_lists(void)
{
    static char names[METRICS_LISTS_MAX][8];
    static struct metric lists[METRICS_LISTS_MAX];

    for (size_t i = 0; i < METRICS_LISTS_MAX; i++) {
        (void)snprintf(names[i], sizeof(names[i]), "list%zu", i);
        lists[i] = (struct metric){.name = names[i], .type = METRIC_GAUGE, .help = "h"};
        metrics_register(&lists[i], 1);
    }
}

static void wrong_uses_abort(void **state)
{
    static void (*const uses[])(void) = {
        counter_falls,     counter_is_set,       counter_observes,
        histogram_counts,  observes_no_number,   lacks_a_label,
        sets_what_is_read, has_a_label_too_many, registers_too_many_lists};

    (void)state;
    for (size_t i = 0; i < sizeof(uses) / sizeof(uses[0]); i++) {
        if (!unit_aborts(uses[i])) {
            fail_msg("use %zu was accepted", i);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_labels_it_shows_from_the_start),
        cmocka_unit_test(a_list_is_registered_once),
        cmocka_unit_test(counters),
        cmocka_unit_test(gauges),
        cmocka_unit_test(what_is_read_at_render),
        cmocka_unit_test(histogram_has_the_buckets_of_requests_by_default),
        cmocka_unit_test(a_bound_belongs_to_its_bucket),
        cmocka_unit_test(several_lists),
        cmocka_unit_test(each_metric_is_rendered_once),
        cmocka_unit_test(a_buffer_that_is_too_small_says_so),
        cmocka_unit_test(threads_lose_no_count),
        cmocka_unit_test(series_beyond_the_limit_land_in_other),
        cmocka_unit_test(wrong_declarations_abort),
        cmocka_unit_test(wrong_uses_abort),
    };
    return cmocka_run_group_tests(tests, register_all, NULL);
}
