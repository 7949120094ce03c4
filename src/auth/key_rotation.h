/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which signing keys are in force: from the private keys that the process has and from table
 * signing_keys, which says when anybody saw and used each first. Two rotations in a row, a roll-back and
 * a restart end no token: what was signed can be verified, by everybody, until it has expired.
 *
 * Ownership: the private keys are its own; the signers own the sets that it makes.
 * Threads: one at a time.
 */
#pragma once

#include "held_keys.h"
#include "pg.h"
#include "signers.h"

/* Tokens are taken a while longer than they live, since clocks differ. */
enum { KEY_ROTATION_LEEWAY_S = 300 };

struct key_rotation_options {
    struct signers *signers;
    int64_t delay_s;     /* US_KEY_DELAY */
    int64_t token_ttl_s; /* of an access token */
};

struct key_rotation {
    struct key_rotation_options options;
    struct held_keys held;
    bool synced;
    bool vetted;       /* no held key has the kid of another one in the table */
    int64_t marked_ms; /* clock_mono_ms at which the signer was marked last */
    size_t left_out;   /* keys that did not fit the set */
};

void key_rotation_init(struct key_rotation *self, const struct key_rotation_options *options);
void key_rotation_free(struct key_rotation *self);
/* What the secret holds from now on, the newest first; takes the keys over. They are in force at once
 * until the first sync, else by the next one. */
void key_rotation_take(struct key_rotation *self, struct signing_key *const *keys, size_t count);
/* Registers the keys that are new, marks the signer, and puts a new set in force if anything is
 * different. `wait_ms`: until another key becomes due; -1: none does. */
NODISCARD enum error key_rotation_sync(struct key_rotation *self, struct pg *pg,
                                       struct arena *arena, int64_t *wait_ms);
void key_rotation_register_metrics(void);
