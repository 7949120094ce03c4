/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Argon2id (RFC 9106) by libsodium, in PHC string form, and verification of imported bcrypt hashes by
 * libxcrypt. Each hasher keeps its own working memory: libsodium maps, faults in and unmaps it for
 * every hash otherwise, a third of the cost. (How: libsodium is linked from a copy of the
 * distribution's archive whose mmap and munmap are renamed to the two functions below.)
 *
 * Ownership: a hasher belongs to its thread, and its memory with it.
 * Threads: one hasher a thread; different hashers at once.
 * Errors: ERR_INVALID_CREDENTIALS for a password that does not match; ERR_INVALID for a hash string
 * that is not one of ours or is beyond the limits (m <= 100 MiB, t <= 16, p <= 8, bcrypt cost <= 14);
 * ERR_INTERNAL when there is no memory to hash in.
 */
#pragma once

#include "crypto.h"

enum { PASSWORD_HASH_BYTES_MAX = 160 };

struct password_hash {
    char text[PASSWORD_HASH_BYTES_MAX]; /* PHC string, NUL-terminated */
};

struct password_hash_cost {
    uint32_t memory_kib;
    uint32_t passes;
};

struct password_hasher;

struct password_hasher *password_hasher_new(struct password_hash_cost cost);
void password_hasher_free(struct password_hasher *self);
/* Gives the working memory back to the system if unused for `idle_ms`. */
void password_hasher_trim(struct password_hasher *self, int64_t idle_ms);

NODISCARD enum error password_hash_make(struct password_hasher *self, struct str input,
                                        struct password_hash *out);
NODISCARD enum error password_hash_verify(struct password_hasher *self, struct str input,
                                          const char *phc);
/* Checks form and limits without hashing. */
NODISCARD enum error password_hash_check(const char *phc);
/* True when `phc` is not an Argon2id hash of exactly this cost. */
bool password_hash_outdated(const struct password_hasher *self, const char *phc);

/* What the renamed libsodium calls. Not for anyone else. */
void *password_hash_mmap(void *address, size_t bytes, int protection, int flags, int fd,
                         long offset);
int password_hash_munmap(void *address, size_t bytes);
