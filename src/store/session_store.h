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
    int64_t revocation_ttl_s;
};

/* Of one user: the oldest end, without a word, when there would be more. Without a limit somebody could
 * make more of them than one transaction can end. */
enum { SESSION_STORE_LIVE_MAX = 100 };

/* Only for a user who is active with that auth_ver at this moment (their row is locked FOR SHARE, so
 * a change of credentials comes wholly before or wholly after); else the transaction aborts with
 * ERR_NO_MATCH. The row's texts are borrowed until the commit. */
void session_store_insert(struct pg_tx *tx, const struct session_row *row);
/* A refresh token that was presented, and its successor. */
struct session_rotation {
    struct uuid id;
    struct str client_id;
    struct str presented_hash;
    struct str next_hash;
    struct str idem_hash; /* SHA-256 of the Idempotency-Key; empty: none */
    int64_t idle_ttl_s;
    int64_t grace_s;
};

/* What the tokens of a live session say. */
struct session_holder {
    struct str sub;
    struct str roles; /* separated by spaces */
    int64_t auth_ver;
    int64_t auth_time_ms;
    struct str amr; /* separated by spaces */
    int64_t expires_in_s;
};

/* The current token of a live session becomes its previous one. ERR_NOT_FOUND when that matched no
 * row; session_store_inspect tells why. */
NODISCARD enum error session_store_rotate(struct pg *pg, struct arena *arena,
                                          const struct session_rotation *rotation,
                                          struct session_holder *out);

struct session_state {
    bool
        is_live; /* not ended, not expired, its user active with its auth_ver, its client not disabled */
    bool is_current;  /* the token presented is the current one */
    bool is_repeated; /* it is the previous one, with the same key or within the grace */
    int64_t generation;
    struct session_holder holder;
};

/* ERR_NOT_FOUND when there is no such session of that client. */
NODISCARD enum error session_store_inspect(struct pg *pg, struct arena *arena,
                                           const struct session_rotation *rotation,
                                           struct session_state *out);
/* ERR_NO_MATCH when the session is gone or has ended. */
void session_store_revoke(struct pg_tx *tx, struct uuid id);
