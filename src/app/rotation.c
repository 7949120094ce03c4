/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "key_rotation.h"
#include "key_store.h"
#include "keyring_rotation.h"
#include "process.h"
#include "secret_watch.h"
#include "store_link.h"

enum {
    ARENA_BYTES = 512 * 1024,
    SYNC_EVERY_MS = 30000, /* the signer is marked at least once a minute */
    RETRY_MS = 1000,
    START_PAUSE_MS = 250,
    MISSED_EVERY_MS = 10000, /* unknown ids may come from anybody */
    DUE_SLACK_MS = 5,        /* clocks in whole milliseconds */
    MAX_AGE_S = 300,
    IN_USE_S = 7 * 86400, /* what a mail's token may live at most */
    REASON_BYTES_MAX = 512,
};

static char start_reason[REASON_BYTES_MAX]; /* outlives the arena of a try */

struct rotation {
    struct rotation_options options;
    struct keyring *keyring;
    struct key_rotation keys;
    struct keyring_rotation ring;
    struct relay *relay;
    struct store_link store;
    const struct pg_statements *tables[1];
    struct pg_options database;
    struct secret_watch secrets[TRUST_PART_COUNT];
    int64_t read_ms; /* clock_mono_ms, as the next ones: of the last reading */
    int64_t read_due_ms;
    int64_t sync_due_ms;
    struct arena arena;
    void *memory;
    pthread_t thread;
    bool is_running;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; /* under the lock, as the next one */
    bool woken;
};

void rotation_register_metrics(void)
{
    secret_watch_register_metrics();
    key_rotation_register_metrics();
}

int64_t rotation_document_max_age_s(const struct config *config)
{
    int64_t half_s = config->key_delay_s / 2;

    return half_s > MAX_AGE_S ? MAX_AGE_S : half_s > 1 ? half_s : 1;
}

static int64_t in_use_s(const struct config *config)
{
    return config->refresh_absolute_ttl_s > IN_USE_S ? config->refresh_absolute_ttl_s : IN_USE_S;
}

static void wake_up(void *context)
{
    struct rotation *self = context;

    pthread_mutex_lock(&self->lock);
    self->woken = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
}

static void init_wake(struct rotation *self)
{
    pthread_condattr_t attributes;

    pthread_mutex_init(&self->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

struct rotation *rotation_new(const struct rotation_options *options, struct trust *trust)
{
    struct rotation *self = calloc(1, sizeof(*self));
    const struct config *config = options->config;

    assert(self != NULL); /* start-up: without memory there is no service */
    self->memory = malloc(ARENA_BYTES);
    assert(self->memory != NULL);
    arena_init(&self->arena, self->memory, ARENA_BYTES);
    self->options = *options;
    self->keyring = trust->keyring;
    init_wake(self);
    key_rotation_init(&self->keys, &(struct key_rotation_options){
                                       .signers = options->signers,
                                       .delay_s = config->key_delay_s,
                                       .token_ttl_s = config->access_token_ttl_s,
                                   });
    key_rotation_take(&self->keys, trust->keys, trust->key_count);
    trust->key_count = 0;
    keyring_rotation_init(&self->ring, &(struct keyring_rotation_options){
                                           .keyring = trust->keyring,
                                           .delay_s = config->key_delay_s,
                                           .used_s = in_use_s(config),
                                       });
    keyring_set_watch(trust->keyring, (struct keyring_watch){wake_up, self});
    self->tables[0] = &key_store_statements;
    self->database = *options->database;
    self->database.tables = self->tables;
    self->database.table_count = 1;
    store_link_open(&self->store, &self->database, "rotation");
    return self;
}

/* The least of those that are not below zero. */
static int64_t sooner(int64_t a, int64_t b)
{
    return b >= 0 && b < a ? b : a;
}

static enum error sync_all(struct rotation *self, int64_t *wait_ms)
{
    int64_t keys_ms = -1;
    int64_t ring_ms = -1;

    TRY(key_rotation_sync(&self->keys, store_link_pg(&self->store), &self->arena, &keys_ms));
    TRY(keyring_rotation_sync(&self->ring, store_link_pg(&self->store), &self->arena, &ring_ms));
    *wait_ms = sooner(sooner(SYNC_EVERY_MS, keys_ms), ring_ms);
    return OK;
}

static void sync_now(struct rotation *self)
{
    int64_t wait_ms = RETRY_MS;

    arena_reset(&self->arena);
    if (store_link_did(&self->store, sync_all(self, &wait_ms))) {
        wait_ms += DUE_SLACK_MS;
    }
    self->sync_due_ms = clock_mono_ms() + wait_ms;
}

static enum error begin_once(struct rotation *self, const char **why)
{
    int64_t wait_ms;

    arena_reset(&self->arena);
    TRY(keyring_rotation_check(&self->ring, store_link_pg(&self->store), &self->arena, why));
    return sync_all(self, &wait_ms);
}

enum error rotation_begin(struct rotation *self, const sigset_t *waited, const char **why)
{
    for (;;) {
        const char *sentence = "";
        enum error error = begin_once(self, &sentence);

        if (error == ERR_CONFIG) {
            (void)snprintf(start_reason, sizeof(start_reason), "US_KEYRING_SECRET: %s", sentence);
            *why = start_reason;
            return error;
        }
        if (store_link_did(&self->store, error)) {
            return OK;
        }
        if (process_stop_asked(waited, START_PAUSE_MS)) {
            return ERR_UNAVAILABLE;
        }
    }
}

static enum error apply(void *context, enum trust_part part, struct trust *fresh, const char **why)
{
    struct rotation *self = context;

    if (part == TRUST_KEYRING) {
        return keyring_rotation_take(&self->ring, &self->arena, fresh->keyring, why);
    }
    if (part == TRUST_WEBHOOK) {
        relay_take_secrets(self->relay, &fresh->webhook);
        return OK;
    }
    key_rotation_take(&self->keys, fresh->keys, fresh->key_count);
    fresh->key_count = 0;
    return OK;
}

/* Replicas that were started together drift apart by the jitter, a tenth of the time. */
static int64_t refresh_ms(const struct config *config)
{
    int64_t base_ms = config->secrets_refresh_s * 1000;
    uint32_t random;

    crypto_random(&random, sizeof(random));
    return base_ms + (int64_t)random % (base_ms / 10 + 1);
}

static void read_all(struct rotation *self)
{
    const struct secret_watch_reader reader = {
        .config = self->options.config,
        .arena = &self->arena,
        .apply = apply,
        .context = self,
    };
    bool changed = false;

    keyring_forget_missed(self->keyring);
    for (unsigned part = 0; part < TRUST_PART_COUNT; part++) {
        changed =
            secret_watch_look(&self->secrets[part], &reader, (enum trust_part)part) || changed;
    }
    self->read_ms = clock_mono_ms();
    self->read_due_ms = self->read_ms + refresh_ms(self->options.config);
    if (changed) {
        self->sync_due_ms = self->read_ms;
    }
}

/* When to read, an id that nobody knows taken into account. */
static int64_t reading_ms(const struct rotation *self)
{
    int64_t missed_ms = self->read_ms + MISSED_EVERY_MS;

    return keyring_has_missed(self->keyring) && missed_ms < self->read_due_ms ? missed_ms
                                                                              : self->read_due_ms;
}

static struct timespec time_of(int64_t mono_ms)
{
    return (struct timespec){.tv_sec = mono_ms / 1000, .tv_nsec = mono_ms % 1000 * 1000000};
}

/* False when it is time to stop. */
static bool rest(struct rotation *self)
{
    int64_t reading = reading_ms(self);
    struct timespec until = time_of(reading < self->sync_due_ms ? reading : self->sync_due_ms);
    bool stopping;

    pthread_mutex_lock(&self->lock);
    while (!self->stopping && !self->woken &&
           pthread_cond_timedwait(&self->wake, &self->lock, &until) == 0) {
    }
    if (self->woken) {
        self->woken = false;
        self->sync_due_ms = clock_mono_ms();
    }
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static void *rotation_main(void *context)
{
    struct rotation *self = context;

    read_all(self); /* the start may have waited for the database */
    do {
        if (clock_mono_ms() >= reading_ms(self)) {
            read_all(self);
        }
        if (clock_mono_ms() >= self->sync_due_ms) {
            sync_now(self);
        }
    } while (rest(self));
    return NULL;
}

void rotation_start(struct rotation *self, struct relay *relay)
{
    int failed;

    self->relay = relay;
    self->sync_due_ms = clock_mono_ms() + RETRY_MS;
    self->is_running = true;
    failed = pthread_create(&self->thread, NULL, rotation_main, self);
    assert(failed == 0);
    (void)failed;
    (void)pthread_setname_np(self->thread, "rotation");
}

void rotation_keys_changed(struct rotation *self)
{
    wake_up(self);
}

void rotation_stop(struct rotation *self)
{
    if (self == NULL || !self->is_running) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_cond_signal(&self->wake);
    pthread_mutex_unlock(&self->lock);
    pthread_join(self->thread, NULL);
    self->is_running = false;
}

void rotation_free(struct rotation *self)
{
    if (self == NULL) {
        return;
    }
    key_rotation_free(&self->keys);
    store_link_close(&self->store);
    arena_reset(&self->arena);
    free(self->memory);
    pthread_cond_destroy(&self->wake);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
