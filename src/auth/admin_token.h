/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of administrators: a login's own never carry users:admin. Whoever has the role gets one for
 * the current refresh token of a session that was opened, or proved again, with a second factor a
 * short while ago. Its only audience is the issuer; nothing rotates.
 *
 * Ownership: the token is in the work's arena. Threads: any, each with its own work.
 */
#pragma once

#include "refresh.h"

enum { ADMIN_TOKEN_FRESH_S = 900 };

#define ADMIN_TOKEN_ROLE STR("admin")

/* ERR_INVALID_REFRESH_TOKEN as refresh_hold; ERR_INVALID_SCOPE without the role;
 * ERR_MFA_ENROLLMENT_REQUIRED without a second factor; ERR_REAUTH_REQUIRED when it was not proved by a
 * code of the authenticator (a recovery code is none), or the login is older than
 * ADMIN_TOKEN_FRESH_S. */
NODISCARD enum error admin_token_mint(const struct session_policy *self, struct work *work,
                                      const struct refresh_request *request, struct str *out);
