/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rotation of refresh tokens (RFC 6749 section 6, RFC 9700 section 4.14).
 *
 * 1. A token whose tag is wrong is refused without a look at the database.
 * 2. The current token of a live session becomes the previous one, in one conditional UPDATE.
 * 3. Where that matched no row, a new statement looks why: the previous token, presented again within
 *    the grace or with the same Idempotency-Key, is answered with the same successor, and the row is
 *    left alone: a second tab or a lost answer does no harm and nothing forks. A generation that the
 *    row has not reached (a database restored from a backup) is refused. What is left is a genuine old
 *    token: somebody else has used it, so the session ends and session.reuse_detected is published.
 *
 * Ownership: results are in the work's arena. Threads: any, each with its own work.
 * Errors: ERR_INVALID_REFRESH_TOKEN for all that is refused.
 */
#pragma once

#include "session.h"

struct refresh_request {
    struct str token;
    struct str client_id;
    struct str idempotency_key; /* empty: none */
};

NODISCARD enum error refresh_rotate(const struct session_policy *self, struct work *work,
                                    const struct refresh_request *request,
                                    struct session_grant *out);

struct refresh_holder {
    struct uuid sid;
    struct session_holder session;
};
/* Whose current token it is; nothing rotates. A previous one is refused, even within the grace; an
 * older one ends the session as above. */
NODISCARD enum error refresh_hold(const struct session_policy *self, struct work *work,
                                  const struct refresh_request *request,
                                  struct refresh_holder *out);
/* Ends the session of any genuine token of it, old or new; one that has ended is fine. */
NODISCARD enum error refresh_revoke(const struct session_policy *self, struct work *work,
                                    const struct refresh_request *request);
void refresh_register_metrics(void);
