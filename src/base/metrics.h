/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prometheus metrics. A module declares its metrics as one static array and registers it at start;
 * metrics_render writes all of them in the text exposition format (version 0.0.4).
 *
 * Label values are static strings from the code (a route's template, an error code), never a
 * client's bytes: the number of series is bounded by the code. A metric holds at most
 * METRIC_SERIES_MAX of them, and all metrics together METRIC_LABEL_VALUES_MAX different values;
 * what comes beyond lands in one series labelled "_other". A metric without labels shows from the
 * start, one with labels has a series from its first use on.
 *
 * Ownership: metrics_register allocates the series once, for ever.
 * Threads: any, without locks or waiting (atomics). Registration is start-up only. A render sees
 * each number whole; numbers of one histogram may be an observation apart (its _count always equals
 * its +Inf bucket).
 * Errors: a wrong declaration (name, labels, buckets, a counter that falls) is the programmer's.
 */
#pragma once

#include "buf.h"

enum {
    METRIC_LABELS_MAX = 3,
    METRIC_BUCKETS_MAX = 16,
    METRIC_SERIES_MAX = 512,
    METRIC_LABEL_VALUES_MAX = 1024,
    METRICS_LISTS_MAX = 32, /* calls of metrics_register */
};

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

/* Durations of requests, in seconds: what a histogram without `buckets` has. */
extern const double metrics_request_buckets_s[];

struct metric_state; /* the series; allocated by metrics_register */

struct metric {
    const char *name; /* Prometheus name: base unit, _total for counters */
    enum metric_type type;
    const char *help;
    const char *labels[METRIC_LABELS_MAX]; /* NULL ends */
    const double *buckets;                 /* upper bounds, rising, 0 ends; NULL: the above */
    double (*read)(void *context);         /* read when rendered instead, without labels; or NULL */
    void *context;
    struct metric_state *state;
};

/* The array must stay for ever; one that is registered already is left as it is. Before that its
 * metrics count nothing. */
void metrics_register(struct metric *metrics, size_t count);

/* Label values in the order of `labels`; NULL for those that the metric does not have.
 * A gauge may be added to and set, a counter only rise, a histogram only observe. */
void metric_add(struct metric *self, double amount, const char *l0, const char *l1, const char *l2);
void metric_set(struct metric *self, double value, const char *l0, const char *l1, const char *l2);
void metric_observe(struct metric *self, double value, const char *l0, const char *l1,
                    const char *l2);
#define metric_count(self, l0, l1, l2) metric_add((self), 1.0, (l0), (l1), (l2))

void metrics_render(struct buf *out);
