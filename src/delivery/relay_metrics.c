/* SPDX-License-Identifier: Apache-2.0 */
#include "relay_metrics.h"

#include "metrics.h"

enum { PENDING, DEAD, OLDEST, DELIVERED, FAILED, DURATION, CIRCUIT_OPEN };

static struct metric list[] = {
    [PENDING] = {.name = "user_service_outbox_pending",
                 .type = METRIC_GAUGE,
                 .help = "Events that wait for delivery (counted up to 100000)."},
    [DEAD] = {.name = "user_service_outbox_dead",
              .type = METRIC_GAUGE,
              .help = "Events given up, which an operator may send again."},
    [OLDEST] = {.name = "user_service_outbox_oldest_seconds",
                .type = METRIC_GAUGE,
                .help = "Age of the oldest event that waits for delivery."},
    [DELIVERED] = {.name = "user_service_events_delivered_total",
                   .type = METRIC_COUNTER,
                   .help = "Events that the Notification Service took.",
                   .labels = {"type"}},
    [FAILED] = {.name = "user_service_events_failed_total",
                .type = METRIC_COUNTER,
                .help = "Attempts to deliver an event that failed, and mails that expired.",
                .labels = {"reason"}},
    [DURATION] = {.name = "user_service_notification_request_duration_seconds",
                  .type = METRIC_HISTOGRAM,
                  .help = "Duration of a call to the Notification Service."},
    [CIRCUIT_OPEN] = {.name = "user_service_notification_circuit_open",
                      .type = METRIC_GAUGE,
                      .help = "1 while nothing is sent because the endpoint is at fault."},
};

void relay_metrics_register(void)
{
    metrics_register(list, sizeof(list) / sizeof(list[0]));
}

void relay_metrics_backlog(const struct outbox_backlog *backlog)
{
    metric_set(&list[PENDING], (double)backlog->pending, NULL, NULL, NULL);
    metric_set(&list[DEAD], (double)backlog->dead, NULL, NULL, NULL);
    metric_set(&list[OLDEST], (double)backlog->oldest_ms / 1000.0, NULL, NULL, NULL);
}

void relay_metrics_call(int64_t duration_ms)
{
    metric_observe(&list[DURATION], (double)duration_ms / 1000.0, NULL, NULL, NULL);
}

void relay_metrics_delivered(const char *type)
{
    metric_count(&list[DELIVERED], type, NULL, NULL);
}

void relay_metrics_failed(const char *reason)
{
    metric_count(&list[FAILED], reason, NULL, NULL);
}

void relay_metrics_circuit(bool is_open)
{
    metric_set(&list[CIRCUIT_OPEN], is_open ? 1 : 0, NULL, NULL, NULL);
}
