/* SPDX-License-Identifier: Apache-2.0 */
#include "api.h"

#include <stdlib.h>

#include "answer.h"
#include "clock.h"
#include "credential.h"
#include "dispatch.h"
#include "handlers.h"
#include "refresh.h"
#include "throttle.h"
#include "token_checks.h"

enum {
    DB_QUEUE_MAX = 256,
    HASH_QUEUE_MAX = 64,
    TEND_DEADLINE_MS = 1000,
    PING_AFTER_MS = 1000,
    HASH_MEMORY_IDLE_MS = 10000,
};

struct api_worker {
    struct api *api;
    struct work work;
};

static void *worker_new(struct api *api, bool hashes)
{
    struct api_worker *worker = calloc(1, sizeof(*worker));

    if (worker == NULL) {
        return NULL;
    }
    worker->api = api;
    worker->work.pg = pg_new(api->options.database);
    if (hashes) {
        worker->work.hasher = password_hasher_new(api->options.password_cost);
    }
    return worker;
}

static void *db_worker_start(void *context, unsigned index)
{
    (void)index;
    return worker_new(context, false);
}

static void *hash_worker_start(void *context, unsigned index)
{
    (void)index;
    return worker_new(context, true);
}

/* A broken connection is replaced before it costs a request. An idle one is asked for a sign of life,
 * so that readiness knows of a server that hangs: once a second, which is also how often an idle
 * worker is tended, so that requests practically never wait for it. */
static enum error tend_database(struct pg *pg)
{
    int64_t now_ms = clock_mono_ms();

    pg_deadline(pg, now_ms + TEND_DEADLINE_MS);
    return now_ms - pg_answered_ms(pg) < PING_AFTER_MS ? pg_ready(pg) : pg_ping(pg);
}

static void worker_tend(void *state)
{
    struct api_worker *worker = state;
    struct health *health = worker->api->options.health;

    if (worker->work.hasher != NULL) {
        password_hasher_trim(worker->work.hasher, HASH_MEMORY_IDLE_MS);
    }
    if (!atomic_load(&health->migrated)) {
        return;
    }
    (void)tend_database(worker->work.pg); /* what comes of it is the answer's time */
    health_database_answered(health, pg_answered_ms(worker->work.pg));
}

static void worker_stop(void *state)
{
    struct api_worker *worker = state;

    if (worker->work.hasher != NULL) {
        password_hasher_free(worker->work.hasher);
    }
    pg_free(worker->work.pg);
    free(worker);
}

/* The job is the request's first member. */
static void worker_run(void *state, struct lane_job *job)
{
    struct api_worker *worker = state;

    dispatch_run((struct request *)job, &worker->work);
}

static void job_drop(void *context, struct lane_job *job)
{
    (void)context;
    dispatch_drop((struct request *)job);
}

static enum error start_lanes(struct api *api)
{
    struct lane_options options = {
        .name = "db",
        .workers = api->options.db_threads,
        .queue_max = DB_QUEUE_MAX,
        .context = api,
        .worker_start = db_worker_start,
        .worker_tend = worker_tend,
        .worker_stop = worker_stop,
        .run = worker_run,
        .drop = job_drop,
    };

    TRY(lane_start(&options, &api->lanes[API_DB]));
    options.name = "hash";
    options.workers = api->options.hash_threads;
    options.queue_max = HASH_QUEUE_MAX;
    options.pace = api->options.pace;
    options.worker_start = hash_worker_start;
    return lane_start(&options, &api->lanes[API_HASH]);
}

static void write_cache_control(struct api *api)
{
    struct buf out = buf_over(api->cache_control_text, sizeof(api->cache_control_text));

    buf_append(&out, STR("public, max-age="));
    buf_append_i64(&out, api->options.document_max_age_s);
    api->cache_control = buf_str(&out);
}

enum error api_start(const struct api_options *options, struct api **out)
{
    struct api *api = calloc(1, sizeof(*api));

    if (api == NULL) {
        return ERR_NO_SPACE;
    }
    api->options = *options;
    write_cache_control(api);
    TRY(start_lanes(api));
    *out = api;
    return OK;
}

void api_stop(struct api *self)
{
    lane_stop(self->lanes[API_HASH]);
    lane_stop(self->lanes[API_DB]);
}

void api_free(struct api *self)
{
    lane_free(self->lanes[API_HASH]);
    lane_free(self->lanes[API_DB]);
    free(self);
}

void api_register_metrics(void)
{
    answer_register_metrics();
    handle_login_register_metrics();
    refresh_register_metrics();
    credential_register_metrics();
    token_checks_register_metrics();
    throttle_register_metrics();
}

void api_handle(void *context, struct http_exchange *x)
{
    dispatch_begin(context, &routes_api, x);
}

void api_handle_ops(void *context, struct http_exchange *x)
{
    dispatch_begin(context, &routes_ops, x);
}

size_t api_user_bytes(void)
{
    return sizeof(struct request);
}
