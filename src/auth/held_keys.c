/* SPDX-License-Identifier: Apache-2.0 */
#include "held_keys.h"

#include <assert.h>

#include "log.h"

static void add(struct held_keys *self, struct signing_key *key, bool registered)
{
    assert(self->count < HELD_KEYS_MAX);
    self->keys[self->count] = key;
    self->registered[self->count++] = registered;
}

/* A key that is held already stays the same object, so that nobody sees a change. */
static void add_present(struct held_keys *self, const struct held_keys *old,
                        struct signing_key *key)
{
    int rank = held_keys_rank(old, str_from(signing_key_kid(key)));

    if (rank < 0) {
        add(self, key, false);
        return;
    }
    if (!signing_key_is_same(old->keys[rank], key)) {
        log_error("a signing key is refused: its kid names another key",
                  LOG_CSTR("kid", signing_key_kid(key)));
    }
    signing_key_free(key);
    add(self, signing_key_hold(old->keys[rank]), old->registered[rank]);
}

static bool has_left(const struct held_keys *present, const struct signing_key *key)
{
    return held_keys_rank(present, str_from(signing_key_kid(key))) < 0;
}

static size_t count_left(const struct held_keys *present, const struct held_keys *old)
{
    size_t count = 0;

    for (size_t i = 0; i < old->count; i++) {
        count += has_left(present, old->keys[i]) ? 1 : 0;
    }
    return count;
}

static void add_left(struct held_keys *self, const struct held_keys *old)
{
    const struct held_keys present = *self;
    size_t left = count_left(&present, old);

    for (size_t i = 0; i < old->count; i++) {
        if (!has_left(&present, old->keys[i])) {
            continue;
        }
        if (left-- > HELD_KEYS_MAX - self->count) {
            log_error("too many signing keys wait: one is given up",
                      LOG_CSTR("kid", signing_key_kid(old->keys[i])));
            continue;
        }
        add(self, signing_key_hold(old->keys[i]), old->registered[i]);
    }
}

void held_keys_take(struct held_keys *self, struct signing_key *const *keys, size_t count)
{
    struct held_keys taken = {.count = 0};

    for (size_t i = 0; i < count; i++) {
        add_present(&taken, self, keys[i]);
    }
    taken.present = taken.count;
    add_left(&taken, self);
    held_keys_free(self);
    *self = taken;
}

int held_keys_rank(const struct held_keys *self, struct str kid)
{
    for (size_t i = 0; i < self->count; i++) {
        if (str_equal(str_from(signing_key_kid(self->keys[i])), kid)) {
            return (int)i;
        }
    }
    return -1;
}

void held_keys_remove(struct held_keys *self, size_t rank)
{
    assert(rank < self->count);
    signing_key_free(self->keys[rank]);
    self->count--;
    self->present -= rank < self->present ? 1 : 0;
    for (size_t i = rank; i < self->count; i++) {
        self->keys[i] = self->keys[i + 1];
        self->registered[i] = self->registered[i + 1];
    }
}

void held_keys_drop_behind(struct held_keys *self, size_t rank)
{
    while (self->count > rank + 1 && self->count > self->present) {
        held_keys_remove(self, self->count - 1);
    }
}

void held_keys_free(struct held_keys *self)
{
    for (size_t i = 0; i < self->count; i++) {
        signing_key_free(self->keys[i]);
    }
    *self = (struct held_keys){.count = 0};
}
