/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service's symmetric keys: named 256-bit roots from the keyring secret,
 * {"current":"k2","keys":{"k1":"<base64 of 32 bytes>","k2":"…"}}, and the HKDF sub-keys made of each.
 * Every row and token that depends on a key names its id, so an old key serves until nothing names it.
 *
 * While the process runs, ids are added and none is taken away; which one is current changes by
 * keyring_use alone.
 *
 * Ownership: the keyring owns its keys and wipes them when freed; what it hands out stays as long as it.
 * Threads: any may read, without waiting, while one adds and switches.
 */
#pragma once

#include <stdatomic.h>

#include "crypto.h"

enum {
    KEYRING_KEYS_MAX = 32,  /* in the secret */
    KEYRING_SLOTS_MAX = 96, /* with those that have left the secret since the start */
    KEYRING_KID_BYTES_MAX = 16
};

enum keyring_purpose {
    KEYRING_PEPPER,
    KEYRING_REFRESH,
    KEYRING_CHAIN,
    KEYRING_ONE_TIME,
    KEYRING_CURSOR,
    KEYRING_THROTTLE,
    KEYRING_TOTP,
    KEYRING_PURPOSE_COUNT
};

struct keyring;

/* The current key is the secret's. ERR_CONFIG with one sentence in `why` (arena). */
NODISCARD enum error keyring_load(struct arena *arena, struct str json, struct keyring **out,
                                  const char **why);
void keyring_free(struct keyring *self);
const char *keyring_current(const struct keyring *self);
/* NULL for an id that is not in the keyring. */
const struct crypto_key *keyring_key(const struct keyring *self, struct str kid,
                                     enum keyring_purpose purpose);

bool keyring_has(const struct keyring *self, struct str kid);
/* The ids, in the order in which they came: 0, 1, … ; NULL behind the last. */
const char *keyring_kid(const struct keyring *self, size_t index);
/* Adds what is new in `fresh`. ERR_CONFLICT, and nothing is added, when an id that is here has other
 * bytes there; ERR_NO_SPACE when there are not slots enough. `kid` is the one at fault (of `fresh`). */
NODISCARD enum error keyring_merge(struct keyring *self, const struct keyring *fresh,
                                   const char **kid);
/* The key must be in the keyring. */
void keyring_use(struct keyring *self, struct str kid);

/* Told, by whichever thread asked, of the first id that was not found since the last
 * keyring_forget_missed: the secret may have it by now. */
struct keyring_watch {
    void (*missed)(void *context);
    void *context;
};
/* Before other threads read. */
void keyring_set_watch(struct keyring *self, struct keyring_watch watch);
bool keyring_has_missed(const struct keyring *self);
void keyring_forget_missed(struct keyring *self);
