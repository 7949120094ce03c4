/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which id of the keyring is current: from the ids that the process has and from table keyring_keys,
 * which says when anybody saw and used each first. A new current id is used only when every replica
 * has had the time to read it.
 *
 * Ownership: the keyring is its owner's, and outlives this. Threads: one at a time.
 */
#pragma once

#include "keyring.h"
#include "pg.h"

struct keyring_rotation_options {
    struct keyring *keyring;
    int64_t delay_s; /* US_KEY_DELAY */
    int64_t used_s;  /* what was made with an id may live for so long */
};

struct keyring_rotation {
    struct keyring_rotation_options options;
    char wanted[KEYRING_KID_BYTES_MAX + 1]; /* what the secret calls current */
    bool synced;
    int64_t marked_ms; /* clock_mono_ms at which the current id was marked last */
};

void keyring_rotation_init(struct keyring_rotation *self,
                           const struct keyring_rotation_options *options);
/* What the secret holds from now on. ERR_CONFIG with one sentence in `why` (arena) when it contradicts
 * what is in force, which then stays as it is. */
NODISCARD enum error keyring_rotation_take(struct keyring_rotation *self, struct arena *arena,
                                           const struct keyring *fresh, const char **why);
/* Registers ids that are new, and switches when it is time. `wait_ms`: until another id becomes due;
 * -1: none does. */
NODISCARD enum error keyring_rotation_sync(struct keyring_rotation *self, struct pg *pg,
                                           struct arena *arena, int64_t *wait_ms);
/* At start: ERR_CONFIG with one sentence in `why` (arena) when an id that is in use is missing. */
NODISCARD enum error keyring_rotation_check(const struct keyring_rotation *self, struct pg *pg,
                                            struct arena *arena, const char **why);
