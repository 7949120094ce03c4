/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table sessions. Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements session_store_statements;

struct session_row {
    struct uuid id;
    struct uuid user_id;
    int64_t auth_ver;
    struct str client_id;
    struct str kid;
    struct str token_hash; /* SHA-256 of the token's secret */
    struct str amr;        /* separated by spaces */
    int64_t idle_ttl_s;
    int64_t absolute_ttl_s;
    struct str ip;         /* empty: unknown */
    struct str user_agent; /* empty: none */
};

/* Only for a user who is active with that auth_ver at this moment (their row is locked FOR SHARE, so
 * a change of credentials comes wholly before or wholly after); else the transaction aborts with
 * ERR_NO_MATCH. The row's texts are borrowed until the commit. */
void session_store_insert(struct pg_tx *tx, const struct session_row *row);
/* ERR_NO_MATCH when the session is gone or has ended. */
void session_store_revoke(struct pg_tx *tx, struct uuid id);
