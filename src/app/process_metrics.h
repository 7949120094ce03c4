/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Prometheus clients tell of their process under the names that are usual, and of the build.
 *
 * Threads: any after registration, which is start-up only.
 */
#pragma once

void process_metrics_register(void);
