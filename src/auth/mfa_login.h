/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second step of a login. Whoever has given the right password of an account with a second factor
 * gets no session but an mfa_token, good for one login of that account through that client within
 * MFA_LOGIN_TTL_S, and dead as soon as the account's credentials change.
 *
 * Ownership: results are in the work's arena. Threads: any, each with its own work.
 */
#pragma once

#include "account.h"

enum { MFA_LOGIN_TTL_S = 300 };

/* Queues what the token stands for, and makes the token, which is worth nothing until the commit. The
 * transaction ends with ERR_NO_MATCH unless the user is active with that auth_ver. */
NODISCARD enum error mfa_login_queue(const struct accounts *self, struct work *work,
                                     struct pg_tx *tx, const struct session_request *request,
                                     struct str *token);
/* The same in a transaction of its own. ERR_MFA_REQUIRED with work->mfa_token;
 * ERR_INVALID_CREDENTIALS when the account changed meanwhile. */
NODISCARD enum error mfa_login_ask(const struct accounts *self, struct work *work,
                                   const struct session_request *request);

struct mfa_login {
    struct str token;
    struct str code;
    struct account_origin origin; /* its client_id is not looked at: the token has one */
};
/* ERR_INVALID_MFA_TOKEN: not genuine, used, expired, or the account changed; ERR_INVALID_CODE and
 * ERR_TOO_MANY_ATTEMPTS as mfa_code_check, the token stays usable. */
NODISCARD enum error mfa_login_finish(const struct accounts *self, struct work *work,
                                      const struct mfa_login *in, struct session_grant *out);
