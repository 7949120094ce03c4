/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private signing keys that the process has: those of the secret in its order (the newest first),
 * then those that have left it and are still needed, since a newer one is not due yet.
 *
 * Ownership: an owner of each key. Threads: one at a time.
 */
#pragma once

#include "signing.h"

enum { HELD_KEYS_MAX = 12 };

struct held_keys {
    struct signing_key *keys[HELD_KEYS_MAX];
    bool registered[HELD_KEYS_MAX]; /* in table signing_keys; the owner's to set */
    size_t count;
    size_t present; /* so many of them are in the secret */
};

/* What the secret holds from now on; takes the keys over. One whose kid names another key already is
 * refused. When there are too many, those go that have left the secret last: the oldest may be the one
 * that signs. Both are logged. */
void held_keys_take(struct held_keys *self, struct signing_key *const *keys, size_t count);
/* -1: not held. */
int held_keys_rank(const struct held_keys *self, struct str kid);
void held_keys_remove(struct held_keys *self, size_t rank);
/* Those behind `rank` that have left the secret. */
void held_keys_drop_behind(struct held_keys *self, size_t rank);
void held_keys_free(struct held_keys *self);
