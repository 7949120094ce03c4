/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random bytes, digests and MACs, over OpenSSL (fetched once, one context a thread). The only file
 * that names OpenSSL beside crypto_seal.c and signing*.c.
 *
 * Errors: what OpenSSL cannot do (no memory, no entropy) ends the process: nothing sensible can
 * follow, and no caller has a better answer. Threads: any.
 */
#pragma once

#include "codec.h"

enum { CRYPTO_SHA256_BYTES = 32, CRYPTO_SHA1_BYTES = 20, CRYPTO_KEY_BYTES = 32 };

/* A 256-bit secret. Wiped by its owner; never logged, never compared but by crypto_equal. */
struct crypto_key {
    uint8_t bytes[CRYPTO_KEY_BYTES];
};

struct crypto_digest {
    uint8_t bytes[CRYPTO_SHA256_BYTES];
};

/* Start-up only, before the first other call. */
void crypto_start(void);

void crypto_random(void *out, size_t bytes);
struct uuid crypto_uuid4(void);            /* RFC 9562 section 5.4 */
struct uuid crypto_uuid7(int64_t unix_ms); /* RFC 9562 section 5.7, 74 random bits */
struct crypto_digest crypto_sha256(struct str data);
struct crypto_digest crypto_hmac(const struct crypto_key *key, struct str data); /* HMAC-SHA-256 */
struct crypto_digest crypto_hmac_bytes(struct str key, struct str data);
/* HMAC-SHA-1, for RFC 4226 alone. */
void crypto_hmac_sha1(struct str key, struct str data, uint8_t out[CRYPTO_SHA1_BYTES]);
/* HKDF-SHA-256 (RFC 5869), empty salt, `label` as info. */
struct crypto_key crypto_hkdf(const struct crypto_key *key, struct str label);
/* Constant time for equal lengths. */
bool crypto_equal(const void *a, const void *b, size_t bytes);
void crypto_wipe(void *secret, size_t bytes);
