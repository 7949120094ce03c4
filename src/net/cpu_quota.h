/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much CPU this process may use, and how the hash lane stays below it. Priorities do not help
 * when a whole cgroup is throttled: a password hash too many would stall every other thread.
 *
 * Q = quota / period: cgroup v2 cpu.max, v1 cpu.cfs_quota_us and cpu.cfs_period_us; without a quota
 * the number of CPUs that the process may run on. The pace: of H workers, one that spent c of CPU time
 * on a job starts its next no earlier than start + c * H / (share * Q). Every second cpu.stat is read;
 * throttled for more than 1 % of wall time halves the share (floor 0.2), 10 quiet seconds add 0.05
 * (ceiling 0.6).
 *
 * Threads: cpu_pace_* from any. Errors: an unreadable cgroup means no quota.
 */
#pragma once

#include "str.h"

struct cpu_quota {
    double cpus;         /* Q */
    bool limited;        /* by a cgroup */
    char stat_path[256]; /* cpu.stat, "" if none */
};

/* `root` is "/sys/fs/cgroup" and `self` "/proc/self/cgroup" but in tests. */
struct cpu_quota cpu_quota_read(const char *root, const char *self);
/* Nanoseconds that the cgroup was throttled for since it was made; -1: unknown. */
int64_t cpu_quota_throttled_ns(const char *stat_path);
unsigned cpu_quota_io_threads(double cpus);   /* max(1, floor(Q)) */
unsigned cpu_quota_hash_workers(double cpus); /* max(1, ceil(0.6 Q)) */

struct cpu_pace;

struct cpu_pace *cpu_pace_new(const struct cpu_quota *quota, unsigned workers);
void cpu_pace_free(struct cpu_pace *self);
/* The earliest start (mono ns) of the next job of a worker whose last one began at `started_ns` and
 * used `cpu_ns`. */
int64_t cpu_pace_next_ns(const struct cpu_pace *self, int64_t started_ns, int64_t cpu_ns);
double cpu_pace_share(const struct cpu_pace *self);
/* Looks at cpu.stat and moves the share; a call within a second of the last one does nothing, so
 * whoever comes by may call it. A lane with a pace does. */
void cpu_pace_tick(struct cpu_pace *self, int64_t mono_ns);
