/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "clock.h"
#include "metrics.h"
#include "revocation_reader.h"
#include "store_link.h"

struct feed {
    struct feed_options options;
    struct store_link store;
    struct revocation_reader reader;
    bool is_loaded;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;
};

static struct metric failures = {
    .name = "user_service_revocation_read_failures_total",
    .type = METRIC_COUNTER,
    .help = "Reads of the revocation feed that failed.",
};

void feed_register_metrics(void)
{
    metrics_register(&failures, 1);
}

static bool is_stopping(struct feed *self)
{
    bool stopping;

    pthread_mutex_lock(&self->lock);
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return stopping;
}

static enum error read_pages(struct feed *self)
{
    bool more = true;

    revocation_reader_begin(&self->reader);
    while (more) {
        if (is_stopping(self)) {
            return ERR_UNAVAILABLE;
        }
        TRY(revocation_reader_page(&self->reader, store_link_pg(&self->store), &more));
    }
    return OK;
}

/* What the rows ask for comes before they count as read: else a failure would lose it. */
static enum error read_news(struct feed *self)
{
    const int64_t began_ms = clock_mono_ms();

    TRY(read_pages(self));
    if (self->reader.clients_changed) {
        TRY(clients_load(self->options.clients, store_link_pg(&self->store)));
    }
    if (self->reader.keys_changed && self->options.keys_changed != NULL) {
        self->options.keys_changed(self->options.context);
    }
    revocation_reader_done(&self->reader, began_ms);
    return OK;
}

/* True when the whole was read, not only the news. */
static enum error read_once(struct feed *self, bool *whole)
{
    *whole = !pg_connected(self->store.pg);
    if (*whole) {
        revocation_reader_restart(&self->reader, self->options.revocations);
    }
    return read_news(self);
}

/* A connection that broke is replaced at once, and nobody else is told. */
static enum error read_surely(struct feed *self, bool *whole)
{
    const enum error error = read_once(self, whole);

    if (error != ERR_UNAVAILABLE || pg_connected(self->store.pg) || is_stopping(self)) {
        return error;
    }
    return read_once(self, whole);
}

/* True when the next read should follow at once: a whole one may have taken longer than the set stays
 * fresh. */
static bool turn(struct feed *self)
{
    bool whole = false;
    const enum error error = read_surely(self, &whole);

    if (error != OK && is_stopping(self)) {
        return false;
    }
    if (!store_link_did(&self->store, error)) {
        metric_count(&failures, NULL, NULL, NULL);
        return false;
    }
    if (!self->is_loaded) {
        self->is_loaded = true;
        self->options.loaded(self->options.context);
    }
    return whole;
}

/* False when it is time to stop. */
static bool rest(struct feed *self, int64_t wait_ms)
{
    struct timespec until;
    bool stopping;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += wait_ms % 1000 * 1000000;
    until.tv_sec += wait_ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&self->lock);
    while (!self->stopping && pthread_cond_timedwait(&self->wake, &self->lock, &until) == 0) {
    }
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static void *feed_main(void *context)
{
    struct feed *self = context;
    bool at_once = true;

    while (rest(self, at_once ? 0 : self->options.interval_ms)) {
        at_once = turn(self);
    }
    return NULL;
}

static void make_condition(struct feed *self)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->lock, NULL);
}

struct feed *feed_start(const struct feed_options *options)
{
    struct feed *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    if (self->options.interval_ms == 0) {
        self->options.interval_ms = FEED_INTERVAL_MS;
    }
    store_link_open(&self->store, options->pg, "feed");
    make_condition(self);
    if (pthread_create(&self->thread, NULL, feed_main, self) != 0) {
        abort();
    }
    (void)pthread_setname_np(self->thread, "feed");
    return self;
}

void feed_stop(struct feed *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    store_link_close(&self->store);
    free(self);
}
