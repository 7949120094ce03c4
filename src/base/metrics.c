/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A series is found without a lock because its whole identity is one 64-bit word, made of the small
 * numbers of its label values. One compare-and-swap puts it into the metric's next free place. Places fill in
 * order and are never freed, and every thread looks through them in that order, so two threads
 * that bring the same new series meet at the same place and one of them wins it for both.
 */
#include "metrics.h"

#include "metrics_label.h"
#include "metrics_text.h"

#include <assert.h>
#include <ctype.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

const double metrics_request_buckets_s[] = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2,
                                            0.3,   0.5,    1,     2.5,  5,     10,   0};

static const uint64_t label_mask = ((uint64_t)1 << METRICS_LABEL_BITS) - 1;
static const uint64_t key_used = (uint64_t)1 << 63; /* a place without labels is not a free one */

struct metric_state {
    size_t label_count;
    size_t bucket_count;
    size_t series_max;
    size_t words; /* of one series: the value; or a count for each bucket, one for +Inf, the sum */
    _Atomic uint64_t *keys;
    _Atomic uint64_t *values;
    _Atomic uint64_t memory[];
};

static struct metric *lists[METRICS_LISTS_MAX];
static size_t list_lengths[METRICS_LISTS_MAX];
static size_t list_count;

/* Registration. */

static size_t label_count(const struct metric *metric)
{
    size_t count = 0;

    while (count < METRIC_LABELS_MAX && metric->labels[count] != NULL) {
        count++;
    }
    return count;
}

static size_t bucket_count(const struct metric *metric)
{
    size_t count = 0;

    while (metric->buckets[count] > 0) {
        assert(count < METRIC_BUCKETS_MAX);
        assert(count == 0 || metric->buckets[count] > metric->buckets[count - 1]);
        count++;
    }
    assert(count > 0);
    return count;
}

static bool is_name(const char *name)
{
    if (name == NULL || (!isalpha((unsigned char)name[0]) && name[0] != '_')) {
        return false;
    }
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
           strlen(name);
}

static bool is_registered(const char *name)
{
    for (size_t list = 0; list < list_count; list++) {
        for (size_t i = 0; i < list_lengths[list]; i++) {
            if (strcmp(lists[list][i].name, name) == 0) {
                return true;
            }
        }
    }
    return false;
}

static void check(const struct metric *metric)
{
    struct str name = str_from(metric->name);

    assert(is_name(metric->name));
    assert(metric->help != NULL);
    assert(!is_registered(metric->name));
    assert(str_ends(name, STR("_total")) == (metric->type == METRIC_COUNTER));
    assert(metric->read == NULL || metric->labels[0] == NULL);
    assert(metric->read == NULL || metric->type != METRIC_HISTOGRAM);
    for (size_t i = 0; i < label_count(metric); i++) {
        assert(is_name(metric->labels[i]));
    }
}

static struct metric_state *state_new(const struct metric *metric)
{
    size_t labels = label_count(metric);
    size_t buckets = metric->type == METRIC_HISTOGRAM ? bucket_count(metric) : 0;
    size_t words = metric->type == METRIC_HISTOGRAM ? buckets + 2 : 1;
    size_t series = labels == 0 ? 1 : METRIC_SERIES_MAX + 1; /* the last is "_other" */
    struct metric_state *state =
        calloc(1, sizeof(*state) + series * (1 + words) * sizeof(state->memory[0]));

    if (state == NULL) {
        abort(); /* at start, a few hundred KiB */
    }
    state->label_count = labels;
    state->bucket_count = buckets;
    state->series_max = series;
    state->words = words;
    state->keys = state->memory;
    state->values = state->memory + series;
    if (labels == 0) {
        state->keys[0] = key_used;
    }
    return state;
}

void metrics_register(struct metric *metrics, size_t count)
{
    for (size_t list = 0; list < list_count; list++) {
        if (lists[list] == metrics) {
            return;
        }
    }
    assert(list_count < METRICS_LISTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct metric *metric = &metrics[i];

        check(metric);
        if (metric->type == METRIC_HISTOGRAM && metric->buckets == NULL) {
            metric->buckets = metrics_request_buckets_s;
        }
        metric->state = state_new(metric);
    }
    lists[list_count] = metrics;
    list_lengths[list_count] = count;
    list_count++;
}

/* Finding a series. */

static uint64_t key_of(const struct metric_state *state, const char *const values[])
{
    uint64_t key = key_used;

    for (size_t i = 0; i < METRIC_LABELS_MAX; i++) {
        assert((values[i] != NULL) == (i < state->label_count));
        if (values[i] != NULL) {
            key |= metrics_label_number(values[i]) << (METRICS_LABEL_BITS * i);
        }
    }
    return key;
}

static uint64_t key_other(const struct metric_state *state)
{
    uint64_t key = key_used;

    for (size_t i = 0; i < state->label_count; i++) {
        key |= (uint64_t)METRICS_LABEL_OTHER << (METRICS_LABEL_BITS * i);
    }
    return key;
}

/* Values of the series with that key; those of "_other" when all places are taken. */
static _Atomic uint64_t *values_of(struct metric_state *state, uint64_t key)
{
    size_t last = state->series_max - 1;
    size_t at = key == key_other(state) ? last : 0;

    for (; at < last; at++) {
        uint64_t seen = atomic_load_explicit(&state->keys[at], memory_order_relaxed);

        if (seen == 0 && atomic_compare_exchange_strong(&state->keys[at], &seen, key)) {
            break;
        }
        if (seen == key) {
            break;
        }
    }
    if (at == last) {
        atomic_store_explicit(&state->keys[last], key_other(state), memory_order_relaxed);
    }
    return state->values + at * state->words;
}

/* Numbers. A value is the bits of a double in an integer, for C has no atomic addition of doubles. */

static double double_of(uint64_t bits)
{
    double value;

    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t bits_of(double value)
{
    uint64_t bits;

    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static void double_add(_Atomic uint64_t *at, double amount)
{
    uint64_t seen = atomic_load_explicit(at, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(at, &seen, bits_of(double_of(seen) + amount),
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

void metric_add(struct metric *self, double amount, const char *l0, const char *l1, const char *l2)
{
    const char *const labels[METRIC_LABELS_MAX] = {l0, l1, l2};

    assert(self->type != METRIC_HISTOGRAM && self->read == NULL);
    assert(self->type != METRIC_COUNTER || amount >= 0);
    if (self->state != NULL) {
        double_add(values_of(self->state, key_of(self->state, labels)), amount);
    }
}

void metric_set(struct metric *self, double value, const char *l0, const char *l1, const char *l2)
{
    const char *const labels[METRIC_LABELS_MAX] = {l0, l1, l2};

    assert(self->type == METRIC_GAUGE && self->read == NULL);
    if (self->state != NULL) {
        atomic_store_explicit(values_of(self->state, key_of(self->state, labels)), bits_of(value),
                              memory_order_relaxed);
    }
}

void metric_observe(struct metric *self, double value, const char *l0, const char *l1,
                    const char *l2)
{
    const char *const labels[METRIC_LABELS_MAX] = {l0, l1, l2};
    struct metric_state *state = self->state;
    _Atomic uint64_t *values;
    size_t bucket = 0;

    assert(self->type == METRIC_HISTOGRAM);
    assert(!isnan(value));
    if (state == NULL) {
        return;
    }
    values = values_of(state, key_of(state, labels));
    while (bucket < state->bucket_count && value > self->buckets[bucket]) {
        bucket++;
    }
    atomic_fetch_add_explicit(&values[bucket], 1, memory_order_relaxed);
    double_add(&values[state->bucket_count + 1], value);
}

/* Rendering. */

static const char *const type_names[] = {
    [METRIC_COUNTER] = "counter",
    [METRIC_GAUGE] = "gauge",
    [METRIC_HISTOGRAM] = "histogram",
};

static uint64_t count_of(_Atomic uint64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

static void render_histogram(struct buf *out, const struct metric *metric,
                             struct metrics_text_sample *sample, _Atomic uint64_t *values)
{
    static const double infinite = (double)INFINITY;
    size_t buckets = metric->state->bucket_count;
    uint64_t count = 0;

    sample->suffix = "_bucket";
    for (size_t i = 0; i <= buckets; i++) {
        count += count_of(&values[i]);
        sample->le = i < buckets ? &metric->buckets[i] : &infinite;
        sample->value = (double)count;
        metrics_text_sample(out, sample);
    }
    sample->le = NULL;
    sample->suffix = "_sum";
    sample->value = double_of(count_of(&values[buckets + 1]));
    metrics_text_sample(out, sample);
    sample->suffix = "_count";
    sample->value = (double)count;
    metrics_text_sample(out, sample);
}

static void render_series(struct buf *out, const struct metric *metric, size_t series)
{
    struct metric_state *state = metric->state;
    uint64_t key = atomic_load_explicit(&state->keys[series], memory_order_relaxed);
    _Atomic uint64_t *values = state->values + series * state->words;
    const char *texts[METRIC_LABELS_MAX];
    struct metrics_text_sample sample = {
        .name = metric->name,
        .suffix = "",
        .label_names = metric->labels,
        .label_values = texts,
        .label_count = state->label_count,
    };

    if (key == 0) {
        return;
    }
    for (size_t i = 0; i < state->label_count; i++) {
        texts[i] = metrics_label_text(key >> (METRICS_LABEL_BITS * i) & label_mask);
    }
    if (metric->type == METRIC_HISTOGRAM) {
        render_histogram(out, metric, &sample, values);
        return;
    }
    sample.value = metric->read != NULL ? metric->read(metric->context) : double_of(*values);
    metrics_text_sample(out, &sample);
}

void metrics_render(struct buf *out)
{
    for (size_t list = 0; list < list_count; list++) {
        for (size_t i = 0; i < list_lengths[list]; i++) {
            const struct metric *metric = &lists[list][i];

            metrics_text_head(out, metric->name, type_names[metric->type], metric->help);
            for (size_t series = 0; series < metric->state->series_max; series++) {
                render_series(out, metric, series);
            }
        }
    }
}
