/* SPDX-License-Identifier: Apache-2.0 */
#include "mailroom.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"
#include "log.h"
#include "mailroom_write.h"
#include "retry.h"
#include "store_link.h"
#include "throttle.h"

enum {
    LEASE_MS = 10000, /* a mailroom that dies costs a mail this much delay */
    IDLE_MIN_MS = 200,
    IDLE_MAX_MS = 2000,
    ARENA_BYTES = 262144
};

struct mailroom {
    struct mailroom_options options;
    struct store_link store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool woken;
    bool stopping;
    int64_t idle_ms;
    struct arena requests;
    struct arena scratch;
    struct mailroom_writer writer; /* into the scratch arena */
    unsigned char requests_memory[ARENA_BYTES];
    unsigned char scratch_memory[ARENA_BYTES];
};

static enum error find_attempt(struct mailroom *self, const struct mail_request *request,
                               struct mail_attempt *out)
{
    struct pg *pg = store_link_pg(&self->store);

    if (request->kind == MAIL_REGISTRATION) {
        return mail_store_attempt(pg, &self->scratch, request->registration_id, out);
    }
    if (request->kind == MAIL_PASSWORD_RESET) {
        return ERR_NOT_FOUND; /* an attempt has a password, and who made it knows that */
    }
    return mail_store_newest_attempt(pg, &self->scratch, request->email_canonical, out);
}

static enum error resolve(struct mailroom *self, struct pg_tx *tx,
                          const struct mail_request *request)
{
    struct mail_account account;
    struct mail_attempt attempt;
    enum error found = mail_store_account(store_link_pg(&self->store), &self->scratch,
                                          request->email_canonical, &account);

    if (found == OK) {
        mailroom_write_to_owner(&self->writer, tx, request, &account);
        return OK;
    }
    if (found != ERR_NOT_FOUND) {
        return found;
    }
    found = find_attempt(self, request, &attempt);
    if (found == OK) {
        mailroom_write_attempt(&self->writer, tx, &attempt, request->locale);
    }
    return found == ERR_NOT_FOUND ? OK : found; /* expired meanwhile: nobody is told */
}

/* A mail counts for the address that was asked about; what is too much is dropped without a word. */
static enum error limit(struct mailroom *self, struct pg_tx *tx, const struct mail_request *request)
{
    struct throttle_keys keys;
    bool allowed;

    TRY(throttle_mail_keys(self->options.keyring, &self->scratch, request->email_canonical, &keys));
    TRY(mail_store_allowed(store_link_pg(&self->store), keys.all, &allowed));
    if (!allowed) {
        throttle_count(THROTTLE_BY_MAIL);
        pg_tx_begin(tx, self->store.pg);
        return OK;
    }
    mail_store_count(tx, keys.address);
    return OK;
}

static enum error answer(struct mailroom *self, const struct mail_request *request)
{
    struct pg_tx tx;

    arena_reset(&self->scratch);
    pg_tx_begin(&tx, self->store.pg);
    TRY(resolve(self, &tx, request));
    if (tx.count > 0) {
        TRY(limit(self, &tx, request));
    }
    if (arena_overflowed(&self->scratch)) {
        return ERR_NO_SPACE;
    }
    mail_store_take(&tx, request->id);
    (void)store_link_pg(&self->store);
    return pg_tx_commit(&tx);
}

/* A connection that broke is tried once more: if its commit came through after all, the request is
 * taken, and the second answer undone. */
static enum error answer_surely(struct mailroom *self, const struct mail_request *request)
{
    const enum error error = answer(self, request);

    if (error != ERR_UNAVAILABLE) {
        return error;
    }
    TRY(pg_ready(store_link_pg(&self->store)));
    return answer(self, request);
}

/* Also where another mailroom has taken the request, or the account changed under our hands. */
static void put_back(struct mailroom *self, const struct mail_request *request)
{
    uint64_t random;
    int64_t wait_ms;

    crypto_random(&random, sizeof(random));
    wait_ms = retry_backoff_ms(RETRY_BASE_MS, RETRY_CAP_MS, request->attempts, random);
    (void)store_link_did(&self->store,
                         mail_store_retry(store_link_pg(&self->store), request->id, wait_ms));
}

/* False when the database is away: what is left waits for its lease to end. */
static bool answer_one(struct mailroom *self, const struct mail_request *request)
{
    const enum error error = answer_surely(self, request);

    if (error == OK) {
        if (self->options.relay != NULL) {
            relay_wake(self->options.relay);
        }
        return true;
    }
    if (error != ERR_NO_MATCH) {
        (void)store_link_did(&self->store, error);
    }
    if (error == ERR_UNAVAILABLE) {
        return false;
    }
    put_back(self, request);
    return true;
}

/* Ids are UUIDv7: their order is that of time. */
static bool is_newer(const struct mail_request *self, const struct mail_request *than)
{
    size_t i = 0;

    while (i < sizeof(self->id.bytes) - 1 && self->id.bytes[i] == than->id.bytes[i]) {
        i++;
    }
    return self->id.bytes[i] > than->id.bytes[i];
}

/* How many requests of the batch for the same are newer. */
static size_t newer_in(const struct mail_batch *batch, size_t at)
{
    const struct mail_request *one = &batch->requests[at];
    size_t count = 0;

    for (size_t i = 0; i < batch->count; i++) {
        const struct mail_request *other = &batch->requests[i];

        count += other->kind == one->kind &&
                 str_equal(other->email_canonical, one->email_canonical) && is_newer(other, one);
    }
    return count;
}

/* Who floods an address fills neither its mailbox nor the way of others: the surplus is taken without a
 * word, at most once for each address and kind of a batch. False when the database is away. */
static bool collapse(struct mailroom *self, const struct mail_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (newer_in(batch, i) == MAILROOM_SAME_MAX &&
            !store_link_did(&self->store,
                            mail_store_collapse(store_link_pg(&self->store), &batch->requests[i],
                                                MAILROOM_SAME_MAX))) {
            return false;
        }
    }
    return true;
}

static bool is_stopping(struct mailroom *self)
{
    bool stopping;

    pthread_mutex_lock(&self->lock);
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return stopping;
}

/* False when it is time to stop or the database is away: the rest waits for its lease to end. */
static bool answer_batch(struct mailroom *self, const struct mail_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (is_stopping(self)) {
            return false;
        }
        if (newer_in(batch, i) < MAILROOM_SAME_MAX && !answer_one(self, &batch->requests[i])) {
            return false;
        }
    }
    return true;
}

/* True when there may be more. */
static bool answer_requests(struct mailroom *self)
{
    const int64_t lease_ms = self->options.lease_ms > 0 ? self->options.lease_ms : LEASE_MS;
    struct mail_batch batch = {.count = 0};

    arena_reset(&self->requests);
    if (!store_link_did(&self->store, pg_ready(store_link_pg(&self->store))) ||
        !store_link_did(&self->store, mail_store_claim(store_link_pg(&self->store), &self->requests,
                                                       lease_ms, &batch))) {
        return false;
    }
    if (!collapse(self, &batch) || !answer_batch(self, &batch)) {
        return false;
    }
    self->idle_ms = batch.count > 0 ? IDLE_MIN_MS : self->idle_ms * 2;
    self->idle_ms = self->idle_ms > IDLE_MAX_MS ? IDLE_MAX_MS : self->idle_ms;
    return batch.count == MAIL_CLAIM_MAX;
}

/* False when it is time to stop. */
static bool rest(struct mailroom *self, int64_t timeout_ms)
{
    const int64_t until_ns = clock_mono_ns() + timeout_ms * 1000000;
    const struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    int waited = 0;
    bool go_on;

    pthread_mutex_lock(&self->lock);
    while (!self->woken && !self->stopping && waited == 0) {
        waited = pthread_cond_timedwait(&self->changed, &self->lock, &until);
    }
    self->woken = false;
    go_on = !self->stopping;
    pthread_mutex_unlock(&self->lock);
    return go_on;
}

static void *mailroom_main(void *context)
{
    struct mailroom *self = context;
    bool more = true;

    while (rest(self, more ? 0 : self->idle_ms)) {
        more = answer_requests(self);
    }
    return NULL;
}

static void make_condition(struct mailroom *self)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&self->lock, NULL);
}

struct mailroom *mailroom_start(const struct mailroom_options *options)
{
    struct mailroom *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    store_link_open(&self->store, options->pg, "mailroom");
    self->idle_ms = IDLE_MIN_MS;
    arena_init(&self->requests, self->requests_memory, sizeof(self->requests_memory));
    arena_init(&self->scratch, self->scratch_memory, sizeof(self->scratch_memory));
    self->writer = (struct mailroom_writer){&self->scratch, options->keyring};
    make_condition(self);
    if (pthread_create(&self->thread, NULL, mailroom_main, self) != 0) {
        abort();
    }
    (void)pthread_setname_np(self->thread, "mailroom");
    return self;
}

static void notify(struct mailroom *self, bool stop)
{
    pthread_mutex_lock(&self->lock);
    self->woken = true;
    self->stopping = self->stopping || stop;
    pthread_cond_signal(&self->changed);
    pthread_mutex_unlock(&self->lock);
}

void mailroom_wake(struct mailroom *self)
{
    notify(self, false);
}

void mailroom_stop(struct mailroom *self)
{
    if (self == NULL) {
        return;
    }
    notify(self, true);
    pthread_join(self->thread, NULL);
    pthread_cond_destroy(&self->changed);
    pthread_mutex_destroy(&self->lock);
    store_link_close(&self->store);
    free(self);
}
