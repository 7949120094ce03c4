/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Authenticated encryption: AES-256-GCM (NIST SP 800-38D). What is sealed says nothing without the key,
 * and opens only whole, with the same nonce and the same bytes that it was bound to.
 *
 * One key must never see a nonce twice: take a random one for each message (fewer than 2^32 a key).
 *
 * Ownership: the caller's memory. Threads: any. Errors: as in crypto.h.
 */
#pragma once

#include "crypto.h"

enum {
    CRYPTO_SEAL_NONCE_BYTES = 12,
    CRYPTO_SEAL_TAG_BYTES = 16,
    CRYPTO_SEAL_TEXT_BYTES_MAX = 4096
};

struct crypto_seal_nonce {
    uint8_t bytes[CRYPTO_SEAL_NONCE_BYTES];
};

/* What a message is sealed with, and what it is bound to without holding it. */
struct crypto_seal {
    const struct crypto_key *key;
    struct crypto_seal_nonce nonce;
    struct str bound;
};

/* `out` has text.len + CRYPTO_SEAL_TAG_BYTES bytes; the tag is behind. */
void crypto_seal_close(const struct crypto_seal *self, struct str text, uint8_t *out);
/* `out` has sealed.len - CRYPTO_SEAL_TAG_BYTES bytes. ERR_INVALID, with `out` wiped, when anything is
 * not as it was. */
NODISCARD enum error crypto_seal_open(const struct crypto_seal *self, struct str sealed,
                                      uint8_t *out);
