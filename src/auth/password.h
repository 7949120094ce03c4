/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The password gate: how a password is stored and checked. Which ones are taken is password_policy.h's.
 *
 * A password is at most 1,024 bytes and 256 code points (looked at before any work), is normalised
 * to NFC (NIST SP 800-63B-4 section 3.1.1.2), keyed with the pepper of the keyring, and hashed with
 * Argon2id. No composition rules, no truncation, no case folding.
 *
 * Ownership: `struct passwords` is read-only and shared; the hasher is the worker's.
 * Threads: any, each with its own hasher. Errors: ERR_INVALID_CREDENTIALS when it does not match.
 */
#pragma once

#include "keyring.h"
#include "password_hash.h"

enum { PASSWORD_BYTES_MAX = 1024, PASSWORD_CODEPOINTS_MAX = 256, PASSWORD_WORDS_MAX = 32 };

struct passwords {
    const struct keyring *keyring;
    unsigned codepoints_min;
    bool peppered;
    struct password_hash dummy;           /* stands in for an account that does not exist */
    struct str words[PASSWORD_WORDS_MAX]; /* what the service is called; password_policy_word */
    size_t word_count;
};

struct password_record {
    struct str phc;
    struct str pepper_kid; /* ".": normalised, not keyed; empty: hashed as it came (imported) */
};

/* Completes the caller's settings: the dummy of the cost in force. */
void password_init(struct passwords *self, struct password_hash_cost cost);

/* The record is in the arena. */
NODISCARD enum error password_store(const struct passwords *self, struct password_hasher *hasher,
                                    struct arena *arena, struct str password,
                                    struct password_record *out);
/* One hash, whoever is asked about: without a record it works on the dummy and never matches. */
NODISCARD enum error password_verify(const struct passwords *self, struct password_hasher *hasher,
                                     struct arena *arena, struct str password,
                                     const struct password_record *record);
/* True for a record of another cost, scheme or pepper than one made now. */
bool password_outdated(const struct passwords *self, const struct password_hasher *hasher,
                       struct arena *arena, const struct password_record *record);
