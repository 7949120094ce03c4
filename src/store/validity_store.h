/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a token's session or client still counts, asked of the tables themselves. Threads: as the
 * connection.
 */
#pragma once

#include "user_store.h"

extern const struct pg_statements validity_store_statements;

/* OK, or ERR_UNAUTHENTICATED when the session does not count, is of another user or another client, or
 * its client is disabled. */
NODISCARD enum error validity_store_session(struct pg *pg, const struct user_session *session,
                                            struct str sub, struct str client_id);
/* OK, or ERR_UNAUTHENTICATED when there is no such confidential client, or it is disabled. */
NODISCARD enum error validity_store_client(struct pg *pg, struct uuid id);

/* The same as part of a transaction, which aborts whole unless it counts (ERR_NO_MATCH): whoever ends it
 * waits until the transaction is over. The texts are borrowed until the commit. */
void validity_store_require_session(struct pg_tx *tx, const struct user_session *session,
                                    struct str sub, struct str client_id);
/* A text that is no client's id is refused like an unknown one. */
void validity_store_require_client(struct pg_tx *tx, struct str client_id);
