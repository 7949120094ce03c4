/* SPDX-License-Identifier: Apache-2.0 */
#include "lanes.h"

#include "clock.h"
#include "lane_metrics.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
    RETRY_AFTER_S_MAX = 30,
    AVERAGE_OVER = 8,
    PACED_NICE = 10 /* who computes lets in who answers from memory */
};

static const int64_t ns_per_ms = 1000 * 1000;
static const int64_t tend_every_ns = 1000 * ns_per_ms;

struct worker {
    struct lane *lane;
    unsigned index;
    pthread_t thread;
    void *state;
    int64_t next_ns; /* no job before; by the pace */
    int64_t tended_ns;
    _Atomic int64_t running_deadline_ms; /* 0: no job */
};

struct lane {
    struct lane_options options;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct lane_job *first;
    struct lane_job *last;
    unsigned depth;
    unsigned ready; /* workers that wait and may start at once */
    int64_t
        interval_ns; /* moving average of the time a worker needs for a job, its pause included */
    bool stopping;
    struct worker workers[];
};

/* The queue; under the lock. */

static void push(struct lane *self, struct lane_job *job)
{
    job->next = NULL;
    if (self->last != NULL) {
        self->last->next = job;
    }
    if (self->first == NULL) {
        self->first = job;
    }
    self->last = job;
    self->depth++;
    lane_metrics_depth(self->options.name, self->depth);
}

static struct lane_job *pop(struct lane *self)
{
    struct lane_job *job = self->first;

    if (job == NULL) {
        return NULL;
    }
    self->first = job->next;
    if (self->first == NULL) {
        self->last = NULL;
    }
    self->depth--;
    job->next = NULL;
    lane_metrics_depth(self->options.name, self->depth);
    return job;
}

/* Until a job that comes now can start: those before it, and the one that each worker has in hand
 * (half done, on average), shared by all workers. */
static int64_t wait_ms(const struct lane *self)
{
    double ahead;

    if (self->depth < self->ready) {
        return 0;
    }
    ahead = (double)(self->depth - self->ready) + 0.5 * self->options.workers;
    return (int64_t)(ahead * (double)self->interval_ns / self->options.workers) / ns_per_ms;
}

static const char *refusal(const struct lane *self, const struct lane_job *job)
{
    if (self->stopping) {
        return "stopping";
    }
    if (self->depth >= self->options.queue_max) {
        return "full";
    }
    return clock_mono_ms() + wait_ms(self) > job->deadline_ms ? "slow" : NULL;
}

/* Without the lock, or who wakes would only wait for it: two switches more on a core that is shared. */
static void wake_worker(struct lane *self)
{
    if (self->options.pace == NULL) {
        pthread_cond_signal(&self->wake);
    } else { /* the one that wakes may have to wait on: ask all of the few */
        pthread_cond_broadcast(&self->wake);
    }
}

enum error lane_submit(struct lane *self, struct lane_job *job)
{
    const char *reason;

    pthread_mutex_lock(&self->lock);
    reason = refusal(self, job);
    if (reason == NULL) {
        job->queued_ms = clock_mono_ms();
        push(self, job);
    }
    pthread_mutex_unlock(&self->lock);
    if (reason != NULL) {
        lane_metrics_rejected(self->options.name, reason);
        return ERR_OVERLOADED;
    }
    wake_worker(self);
    return OK;
}

unsigned lane_retry_after_s(const struct lane *self)
{
    struct lane *lane = (struct lane *)(uintptr_t)self; /* its lock is no part of its value */
    int64_t s;

    pthread_mutex_lock(&lane->lock);
    s = (wait_ms(lane) + 999) / 1000;
    pthread_mutex_unlock(&lane->lock);
    if (s < 1) {
        return 1;
    }
    return s > RETRY_AFTER_S_MAX ? RETRY_AFTER_S_MAX : (unsigned)s;
}

unsigned lane_depth(const struct lane *self)
{
    struct lane *lane = (struct lane *)(uintptr_t)self;
    unsigned depth;

    pthread_mutex_lock(&lane->lock);
    depth = lane->depth;
    pthread_mutex_unlock(&lane->lock);
    return depth;
}

int64_t lane_stuck_ms(const struct lane *self)
{
    int64_t now_ms = clock_mono_ms();
    int64_t stuck_ms = 0;

    for (unsigned i = 0; i < self->options.workers; i++) {
        int64_t deadline_ms = atomic_load(&self->workers[i].running_deadline_ms);

        if (deadline_ms != 0 && now_ms - deadline_ms > stuck_ms) {
            stuck_ms = now_ms - deadline_ms;
        }
    }
    return stuck_ms;
}

/* Workers. */

static void wait_until(struct lane *self, int64_t mono_ns)
{
    struct timespec until = {
        .tv_sec = (time_t)(mono_ns / (1000 * ns_per_ms)),
        .tv_nsec = (long)(mono_ns % (1000 * ns_per_ms)),
    };

    pthread_cond_timedwait(&self->wake, &self->lock, &until);
}

enum turn { TURN_JOB, TURN_TEND, TURN_END };

/* Waits, under the lock, for something to do. What is queued is run without a pause when the lane
 * stops. */
static enum turn next_turn(struct worker *self)
{
    struct lane *lane = self->lane;

    while (true) {
        int64_t now_ns = clock_mono_ns();
        int64_t until_ns = self->tended_ns + tend_every_ns;
        bool may_start = now_ns >= self->next_ns || lane->stopping;

        if (lane->first != NULL && may_start) {
            return TURN_JOB;
        }
        if (lane->stopping) {
            return TURN_END;
        }
        if (now_ns >= until_ns) {
            return TURN_TEND;
        }
        if (!may_start && self->next_ns < until_ns) {
            until_ns = self->next_ns;
        }
        lane->ready += may_start ? 1 : 0;
        wait_until(lane, until_ns);
        lane->ready -= may_start ? 1 : 0;
    }
}

static void tend(struct worker *self)
{
    const struct lane_options *options = &self->lane->options;

    if (options->worker_tend != NULL) {
        options->worker_tend(self->state);
    }
    if (options->pace != NULL) {
        cpu_pace_tick(options->pace, clock_mono_ns());
    }
    self->tended_ns = clock_mono_ns();
}

/* One more sample of a job's time; the first counts whole. */
static void learn(struct lane *self, int64_t sample_ns)
{
    pthread_mutex_lock(&self->lock);
    if (self->interval_ns == 0) {
        self->interval_ns = sample_ns;
    }
    self->interval_ns += (sample_ns - self->interval_ns) / AVERAGE_OVER;
    pthread_mutex_unlock(&self->lock);
}

static void run_job(struct worker *self, struct lane_job *job)
{
    const struct lane_options *options = &self->lane->options;
    int64_t started_ns = clock_mono_ns();
    int64_t cpu_ns = clock_thread_cpu_ns();
    int64_t ended_ns;

    lane_metrics_started(options->name, started_ns / ns_per_ms - job->queued_ms);
    atomic_store(&self->running_deadline_ms, job->deadline_ms);
    options->run(self->state, job); /* the job is gone now */
    atomic_store(&self->running_deadline_ms, 0);
    ended_ns = clock_mono_ns();
    cpu_ns = clock_thread_cpu_ns() - cpu_ns;
    lane_metrics_ended(options->name, ended_ns - started_ns);
    if (options->pace != NULL) {
        self->next_ns = cpu_pace_next_ns(options->pace, started_ns, cpu_ns);
        ended_ns = self->next_ns > ended_ns ? self->next_ns : ended_ns;
    }
    learn(self->lane, ended_ns - started_ns);
}

static void take_job(struct worker *self)
{
    struct lane *lane = self->lane;
    struct lane_job *job;

    pthread_mutex_lock(&lane->lock);
    job = pop(lane);
    pthread_mutex_unlock(&lane->lock);
    if (job == NULL) {
        return; /* another worker was faster */
    }
    if (clock_mono_ms() > job->deadline_ms) {
        lane_metrics_rejected(lane->options.name, "expired");
        lane->options.drop(lane->options.context, job);
        return;
    }
    run_job(self, job);
}

static void *work(void *context)
{
    struct worker *self = context;
    struct lane *lane = self->lane;
    const struct lane_options *options = &lane->options;
    enum turn turn = TURN_TEND;
    char name[16];

    snprintf(name, sizeof(name), "%.9s-%u", options->name, self->index);
    pthread_setname_np(pthread_self(), name);
    if (options->pace != NULL) { /* on Linux this thread's alone */
        (void)setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + PACED_NICE);
    }
    if (options->worker_start != NULL) {
        self->state = options->worker_start(options->context, self->index);
    }
    while (turn != TURN_END) {
        tend(self);
        if (turn == TURN_JOB) {
            take_job(self);
        }
        pthread_mutex_lock(&lane->lock);
        turn = next_turn(self);
        pthread_mutex_unlock(&lane->lock);
    }
    if (options->worker_stop != NULL) {
        options->worker_stop(self->state);
    }
    return NULL;
}

/* Start and stop. */

static void end_workers(struct lane *self, unsigned count)
{
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_broadcast(&self->wake);
    pthread_mutex_unlock(&self->lock);
    for (unsigned i = 0; i < count; i++) {
        pthread_join(self->workers[i].thread, NULL);
    }
}

void lane_free(struct lane *self)
{
    if (self->options.pace != NULL) {
        lane_metrics_pace(NULL);
    }
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

enum error lane_start(const struct lane_options *options, struct lane **out)
{
    struct lane *self = calloc(1, sizeof(*self) + options->workers * sizeof(self->workers[0]));
    pthread_condattr_t monotonic;

    assert(options->workers > 0 && options->queue_max > 0);
    assert(options->run != NULL && options->drop != NULL);
    if (self == NULL) {
        return ERR_NO_SPACE;
    }
    self->options = *options;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (options->pace != NULL) {
        lane_metrics_pace(options->pace);
    }
    for (unsigned i = 0; i < options->workers; i++) {
        struct worker *worker = &self->workers[i];

        worker->lane = self;
        worker->index = i;
        if (pthread_create(&worker->thread, NULL, work, worker) != 0) {
            end_workers(self, i);
            lane_free(self);
            return ERR_IO;
        }
    }
    *out = self;
    return OK;
}

void lane_stop(struct lane *self)
{
    end_workers(self, self->options.workers);
}

void lanes_register_metrics(void)
{
    lane_metrics_register();
}
