/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a token that was checked (token.h) still counts: its session not ended, its user active with
 * the same `av`, its client not disabled. From memory where memory can tell, else from the database.
 *
 * Threads: any.
 */
#pragma once

#include "clients.h"
#include "revocation.h"
#include "token.h"

struct validity {
    const struct revocations *revocations;
    const struct clients *clients;
    int64_t revocation_ttl_s; /* what was revoked is in memory for so long */
};

/* From memory: OK, ERR_UNAUTHENTICATED, or ERR_DEFER when it cannot tell. */
NODISCARD enum error validity_judge(const struct validity *self, const struct token_claims *claims);
/* From the database: OK, ERR_UNAUTHENTICATED, ERR_UNAVAILABLE. */
NODISCARD enum error validity_ask(struct pg *pg, const struct token_claims *claims);

/*
 * A change on behalf of a bearer asks again in its own transaction, so that nobody who was disabled
 * meanwhile changes anything: the statement comes after the subject's lock, before all others. It holds
 * the bearer's rows until the commit: of two who end each other one wins, and the other does not count.
 *
 * `claims` NULL: an operator, who has no token. The roles are not looked at: whoever loses one gets a
 * higher auth_ver, and no session is left.
 */
void validity_require(struct pg_tx *tx, const struct token_claims *claims);
/* Instead of pg_tx_commit, after validity_require. ERR_UNAUTHENTICATED when nothing was done and the
 * token does not count any more; ERR_NO_MATCH when it counts, and another statement found no row. */
NODISCARD enum error validity_commit(struct pg_tx *tx, const struct token_claims *claims);
