/* SPDX-License-Identifier: Apache-2.0 */
#include "janitor.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "expiry_store.h"
#include "log.h"

enum { FIRST_S = 5, ROUND_S = 60, ROUND_DEADLINE_MS = 10000, BATCHES_MAX = 100 };

struct janitor {
    struct pg_options options;
    const struct pg_statements *tables[1];
    int64_t audit_retention_s;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

static bool is_stopping(struct janitor *self)
{
    bool stopping;

    pthread_mutex_lock(&self->lock);
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return stopping;
}

static enum error sweep(struct janitor *self, struct pg *pg)
{
    int64_t most = EXPIRY_BATCH_ROWS;

    for (int i = 0; i < BATCHES_MAX && most == EXPIRY_BATCH_ROWS && !is_stopping(self); i++) {
        pg_deadline(pg, clock_mono_ms() + ROUND_DEADLINE_MS);
        TRY(pg_ready(pg));
        TRY(expiry_store_sweep(pg, self->audit_retention_s, &most));
    }
    return OK;
}

static void round_of(struct janitor *self)
{
    struct pg *pg = pg_new(&self->options);

    if (sweep(self, pg) != OK) {
        log_warn("expired rows were not removed", LOG_CSTR("error.message", pg_message(pg)));
    }
    pg_free(pg);
}

/* False when it is time to stop. Replicas that were started together drift apart by the jitter. */
static bool rest(struct janitor *self, int64_t seconds)
{
    struct timespec until;
    bool stopping;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += seconds + clock_mono_ns() % 10;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && pthread_cond_timedwait(&self->wake, &self->lock, &until) == 0) {
    }
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static void *work(void *context)
{
    struct janitor *self = context;

    for (int64_t wait_s = FIRST_S; rest(self, wait_s); wait_s = ROUND_S) {
        round_of(self);
    }
    return NULL;
}

struct janitor *janitor_start(const struct pg_options *database, int64_t audit_retention_s)
{
    struct janitor *self = calloc(1, sizeof(*self));
    pthread_condattr_t attributes;

    assert(self != NULL); /* start-up: without memory there is no service */
    self->options = *database;
    self->audit_retention_s = audit_retention_s;
    self->tables[0] = &expiry_store_statements;
    self->options.tables = self->tables;
    self->options.table_count = 1;
    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    int failed = pthread_create(&self->thread, NULL, work, self);
    assert(failed == 0);
    (void)failed;
    return self;
}

void janitor_stop(struct janitor *self)
{
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
