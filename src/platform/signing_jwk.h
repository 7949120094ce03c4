/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Keys (RFC 7517, RFC 7518 section 6) to and from OpenSSL's keys. For signing.c only.
 *
 * Threads: pure functions.
 */
#pragma once

#include <openssl/types.h>
#include <stdatomic.h>

#include "signing.h"

struct signing_type;

extern const struct signing_type signing_jwk_ec;
extern const struct signing_type signing_jwk_rsa;

struct signing_key {
    atomic_uint owners; /* besides the first */
    const struct signing_type *type;
    EVP_PKEY *pkey;
    /* Ready-made operations: each use works on a copy, which costs far less than a new one. */
    EVP_PKEY_CTX *signer; /* NULL: the public half alone */
    EVP_PKEY_CTX *verifier;
    char kid[SIGNING_KID_BYTES_MAX + 1];
};

/* Sets type, pkey and kid (empty if the JWK has none). */
NODISCARD enum error signing_jwk_read(struct arena *arena, struct str json, bool is_private,
                                      struct signing_key *out, const char **why);
void signing_jwk_write(const struct signing_key *self, bool with_private, struct buf *out);
const char *signing_jwk_alg(const struct signing_type *type);
/* RFC 7638 with SHA-256, in base64url. */
void signing_jwk_thumbprint(const struct signing_key *self, struct buf *out);
