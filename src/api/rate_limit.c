/* SPDX-License-Identifier: Apache-2.0 */
#include "rate_limit.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypto.h"
#include "network.h"
#include "siphash.h"
#include "throttle.h"

enum { BUCKETS = 8192, WAYS = 4 };

struct counter {
    struct siphash network;
    int64_t begun_ms; /* 0: free */
    int64_t count;
};

struct rate_limit {
    pthread_mutex_t lock;
    struct siphash_key key; /* nobody can make networks that meet in one bucket */
    struct counter counters[BUCKETS][WAYS];
};

struct rate_limit *rate_limit_new(void)
{
    struct rate_limit *self = calloc(1, sizeof(*self)); /* untouched pages cost nothing */

    if (self == NULL) {
        abort();
    }
    pthread_mutex_init(&self->lock, NULL);
    crypto_random(&self->key, sizeof(self->key));
    return self;
}

void rate_limit_free(struct rate_limit *self)
{
    if (self == NULL) {
        return;
    }
    pthread_mutex_destroy(&self->lock);
    free(self);
}

static struct siphash hash_of(const struct rate_limit *self, struct str client)
{
    struct network_address address = {{0}};

    if (network_parse(client, &address) == OK) {
        address = network_of(&address);
    }
    return siphash_of(&self->key, (struct str){(const char *)address.bytes, sizeof(address.bytes)});
}

/* The network's own, or the one that is free or began first. */
static struct counter *find(struct counter ways[WAYS], struct siphash network)
{
    struct counter *oldest = &ways[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (ways[i].begun_ms != 0 && siphash_equal(ways[i].network, network)) {
            return &ways[i];
        }
        if (ways[i].begun_ms < oldest->begun_ms) {
            oldest = &ways[i];
        }
    }
    *oldest = (struct counter){.network = network};
    return oldest;
}

/* How long to wait; 0: counted. */
static int64_t count(struct rate_limit *self, struct siphash network, int64_t now_ms)
{
    struct counter *counter = find(self->counters[network.words[0] % BUCKETS], network);

    if (counter->begun_ms == 0 || now_ms - counter->begun_ms >= RATE_LIMIT_WINDOW_MS) {
        counter->begun_ms = now_ms;
        counter->count = 0;
    }
    if (counter->count >= RATE_LIMIT_MAX) {
        return counter->begun_ms + RATE_LIMIT_WINDOW_MS - now_ms;
    }
    counter->count++;
    return 0;
}

enum error rate_limit_take(struct rate_limit *self, struct str client, int64_t now_ms,
                           int64_t *retry_after_s)
{
    const struct siphash network = hash_of(self, client);
    int64_t wait_ms;

    pthread_mutex_lock(&self->lock);
    wait_ms = count(self, network, now_ms);
    pthread_mutex_unlock(&self->lock);
    if (wait_ms == 0) {
        return OK;
    }
    *retry_after_s = (wait_ms + 999) / 1000;
    throttle_count(THROTTLE_BY_RATE);
    return ERR_TOO_MANY_ATTEMPTS;
}
