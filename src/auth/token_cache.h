/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens whose signature was checked already, and what they say: the second look at a token costs a
 * digest instead of a signature. It says nothing about revocation, which is judged each time.
 *
 * An entry is found by the SHA-256 of the token's whole text, and counts until the token's `exp` and
 * for as long as the signing keys are those that it was checked with (signer_set.generation).
 *
 * Memory: mapped once, touched as entries come: TOKEN_CACHE_SLOT_BYTES each. A new entry takes the place
 * of the one that was not asked for the longest, among the four that its digest could be in.
 * Ownership: claims found are copied into the caller's arena.
 * Threads: any, nobody waits: who comes while a slot is being written does without it.
 */
#pragma once

#include "crypto.h"
#include "token.h"

enum { TOKEN_CACHE_SLOTS = 4096, TOKEN_CACHE_SLOT_BYTES = 1024 };

struct token_cache;

struct token_cache_key {
    struct crypto_digest digest;
    uint64_t generation;
};

/* `slots`: a power of two, at least 4. NULL: no memory. */
struct token_cache *token_cache_new(size_t slots);
void token_cache_free(struct token_cache *self);

struct token_cache_key token_cache_key_of(struct str token, uint64_t generation);
/* False, and `out` untouched, when it is not there or does not count any more. */
NODISCARD bool token_cache_find(struct token_cache *self, struct arena *arena,
                                const struct token_cache_key *key, struct token_claims *out);
/* Only of a token that was verified with the keys of that generation. Claims that are too long for a
 * slot are not kept. */
void token_cache_store(struct token_cache *self, const struct token_cache_key *key,
                       const struct token_claims *claims);
