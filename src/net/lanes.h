/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane: a bounded queue with its own worker threads, where handlers run as straight-line code.
 *
 * What cannot be served in time is refused at once: lane_submit looks at the queue's length and at
 * the recent time per job, and answers ERR_OVERLOADED when the job could not start before its
 * deadline. A job whose deadline passed while it waited is handed to `drop` instead of `run`.
 *
 * Ownership: a job is the caller's memory and belongs to the lane from submit until run or drop is
 * called. Threads: submit from any.
 */
#pragma once

#include "cpu_quota.h"

struct lane_job {
    struct lane_job *next;
    int64_t queued_ms;   /* clock_mono_ms */
    int64_t deadline_ms; /* the latest start; clock_mono_ms */
};

struct lane_options {
    const char *name; /* "db", "hash": a metric label */
    unsigned workers;
    unsigned queue_max;
    struct cpu_pace *pace; /* NULL: none */
    void *context;
    /* On the worker's own thread: makes its state (a database connection, a hasher). */
    void *(*worker_start)(void *context, unsigned index);
    /* Before a job is taken, and about once a second when idle; keeps the state fit. */
    void (*worker_tend)(void *worker);
    void (*worker_stop)(void *worker);
    void (*run)(void *worker, struct lane_job *job);
    void (*drop)(void *context, struct lane_job *job);
};

struct lane;

NODISCARD enum error lane_start(const struct lane_options *options, struct lane **out);
/* ERR_OVERLOADED: the queue is full or too slow; the job stays the caller's. */
NODISCARD enum error lane_submit(struct lane *self, struct lane_job *job);
/* Seconds after which a refused client may try again, 1 to 30. */
unsigned lane_retry_after_s(const struct lane *self);
unsigned lane_depth(const struct lane *self);
/* The longest time that a worker is past its running job's deadline; 0 if none is. */
int64_t lane_stuck_ms(const struct lane *self);
/* Runs what is queued, then ends the workers; from now on lane_submit refuses. */
void lane_stop(struct lane *self);
/* After lane_stop, when nobody can submit any more. */
void lane_free(struct lane *self);
/* Registers the lanes' metrics; once, at start. */
void lanes_register_metrics(void);
