/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SipHash-2-4 with 128 bits of output (Aumasson and Bernstein, 2012): a keyed hash for tables in
 * memory. Who does not know the key cannot make keys that meet in one place. It is no digest: what is
 * stored or sent is hashed by crypto.h.
 *
 * Threads: pure functions.
 */
#pragma once

#include "str.h"

enum { SIPHASH_KEY_BYTES = 16 };

struct siphash_key {
    uint8_t bytes[SIPHASH_KEY_BYTES];
};

struct siphash {
    uint64_t words[2]; /* little endian, in this order, where it is written as bytes */
};

struct siphash siphash_of(const struct siphash_key *key, struct str data);
bool siphash_equal(struct siphash a, struct siphash b);
