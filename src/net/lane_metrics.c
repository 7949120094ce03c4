/* SPDX-License-Identifier: Apache-2.0 */
#include "lane_metrics.h"

#include "metrics.h"

#include <stdatomic.h>

enum { DEPTH, INFLIGHT, REJECTED, WAIT, RUN, SHARE, METRICS };

static const double seconds[] = {0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05,
                                 0.1,    0.2,   0.5,   1,     2,    5,    0};

static const struct cpu_pace *_Atomic shown_pace;

static double read_share(void *context)
{
    const struct cpu_pace *pace = atomic_load(&shown_pace);

    (void)context;
    return pace == NULL ? 0 : cpu_pace_share(pace);
}

static struct metric metrics[METRICS] = {
    [DEPTH] =
        {
            .name = "user_service_lane_depth",
            .type = METRIC_GAUGE,
            .help = "Jobs that wait in the queue.",
            .labels = {"lane"},
        },
    [INFLIGHT] =
        {
            .name = "user_service_lane_inflight",
            .type = METRIC_GAUGE,
            .help = "Jobs that a worker is running.",
            .labels = {"lane"},
        },
    [REJECTED] =
        {
            .name = "user_service_lane_rejected_total",
            .type = METRIC_COUNTER,
            .help = "Jobs refused: queue full, too slow for their deadline, expired in the queue.",
            .labels = {"lane", "reason"},
        },
    [WAIT] =
        {
            .name = "user_service_lane_wait_seconds",
            .type = METRIC_HISTOGRAM,
            .help = "Time that a job waited in the queue.",
            .labels = {"lane"},
            .buckets = seconds,
        },
    [RUN] =
        {
            .name = "user_service_lane_run_seconds",
            .type = METRIC_HISTOGRAM,
            .help = "Time that a job ran.",
            .labels = {"lane"},
            .buckets = seconds,
        },
    [SHARE] =
        {
            .name = "user_service_hash_share",
            .type = METRIC_GAUGE,
            .help = "Part of the CPU quota that password hashes may use.",
            .read = read_share,
        },
};

void lane_metrics_register(void)
{
    metrics_register(metrics, METRICS);
}

void lane_metrics_depth(const char *lane, unsigned depth)
{
    metric_set(&metrics[DEPTH], depth, lane, NULL, NULL);
}

void lane_metrics_rejected(const char *lane, const char *reason)
{
    metric_count(&metrics[REJECTED], lane, reason, NULL);
}

void lane_metrics_started(const char *lane, int64_t waited_ms)
{
    metric_observe(&metrics[WAIT], (double)waited_ms / 1e3, lane, NULL, NULL);
    metric_add(&metrics[INFLIGHT], 1, lane, NULL, NULL);
}

void lane_metrics_ended(const char *lane, int64_t ran_ns)
{
    metric_add(&metrics[INFLIGHT], -1, lane, NULL, NULL);
    metric_observe(&metrics[RUN], (double)ran_ns / 1e9, lane, NULL, NULL);
}

void lane_metrics_pace(const struct cpu_pace *pace)
{
    atomic_store(&shown_pace, pace);
}
