/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which key is used, by what is known of all of them. A new key must be known to everybody before the
 * first use of it, so it is due only some time (US_KEY_DELAY) after anybody saw it first.
 *
 * Threads: pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { KEY_PLAN_FOREIGN = -1 };

#define KEY_PLAN_NONE SIZE_MAX

/* Times are the database's, Unix ms. */
struct key_facts {
    int64_t first_seen_ms;
    int64_t last_used_ms; /* 0: never */
    bool is_revoked;
    /* Lower is newer. KEY_PLAN_FOREIGN: this process does not have the key (or only its public half).
     * In a keyring 0 is the one that the secret calls current, the others are 1. */
    int rank;
};

struct key_times {
    int64_t now_ms;
    int64_t delay_ms;
    int64_t keep_ms; /* what was signed with a key is dead this long after its last use */
};

/* Known for long enough, ours, and not revoked. */
bool key_plan_is_due(const struct key_facts *key, const struct key_times *times);
/* The index of the key that signs: the newest due one; none due: the one that was seen first.
 * KEY_PLAN_NONE: there is none. */
size_t key_plan_signer(const struct key_facts *keys, size_t count, const struct key_times *times);
/* Whether tokens of that key are still good, and so whether it is published. */
bool key_plan_verifies(const struct key_facts *key, const struct key_times *times);
/* The index of the keyring's key that new rows and tokens are made with: the secret's current one when
 * it is due; until then the due one that was current last; none due: the one that was seen first. */
size_t key_plan_current(const struct key_facts *keys, size_t count, const struct key_times *times);
/* Until the next key that the process has becomes due; -1: all are. */
int64_t key_plan_wait_ms(const struct key_facts *keys, size_t count, const struct key_times *times);
