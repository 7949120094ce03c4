/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL's keys from the numbers of a JWK, and what makes numbers a key that is taken. For signing_jwk.c
 * only.
 *
 * Threads: pure functions. Errors: ERR_INVALID with one sentence in `why`.
 */
#pragma once

#include <openssl/types.h>

#include "signing_jwk.h"

enum { SIGNING_P256_BYTES = 32, SIGNING_NUMBER_BYTES_MAX = 512, SIGNING_PARTS_MAX = 8 };

/* A binary member and OpenSSL's name for it. */
struct signing_part {
    const char *member, *param;
    size_t offset; /* in the decoded JWK */
    bool is_private;
};

struct signing_type {
    const char *kty, *alg;
    const char *name; /* OpenSSL's */
    /* In the order in which a JWK is written. */
    struct signing_part parts[SIGNING_PARTS_MAX];
    size_t count;
};

/* In the order of the type's parts; without the private ones it is a public key. */
struct signing_numbers {
    BIGNUM *items[SIGNING_PARTS_MAX];
};

void signing_import_free(struct signing_numbers *numbers);
#define SIGNING_NUMBERS __attribute__((cleanup(signing_import_free))) struct signing_numbers

NODISCARD enum error signing_import(const struct signing_type *type,
                                    const struct signing_numbers *numbers, EVP_PKEY **out,
                                    const char **why);
