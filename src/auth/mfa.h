/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's own second factor: enrolment, confirmation by its first code, recovery codes, removal.
 *
 * Turning it on or off raises auth_ver: every other session ends, and every access token from before is
 * worth nothing; the acting session goes on, and its next refresh gives a token that counts. On, it has
 * proved the factor, and its `amr` says so.
 *
 * A session of a user with a factor is fresh only after the factor was proved with it: login and
 * /v1/me/reauth ask for a code, and a password change asks for a fresh session.
 *
 * Ownership: results are in the work's arena. Threads: any, each with its own work.
 * Errors: ERR_REAUTH_REQUIRED unless the acting session is fresh; ERR_UNAUTHENTICATED when it does not
 * count (any more).
 */
#pragma once

#include "account.h"
#include "mfa_code.h"

struct mfa_acting {
    const struct token_claims *claims;
    struct account_origin origin;
};

struct mfa_enrollment {
    struct str secret; /* base32 */
    struct str uri;    /* otpauth:// */
};
/* In the place of one that waits for its first code; it waits for an hour. ERR_MFA_ENABLED when there is
 * one that counts. */
NODISCARD enum error mfa_begin(const struct accounts *self, struct work *work,
                               const struct mfa_acting *acting, struct mfa_enrollment *out);
/* ERR_INVALID_CODE, ERR_TOO_MANY_ATTEMPTS as mfa_code_check; ERR_MFA_NOT_ENABLED when none waits. */
NODISCARD enum error mfa_confirm(const struct accounts *self, struct work *work,
                                 const struct mfa_acting *acting, struct str code,
                                 struct mfa_code_recovery *out);
/* Without a factor nothing happens. */
NODISCARD enum error mfa_disable(const struct accounts *self, struct work *work,
                                 const struct mfa_acting *acting);
/* Those from before are worth nothing. ERR_MFA_NOT_ENABLED. */
NODISCARD enum error mfa_renew_recovery(struct work *work, const struct mfa_acting *acting,
                                        struct mfa_code_recovery *out);
