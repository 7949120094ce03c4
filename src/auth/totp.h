/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time-based one-time passwords (RFC 6238) as every authenticator app has them: HMAC-SHA-1, six digits,
 * 30 seconds. A code counts one step before and after its own (section 5.2 allows for clocks and
 * networks), and no step counts that is not later than the last one that was used (section 5.2: "MUST
 * NOT accept the second attempt").
 *
 * Secrets are kept sealed with the keyring's sub-key `totp`, bound to the user: the ciphertext of one
 * user is worth nothing in another's row.
 *
 * Ownership: results are in the arena or the caller's memory; whoever opened a secret wipes it.
 * Threads: any.
 */
#pragma once

#include "keyring.h"
#include "mfa_store.h"

enum { TOTP_SECRET_BYTES = 20, TOTP_STEP_S = 30, TOTP_DIGITS = 6, TOTP_STEPS_AROUND = 1 };

/* 160 random bits (RFC 4226 section 4, R6). */
struct totp_secret {
    uint8_t bytes[TOTP_SECRET_BYTES];
};

void totp_secret_new(struct totp_secret *out);
/* RFC 4226 section 5.3 for that step. */
uint32_t totp_code(const struct totp_secret *secret, int64_t step);

/* When a code is looked at. */
struct totp_moment {
    int64_t now_s;     /* Unix time */
    int64_t last_step; /* used already */
};
/* The step that it is the code of; ERR_INVALID_CODE. */
NODISCARD enum error totp_check(const struct totp_secret *secret, struct str code,
                                const struct totp_moment *moment, int64_t *step);

/* Base32 (RFC 4648 section 6), as people type it in. */
struct str totp_secret_text(struct arena *arena, const struct totp_secret *secret);
/* otpauth://totp/ISSUER:LABEL?secret=…, as apps read it from a picture. */
struct str totp_uri(struct arena *arena, const struct totp_secret *secret, struct str issuer,
                    struct str label);

/* With the keyring's current key. */
NODISCARD enum error totp_seal(const struct keyring *keyring, struct arena *arena,
                               struct uuid user_id, const struct totp_secret *secret,
                               struct mfa_secret *out);
/* ERR_INTERNAL when its key is not in the keyring, or a byte is not as it was. */
NODISCARD enum error totp_open(const struct keyring *keyring, struct uuid user_id,
                               const struct mfa_secret *sealed, struct totp_secret *out);
