/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Passwords of accounts that exist: hashed anew, changed, reset.
 *
 * A new password raises auth_ver, so that every session, access token and one-time token from before
 * is worth nothing; the sessions are ended in a statement behind that, which sees what a login
 * inserted meanwhile. Of two changes that saw the same auth_ver one wins.
 *
 * Ownership: results are in the work's arena. Threads: any, each with its own work.
 * Errors: ERR_VALIDATION with findings at /new_password for a password that is not taken; what proved
 * the right to set one (session, token) stays usable then.
 */
#pragma once

#include "account.h"
#include "password_policy.h"

/* Gives the hash of a password that was just proved the form in force (cost, scheme, pepper), if it
 * has another. Never fails the caller: a failure is counted, and the next login tries again. */
void credential_rehash(const struct accounts *self, struct work *work,
                       const struct user_login *user, struct str password);

struct credential_password_change {
    const struct token_claims *claims; /* of the acting session */
    struct str current_password;
    struct str new_password;
    struct account_origin origin;
};

/* Ends every session of the user, the acting one included, and starts a new one.
 * ERR_INVALID_CREDENTIALS when it is not the current password; ERR_UNAUTHENTICATED when the session
 * does not count (any more); ERR_REAUTH_REQUIRED when the user has a second factor and the session is
 * not fresh. */
NODISCARD enum error credential_change(const struct accounts *self, struct work *work,
                                       const struct credential_password_change *in,
                                       struct json_findings *findings, struct session_grant *out);

/* Asks for the mail. The answer is the same for every address. */
NODISCARD enum error credential_ask_reset(const struct accounts *self, struct work *work,
                                          const struct email *email);

struct credential_password_reset {
    struct str token;
    struct str new_password;
    struct account_origin origin;
};

/* Ends every session, and verifies the address that the token was mailed to.
 * ERR_INVALID_TOKEN: not genuine, used, expired, or the credentials have changed since. */
NODISCARD enum error credential_reset(const struct accounts *self, struct work *work,
                                      const struct credential_password_reset *in,
                                      struct json_findings *findings);

void credential_register_metrics(void);
