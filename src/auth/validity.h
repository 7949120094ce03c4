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
