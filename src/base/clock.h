/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks. Wall time stamps things and judges `exp`; deadlines and durations use the
 * monotonic one, which no administrator and no NTP step moves.
 *
 * Threads: pure functions.
 */
#pragma once

#include <stdint.h>

int64_t clock_wall_ms(void); /* milliseconds since 1970-01-01T00:00:00Z */
int64_t clock_wall_s(void);
int64_t clock_wall_ns(void);
int64_t clock_mono_ms(void); /* milliseconds since an arbitrary start */
int64_t clock_mono_ns(void);
int64_t clock_thread_cpu_ns(void); /* CPU time of the calling thread */
int64_t clock_process_cpu_ns(void);
