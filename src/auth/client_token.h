/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens that confidential clients get for themselves (RFC 6749 section 4.4).
 *
 * Its audience is the client's own; scope users:read adds the issuer, and users:admin makes the issuer
 * the only one, since /v1/admin takes no other.
 *
 * Ownership: texts are in the arena. Threads: any.
 */
#pragma once

#include "clients.h"
#include "token.h"

struct client_grant {
    struct str access_token;
    struct str scope; /* separated by spaces, as registered; empty: none */
};

/* `scope`: words of the client's own; ptr NULL: all of them. ERR_INVALID_SCOPE for any other;
 * ERR_UNAUTHORIZED_CLIENT when nobody would be the token's audience. */
NODISCARD enum error client_token_issue(const struct tokens *tokens, struct arena *arena,
                                        const struct client *client, struct str scope,
                                        struct client_grant *out);
