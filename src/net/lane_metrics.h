/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of all lanes. `lane` is the lane's name, a static string.
 * Threads: any, but lane_metrics_register (start-up only).
 */
#pragma once

#include "cpu_quota.h"

void lane_metrics_register(void);
void lane_metrics_depth(const char *lane, unsigned depth);
void lane_metrics_rejected(const char *lane, const char *reason);
void lane_metrics_started(const char *lane, int64_t waited_ms);
void lane_metrics_ended(const char *lane, int64_t ran_ns);
/* Whose share is shown; NULL: none. */
void lane_metrics_pace(const struct cpu_pace *pace);
