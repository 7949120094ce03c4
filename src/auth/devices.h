/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's own sessions: on which devices they are logged in, and how they end them; and the renewed
 * proof of the password that touchy changes ask for.
 *
 * Ownership: results are in the work's arena. Threads: any, each with its own work.
 */
#pragma once

#include "account.h"
#include "device_store.h"

enum { DEVICES_FRESH_S = 300 }; /* so long after its auth_time a session may do what is touchy */

/* ERR_REAUTH_REQUIRED when the password was last proved longer ago. */
NODISCARD enum error devices_require_fresh(const struct token_claims *claims);

/* ERR_NOT_FOUND when it is not one of the user's, or has ended; ERR_REAUTH_REQUIRED as above, but for
 * the acting session itself. */
NODISCARD enum error devices_end_one(const struct session_policy *self, struct work *work,
                                     const struct token_claims *claims, struct uuid id);
/* ERR_REAUTH_REQUIRED unless the session is fresh. */
NODISCARD enum error devices_end_others(const struct session_policy *self, struct work *work,
                                        const struct token_claims *claims);

struct devices_reauthentication {
    const struct token_claims *claims;
    struct str password;
    struct str code; /* empty: none */
    struct account_origin origin;
};

/* Proves the password again, and the second factor of who has one: the same session, a new access token
 * with a new auth_time. ERR_INVALID_CREDENTIALS when it is not the password, ERR_TOO_MANY_ATTEMPTS as
 * throttle_password; only after the right one ERR_MFA_REQUIRED without a code, ERR_INVALID_CODE and
 * ERR_TOO_MANY_ATTEMPTS as mfa_code_check. */
NODISCARD enum error devices_reauthenticate(const struct accounts *self, struct work *work,
                                            const struct devices_reauthentication *in,
                                            struct str *access_token);
