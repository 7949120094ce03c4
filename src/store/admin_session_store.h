/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table sessions, as administrators see and end them.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "device_store.h"

extern const struct pg_statements admin_session_store_statements;

/* A user's live ones, the newest first. No item is current. */
NODISCARD enum error admin_session_store_list(struct pg *pg, struct arena *arena,
                                              struct uuid user_id, const struct keyset *keyset,
                                              struct device *out, struct keyset_found *found);
/* Whose a session is, live or not. ERR_NOT_FOUND. */
NODISCARD enum error admin_session_store_owner(struct pg *pg, struct arena *arena, struct uuid id,
                                               struct str *sub);

/* Ending all sessions of one user. */
struct admin_session_ending {
    struct uuid user_id;
    struct str sub;
    const char *reason;
    bool tells;   /* a session.revoked event for each that was live */
    bool revokes; /* a row of revocations for each; not needed where auth_ver rose */
    int64_t revocation_ttl_s;
};
/* For a transaction that took the subject's lock first. */
void admin_session_store_end_all(struct pg_tx *tx, const struct admin_session_ending *ending);

/* A walk over all sessions in the order of their ids, a batch at a time. */
struct admin_session_walk {
    struct uuid after; /* zero: from the start */
    int64_t before_ms; /* ends what is live and began before */
    int64_t revocation_ttl_s;
    size_t limit;
};

struct admin_session_walked {
    struct uuid last;
    int64_t seen; /* less than the limit: that was all */
    int64_t ended;
};
/* ERR_NO_MATCH when the moment is still to come, by the database's clock. */
void admin_session_store_require_past(struct pg_tx *tx, int64_t moment_ms);
/* One transaction: each session that it ends gets its row of revocations. */
NODISCARD enum error admin_session_store_end_begun(struct pg *pg,
                                                   const struct admin_session_walk *walk,
                                                   struct admin_session_walked *out);
