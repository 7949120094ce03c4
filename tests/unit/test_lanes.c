/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "clock.h"
#include "lanes.h"
#include "metrics.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

enum { PATIENCE_MS = 10000, JOBS_MAX = 64 };

enum kind { NOTHING, BLOCK, NAP, BURN };

struct job {
    struct lane_job lane;
    enum kind kind;
    int number;
    _Atomic bool ran;
    _Atomic bool dropped;
    int64_t started_ns;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t opened = PTHREAD_COND_INITIALIZER;
static bool gate_open;
static int order[JOBS_MAX];
static _Atomic int order_count;
static _Atomic int blocked;
static _Atomic int tended;
static _Atomic int workers;

enum { NAP_MS = 50, BURN_MS = 20 };

static void *worker_start(void *context, unsigned index)
{
    (void)index;
    atomic_fetch_add(&workers, 1);
    return context;
}

static void worker_tend(void *worker)
{
    assert_ptr_equal(worker, &tended);
    atomic_fetch_add(&tended, 1);
}

static void worker_stop(void *worker)
{
    assert_ptr_equal(worker, &tended);
    atomic_fetch_sub(&workers, 1);
}

static void wait_at_gate(void)
{
    pthread_mutex_lock(&lock);
    atomic_fetch_add(&blocked, 1);
    while (!gate_open) {
        pthread_cond_wait(&opened, &lock);
    }
    atomic_fetch_sub(&blocked, 1);
    pthread_mutex_unlock(&lock);
}

static void burn(void)
{
    int64_t until_ns = clock_thread_cpu_ns() + (int64_t)BURN_MS * 1000000;

    while (clock_thread_cpu_ns() < until_ns) {
    }
}

static void run(void *worker, struct lane_job *lane_job)
{
    struct job *job = (struct job *)lane_job;

    (void)worker;
    job->started_ns = clock_mono_ns();
    if (job->kind == BLOCK) {
        wait_at_gate();
    }
    if (job->kind == NAP) {
        (void)poll(NULL, 0, NAP_MS);
    }
    if (job->kind == BURN) {
        burn();
    }
    pthread_mutex_lock(&lock);
    order[atomic_load(&order_count)] = job->number;
    atomic_fetch_add(&order_count, 1);
    pthread_mutex_unlock(&lock);
    atomic_store(&job->ran, true);
}

static void drop(void *context, struct lane_job *lane_job)
{
    struct job *job = (struct job *)lane_job;

    assert_ptr_equal(context, &tended);
    atomic_store(&job->dropped, true);
}

static struct lane *start(unsigned worker_count, unsigned queue_max, struct cpu_pace *pace)
{
    struct lane_options options = {
        .name = "test",
        .workers = worker_count,
        .queue_max = queue_max,
        .pace = pace,
        .context = &tended,
        .worker_start = worker_start,
        .worker_tend = worker_tend,
        .worker_stop = worker_stop,
        .run = run,
        .drop = drop,
    };
    struct lane *lane = NULL;

    gate_open = false;
    atomic_store(&order_count, 0);
    atomic_store(&tended, 0);
    assert_int_equal(lane_start(&options, &lane), OK);
    return lane;
}

static void stop(struct lane *lane)
{
    lane_stop(lane);
    assert_int_equal(atomic_load(&workers), 0);
    lane_free(lane);
}

static void open_gate(void)
{
    pthread_mutex_lock(&lock);
    gate_open = true;
    pthread_cond_broadcast(&opened);
    pthread_mutex_unlock(&lock);
}

static enum error submit(struct lane *lane, struct job *job, enum kind kind, int64_t patience_ms)
{
    job->kind = kind;
    job->lane.deadline_ms = clock_mono_ms() + patience_ms;
    return lane_submit(lane, &job->lane);
}

#define assert_soon(condition)                                                                     \
    do {                                                                                           \
        int64_t until_ms_ = clock_mono_ms() + PATIENCE_MS;                                         \
        while (!(condition) && clock_mono_ms() < until_ms_) {                                      \
            (void)poll(NULL, 0, 1);                                                                \
        }                                                                                          \
        assert_true(condition);                                                                    \
    } while (0)

static void jobs_run_in_order(void **state)
{
    struct lane *lane = start(1, JOBS_MAX, NULL);
    static struct job jobs[JOBS_MAX];

    (void)state;
    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < JOBS_MAX; i++) {
        jobs[i].number = i;
        assert_int_equal(submit(lane, &jobs[i], NOTHING, PATIENCE_MS), OK);
    }
    assert_soon(atomic_load(&order_count) == JOBS_MAX);
    for (int i = 0; i < JOBS_MAX; i++) {
        assert_int_equal(order[i], i);
    }
    assert_int_equal(lane_depth(lane), 0);
    stop(lane);
}

static void workers_run_at_the_same_time(void **state)
{
    struct lane *lane = start(4, 8, NULL);
    struct job jobs[4] = {{.number = 0}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(submit(lane, &jobs[i], BLOCK, PATIENCE_MS), OK);
    }
    assert_soon(atomic_load(&blocked) == 4);
    open_gate();
    assert_soon(atomic_load(&order_count) == 4);
    stop(lane);
}

static void a_full_queue_refuses(void **state)
{
    struct lane *lane = start(1, 3, NULL);
    struct job jobs[5] = {{.number = 0}};

    (void)state;
    assert_int_equal(submit(lane, &jobs[0], BLOCK, PATIENCE_MS), OK);
    assert_soon(atomic_load(&blocked) == 1);
    for (int i = 1; i < 4; i++) {
        assert_int_equal(submit(lane, &jobs[i], NOTHING, PATIENCE_MS), OK);
    }
    assert_int_equal(lane_depth(lane), 3);
    assert_int_equal(submit(lane, &jobs[4], NOTHING, PATIENCE_MS), ERR_OVERLOADED);
    open_gate();
    assert_soon(atomic_load(&order_count) == 4);
    assert_false(atomic_load(&jobs[4].ran));
    assert_int_equal(submit(lane, &jobs[4], NOTHING, PATIENCE_MS), OK);
    assert_soon(atomic_load(&jobs[4].ran));
    stop(lane);
}

/* As soon as the lane takes it. */
static void submit_soon(struct lane *lane, struct job *job, int64_t patience_ms)
{
    int64_t until_ms = clock_mono_ms() + PATIENCE_MS;
    enum error error = submit(lane, job, NAP, patience_ms);

    while (error != OK && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, 1);
        error = submit(lane, job, NAP, patience_ms);
    }
    assert_int_equal(error, OK);
}

/* Jobs take 50 ms: the fifth in the queue cannot start within 100 ms. An idle lane takes even the
 * hurried, whatever it has learnt. */
static void a_slow_queue_refuses_at_once(void **state)
{
    struct lane *lane = start(1, JOBS_MAX, NULL);
    struct job jobs[12] = {{.number = 0}};
    int64_t begun_ms;
    int accepted = 0;

    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(submit(lane, &jobs[i], NAP, PATIENCE_MS), OK);
        assert_soon(atomic_load(&jobs[i].ran));
    }
    submit_soon(lane, &jobs[2], 1);
    assert_soon(atomic_load(&jobs[2].ran) || atomic_load(&jobs[2].dropped));
    begun_ms = clock_mono_ms();
    for (int i = 3; i < 12; i++) {
        accepted += submit(lane, &jobs[i], NAP, 2 * NAP_MS) == OK ? 1 : 0;
    }
    assert_in_range(clock_mono_ms() - begun_ms, 0, 3 * NAP_MS); /* nobody waited for a refusal */
    assert_in_range(accepted, 1, 4);
    assert_int_equal(submit(lane, &jobs[11], NAP, PATIENCE_MS), OK); /* it can wait */
    stop(lane);
}

static void what_waited_too_long_is_dropped(void **state)
{
    struct lane *lane = start(1, 8, NULL);
    struct job jobs[3] = {{.number = 0}};
    int64_t until_ms;

    (void)state;
    assert_int_equal(submit(lane, &jobs[0], BLOCK, PATIENCE_MS), OK);
    assert_soon(atomic_load(&blocked) == 1);
    assert_int_equal(submit(lane, &jobs[1], NOTHING, 20), OK);
    assert_int_equal(submit(lane, &jobs[2], NOTHING, PATIENCE_MS), OK);
    until_ms = clock_mono_ms() + 25;
    assert_soon(clock_mono_ms() > until_ms);
    open_gate();
    assert_soon(atomic_load(&jobs[2].ran));
    assert_true(atomic_load(&jobs[1].dropped));
    assert_false(atomic_load(&jobs[1].ran));
    stop(lane);
}

static void a_worker_is_tended_before_jobs_and_when_idle(void **state)
{
    struct lane *lane = start(1, 8, NULL);
    struct job job = {.number = 0};
    int64_t begun_ms = clock_mono_ms();
    int before;

    (void)state;
    assert_soon(atomic_load(&tended) == 1);
    before = atomic_load(&tended);
    assert_int_equal(submit(lane, &job, NOTHING, PATIENCE_MS), OK);
    assert_soon(atomic_load(&job.ran));
    assert_true(atomic_load(&tended) > before);
    before = atomic_load(&tended);
    assert_soon(atomic_load(&tended) == before + 2);
    assert_in_range(clock_mono_ms() - begun_ms, 1900, PATIENCE_MS);
    stop(lane);
}

static void a_stop_runs_what_is_queued(void **state)
{
    struct lane *lane = start(2, JOBS_MAX, NULL);
    static struct job jobs[20];
    struct job late = {.number = 0};

    (void)state;
    memset(jobs, 0, sizeof(jobs));
    for (int i = 0; i < 20; i++) {
        assert_int_equal(submit(lane, &jobs[i], NOTHING, PATIENCE_MS), OK);
    }
    lane_stop(lane);
    for (int i = 0; i < 20; i++) {
        assert_true(atomic_load(&jobs[i].ran));
    }
    assert_int_equal(submit(lane, &late, NOTHING, PATIENCE_MS), ERR_OVERLOADED);
    lane_free(lane);
}

static void a_stuck_worker_shows(void **state)
{
    struct lane *lane = start(2, 8, NULL);
    struct job job = {.number = 0};

    (void)state;
    assert_int_equal(lane_stuck_ms(lane), 0);
    assert_int_equal(submit(lane, &job, BLOCK, 100), OK);
    assert_soon(atomic_load(&blocked) == 1);
    assert_soon(lane_stuck_ms(lane) > 50);
    open_gate();
    assert_soon(lane_stuck_ms(lane) == 0);
    stop(lane);
}

static void retry_after_stays_in_its_range(void **state)
{
    struct lane *lane = start(1, JOBS_MAX, NULL);
    static struct job jobs[JOBS_MAX];

    (void)state;
    memset(jobs, 0, sizeof(jobs));
    assert_int_equal(lane_retry_after_s(lane), 1);
    assert_int_equal(submit(lane, &jobs[0], NAP, PATIENCE_MS), OK);
    assert_soon(atomic_load(&jobs[0].ran));
    assert_int_equal(submit(lane, &jobs[1], BLOCK, PATIENCE_MS), OK);
    for (int i = 2; i < JOBS_MAX; i++) {
        assert_int_equal(submit(lane, &jobs[i], NOTHING, PATIENCE_MS), OK);
    }
    assert_in_range(lane_retry_after_s(lane), 3, 10); /* 62 times 50 ms */
    open_gate();
    stop(lane);
}

/* 20 ms of CPU in 0.6 of a fifth of a CPU: 166 ms between two starts. */
static void a_pace_is_kept(void **state)
{
    struct cpu_quota quota = {.cpus = 0.2};
    struct cpu_pace *pace = cpu_pace_new(&quota, 1);
    struct lane *lane = start(1, 8, pace);
    struct job jobs[4] = {{.number = 0}};

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(submit(lane, &jobs[i], BURN, PATIENCE_MS), OK);
    }
    assert_soon(atomic_load(&jobs[3].ran));
    for (int i = 1; i < 4; i++) {
        int64_t between_us = (jobs[i].started_ns - jobs[i - 1].started_ns) / 1000;

        assert_in_range(between_us, 166000, 2000000);
    }
    stop(lane);
    cpu_pace_free(pace);
}

/* A worker that has to rest does not swallow the wake-up of one that need not. The resting one has
 * waited longest here: the other was tended after it began to wait. */
static void a_resting_worker_leaves_the_job_to_another(void **state)
{
    struct cpu_quota quota = {.cpus = 0.01};
    struct cpu_pace *pace = cpu_pace_new(&quota, 2);
    int64_t begun_ms = clock_mono_ms();
    struct lane *lane = start(2, 8, pace);
    struct job jobs[2] = {{.number = 0}};

    (void)state;
    assert_soon(clock_mono_ms() > begun_ms + 400);
    assert_int_equal(submit(lane, &jobs[0], BURN, PATIENCE_MS), OK);
    assert_soon(atomic_load(&jobs[0].ran));
    assert_soon(clock_mono_ms() > begun_ms + 1150);
    begun_ms = clock_mono_ms();
    assert_int_equal(submit(lane, &jobs[1], NOTHING, PATIENCE_MS), OK);
    assert_soon(atomic_load(&jobs[1].ran));
    assert_in_range(clock_mono_ms() - begun_ms, 0, 500);
    stop(lane);
    cpu_pace_free(pace);
}

static void a_stop_does_not_wait_for_the_pace(void **state)
{
    struct cpu_quota quota = {.cpus = 0.001};
    struct cpu_pace *pace = cpu_pace_new(&quota, 1);
    struct lane *lane = start(1, 8, pace);
    struct job jobs[2] = {{.number = 0}};
    int64_t begun_ms;

    (void)state;
    assert_int_equal(submit(lane, &jobs[0], BURN, PATIENCE_MS), OK);
    assert_soon(atomic_load(&jobs[0].ran));
    jobs[1].lane.deadline_ms = clock_mono_ms() + 3600 * 1000;
    assert_int_equal(lane_submit(lane, &jobs[1].lane), OK);
    begun_ms = clock_mono_ms();
    stop(lane);
    assert_in_range(clock_mono_ms() - begun_ms, 0, 5000); /* the pace wanted 33 s */
    assert_true(atomic_load(&jobs[1].ran));
    cpu_pace_free(pace);
}

static void metrics_tell_of_it(void **state)
{
    static char text[1 << 20];
    struct buf out = buf_over(text, sizeof(text) - 1);

    (void)state;
    metrics_render(&out);
    text[out.len] = '\0';
    assert_non_null(strstr(text, "\nuser_service_lane_depth{lane=\"test\"} 0\n"));
    assert_non_null(strstr(text, "\nuser_service_lane_inflight{lane=\"test\"} 0\n"));
    assert_non_null(
        strstr(text, "\nuser_service_lane_rejected_total{lane=\"test\",reason=\"full\"} 1\n"));
    assert_non_null(strstr(text, "lane_rejected_total{lane=\"test\",reason=\"slow\"}"));
    assert_non_null(strstr(text, "lane_rejected_total{lane=\"test\",reason=\"expired\"}"));
    assert_non_null(strstr(text, "lane_rejected_total{lane=\"test\",reason=\"stopping\"} 1\n"));
    assert_non_null(strstr(text, "user_service_lane_wait_seconds_count{lane=\"test\"}"));
    assert_non_null(strstr(text, "user_service_lane_run_seconds_bucket{lane=\"test\",le=\"0.1\"}"));
    assert_non_null(strstr(text, "\nuser_service_hash_share 0\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jobs_run_in_order),
        cmocka_unit_test(workers_run_at_the_same_time),
        cmocka_unit_test(a_full_queue_refuses),
        cmocka_unit_test(a_slow_queue_refuses_at_once),
        cmocka_unit_test(what_waited_too_long_is_dropped),
        cmocka_unit_test(a_worker_is_tended_before_jobs_and_when_idle),
        cmocka_unit_test(a_stop_runs_what_is_queued),
        cmocka_unit_test(a_stuck_worker_shows),
        cmocka_unit_test(retry_after_stays_in_its_range),
        cmocka_unit_test(a_pace_is_kept),
        cmocka_unit_test(a_resting_worker_leaves_the_job_to_another),
        cmocka_unit_test(a_stop_does_not_wait_for_the_pace),
        cmocka_unit_test(metrics_tell_of_it),
    };

    lanes_register_metrics();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
