/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the relay measures. Labels are static strings.
 *
 * Threads: any.
 */
#pragma once

#include "outbox_store.h"

void relay_metrics_register(void);
void relay_metrics_backlog(const struct outbox_backlog *backlog);
void relay_metrics_call(int64_t duration_ms);
void relay_metrics_delivered(const char *type);
void relay_metrics_failed(const char *reason);
void relay_metrics_circuit(bool is_open);
