/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The password gate: which passwords are taken, and how one is stored and checked.
 *
 * A password is at most 1,024 bytes and 256 code points (looked at before any work), is normalised
 * to NFC (NIST SP 800-63B-4 section 3.1.1.2), keyed with the pepper of the keyring, and hashed with
 * Argon2id. No composition rules, no truncation, no case folding.
 *
 * Ownership: `struct passwords` is read-only and shared; the hasher is the worker's.
 * Threads: any, each with its own hasher. Errors: ERR_INVALID_CREDENTIALS when it does not match.
 */
#pragma once

#include "json_in.h"
#include "keyring.h"
#include "password_hash.h"

enum { PASSWORD_BYTES_MAX = 1024, PASSWORD_CODEPOINTS_MAX = 256 };

struct passwords {
    const struct keyring *keyring;
    unsigned codepoints_min;
    bool peppered;
    struct password_hash dummy; /* stands in for an account that does not exist */
    char too_short[64];         /* the sentence, with the number in force */
    size_t too_short_len;
};

struct password_record {
    struct str phc;
    struct str pepper_kid; /* ".": normalised, not keyed; empty: hashed as it came (imported) */
};

/* Completes the caller's settings: the dummy of the cost in force, the sentences. */
void password_init(struct passwords *self, struct password_hash_cost cost);

/* Adds what is wrong with a password that someone wants to set. */
void password_policy(const struct passwords *self, struct str password, struct str pointer,
                     struct json_findings *findings);
/* The record is in the arena. */
NODISCARD enum error password_store(const struct passwords *self, struct password_hasher *hasher,
                                    struct arena *arena, struct str password,
                                    struct password_record *out);
/* One hash, whoever is asked about: without a record it works on the dummy and never matches. */
NODISCARD enum error password_verify(const struct passwords *self, struct password_hasher *hasher,
                                     struct arena *arena, struct str password,
                                     const struct password_record *record);
