/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: JWTs (RFC 7519) of the RFC 9068 profile, signed with the service's own key, and
 * their check. Issuing and checking are separate; the algorithm is the key's (RFC 8725 section 3.1).
 *
 * Ownership: `struct tokens` is read-only and shared; texts and claims are in the arena.
 * Threads: any. Errors: ERR_UNAUTHENTICATED for every token that is not a live one of this issuer.
 */
#pragma once

#include "json_in.h"
#include "signing.h"

enum { TOKEN_BYTES_MAX = 4096, TOKEN_KEYS_MAX = 4, TOKEN_AUDIENCES_MAX = 8 };

struct tokens {
    struct str issuer;
    struct str audiences[TOKEN_AUDIENCES_MAX]; /* `aud` of users' tokens */
    size_t audience_count;
    struct str typ; /* "at+jwt" (RFC 9068 section 2.1) */
    int64_t ttl_s;
    const struct signing_key *keys[TOKEN_KEYS_MAX]; /* the first signs, all verify */
    size_t key_count;
};

struct token_subject {
    struct str sub;
    struct str client_id;
    struct uuid sid;
    int64_t auth_ver;
    struct str roles; /* separated by spaces; empty: none */
    struct str scope;
    int64_t auth_time_s;
    struct str amr; /* separated by spaces */
};

NODISCARD enum error token_issue(const struct tokens *self, struct arena *arena,
                                 const struct token_subject *subject, struct str *out);

/* What the service itself uses of a checked token. */
struct token_claims {
    struct str sub;
    struct str client_id;
    struct uuid sid;
    int64_t auth_ver;
    int64_t auth_time_s;
};

/* A live token of this issuer for the users' own routes: one of our audiences is in its `aud`. */
NODISCARD enum error token_check(const struct tokens *self, struct arena *arena, struct str token,
                                 struct token_claims *out);
/* The public keys as a JWK set (RFC 7517 section 5). */
void token_jwks(const struct tokens *self, struct buf *out);
