/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Web Keys (RFC 7517) and JWS signatures (RFC 7515) of the two algorithms that the service
 * issues: ES256 and RS256 (RFC 7518 sections 3.3, 3.4). The algorithm belongs to the key and is
 * never read from a token (RFC 8725 section 3.1).
 *
 * Ownership: keys are made at start or on rotation; the last of their owners frees them.
 * Threads: a key may be used by any number of threads at once.
 * Errors: ERR_INVALID for a key or signature that is not right; the reason for a key that cannot be
 * loaded is one sentence in `why`.
 */
#pragma once

#include "crypto.h"

enum {
    SIGNING_KID_BYTES_MAX = 64,
    SIGNING_SIGNATURE_BYTES_MAX = 512,
    SIGNING_JWK_BYTES_MAX = 4096
};

struct signing_key;

/*
 * One private JWK: EC P-256, or RSA of 3072 bits and more. `kid` is the JWK's own, else the RFC 7638
 * thumbprint. EC points are validated; a private part that does not belong to the public one is
 * refused.
 */
NODISCARD enum error signing_key_load(struct str jwk_json, struct signing_key **out,
                                      const char **why);
/* The same for the public half alone, which must come without any private member. It verifies, and
 * cannot sign. */
NODISCARD enum error signing_key_load_public(struct str jwk_json, struct signing_key **out,
                                             const char **why);
/* A fresh EC P-256 key. */
struct signing_key *signing_key_generate(void);
/* A fresh RSA key of 3072 bits. */
struct signing_key *signing_key_generate_rsa(void);
/* One more owner of the same key; each calls signing_key_free. */
struct signing_key *signing_key_hold(struct signing_key *self);
void signing_key_free(struct signing_key *self);

const char *signing_key_kid(const struct signing_key *self);
const char *signing_key_alg(const struct signing_key *self); /* "ES256" or "RS256" */
bool signing_key_can_sign(const struct signing_key *self);
/* Whether their public halves are one key, whatever their kids. */
bool signing_key_is_same(const struct signing_key *self, const struct signing_key *other);
/* The public JWK with kty, use, alg, kid; never a private member. */
void signing_key_public_jwk(const struct signing_key *self, struct buf *out);
/* The private JWK, for `keys new`. The caller wipes it. */
NODISCARD enum error signing_key_private_jwk(const struct signing_key *self, struct buf *out);

/* Appends the raw JWS signature: r ‖ s of 64 bytes for ES256 (RFC 7518 section 3.4). */
NODISCARD enum error signing_sign(const struct signing_key *self, struct str data, struct buf *out);
/* ERR_INVALID unless `signature` is this key's over `data`; lengths are checked first. */
NODISCARD enum error signing_verify(const struct signing_key *self, struct str data,
                                    struct str signature);
