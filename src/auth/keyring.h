/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service's symmetric keys: named 256-bit roots from the keyring secret,
 * {"current":"k2","keys":{"k1":"<base64 of 32 bytes>","k2":"…"}}, and the HKDF sub-keys made of each.
 * Every row and token that depends on a key names its id, so an old key serves until nothing names it.
 *
 * Ownership: the keyring owns its keys and wipes them when freed. Threads: read-only after load.
 */
#pragma once

#include "crypto.h"

enum { KEYRING_KEYS_MAX = 8, KEYRING_KID_BYTES_MAX = 16 };

enum keyring_purpose {
    KEYRING_PEPPER,
    KEYRING_REFRESH,
    KEYRING_CHAIN,
    KEYRING_ONE_TIME,
    KEYRING_CURSOR,
    KEYRING_PURPOSE_COUNT
};

struct keyring;

/* ERR_CONFIG with one sentence in `why` (arena). */
NODISCARD enum error keyring_load(struct arena *arena, struct str json, struct keyring **out,
                                  const char **why);
void keyring_free(struct keyring *self);
const char *keyring_current(const struct keyring *self);
/* NULL for an id that is not in the keyring. */
const struct crypto_key *keyring_key(const struct keyring *self, struct str kid,
                                     enum keyring_purpose purpose);
