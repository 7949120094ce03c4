/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables totp_factors and recovery_codes.
 *
 * An attempt is counted before its code is looked at, and forgiven with the code's use: so however many
 * come at once, no more than MFA_STORE_FAILURES_MAX fail within any hour, on any number of replicas.
 *
 * Whoever changes more than one table does so in the order users, totp_factors, sessions.
 *
 * Ownership: rows read are copied into the arena given; texts to be written are borrowed until the
 * commit. Threads: as the connection.
 */
#pragma once

#include "user_store.h"

extern const struct pg_statements mfa_store_statements;

enum { MFA_STORE_FAILURES_MAX = 10 };

/* A secret as it is stored. */
struct mfa_secret {
    struct str kid;
    struct str nonce;
    struct str sealed;
};

/* A factor that is not confirmed yet, in the place of one that was not either. ERR_NO_MATCH when the
 * acting session does not count, or its user has a factor that counts. */
void mfa_store_put(struct pg_tx *tx, const struct user_session *acting,
                   const struct mfa_secret *secret);

/* Whose code is tried, and which. */
struct mfa_try {
    struct uuid user_id;
    bool is_pending;          /* the factor that waits for its first code */
    struct str recovery_hash; /* empty: it is none of those */
};

struct mfa_attempt {
    bool is_braked; /* too many failed within the hour: then nothing but retry_after_s is set */
    int64_t retry_after_s;
    int64_t counted_ms; /* what this attempt is forgiven by */
    struct mfa_secret secret;
    int64_t last_step;
    bool has_recovery; /* the recovery code is one of theirs */
};

/* Counts an attempt. ERR_NOT_FOUND when there is no such factor. */
NODISCARD enum error mfa_store_attempt(struct pg *pg, struct arena *arena,
                                       const struct mfa_try *attempt, struct mfa_attempt *out);

/* A code that was right. */
struct mfa_use {
    struct uuid user_id;
    int64_t counted_ms;
    struct str seen_nonce;
    int64_t step;
    struct mfa_secret secret;
    struct str recovery_hash;
};
/* The step is used up, and the secret is stored as given. ERR_NO_MATCH when somebody used that step or
 * a later one. */
void mfa_store_use_step(struct pg_tx *tx, const struct mfa_use *use);
/* ERR_NO_MATCH when it was used. */
void mfa_store_use_recovery(struct pg_tx *tx, const struct mfa_use *use);
/* The pending factor counts from now on, and its step is used up. ERR_NO_MATCH when it is another by
 * now. */
void mfa_store_confirm(struct pg_tx *tx, const struct mfa_use *use);

/* Renewals and the removal of one factor wait for each other. ERR_NO_MATCH without one that counts. */
void mfa_store_lock(struct pg_tx *tx, struct uuid user_id);
/* `hashes`: SHA-256 after SHA-256; they take the place of all others. */
void mfa_store_put_recovery(struct pg_tx *tx, struct uuid user_id, struct str hashes);
/* The factor that counts, with its recovery codes. ERR_NO_MATCH when there is none. */
void mfa_store_remove(struct pg_tx *tx, struct uuid user_id);
/* One that does not count yet, if there is one. */
NODISCARD enum error mfa_store_drop_pending(struct pg *pg, struct uuid user_id);

/* ERR_NO_MATCH when the acting session does not count. */
void mfa_store_raise(struct pg_tx *tx, const struct user_session *acting);
/* ERR_NO_MATCH when the user has no factor that counts. */
void mfa_store_raise_enrolled(struct pg_tx *tx, struct uuid user_id);
/* After the raise: the acting session goes on with the new auth_ver; `amr` empty: as it was. */
void mfa_store_keep(struct pg_tx *tx, const struct user_session *acting, struct str amr);

/* All sessions but one end. */
struct mfa_ending {
    struct uuid user_id;
    struct str sub;
    struct uuid kept;
    bool tells; /* a session.revoked event for each that was live */
};
void mfa_store_end_others(struct pg_tx *tx, const struct mfa_ending *ending);

/* Whether the session's user has a factor that counts. */
NODISCARD enum error mfa_store_has(struct pg *pg, struct uuid session_id, bool *out);
