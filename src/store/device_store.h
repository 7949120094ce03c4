/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table sessions, as their own user sees them: list, end one, end the others. Each statement repeats
 * that the acting session counts: not ended, not expired, its user active with the token's auth_ver.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "keyset.h"
#include "user_store.h"

extern const struct pg_statements device_store_statements;

struct device {
    struct uuid id;
    int64_t created_ms;
    int64_t refreshed_ms; /* 0: never */
    struct str ip;
    struct str user_agent;
    bool is_current;
};

/* The newest first; live ones only. ERR_UNAUTHENTICATED when the acting session does not count. */
NODISCARD enum error device_store_list(struct pg *pg, struct arena *arena,
                                       const struct user_session *acting,
                                       const struct keyset *keyset, struct device *out,
                                       struct keyset_found *found);
/* What the acting user's password is checked against. */
struct device_proof {
    struct str password_phc;
    struct str pepper_kid;
    struct str roles; /* separated by spaces */
    struct str email_canonical;
    struct uuid user_id;
    bool has_mfa;
};
/* ERR_UNAUTHENTICATED when the acting session does not count. */
NODISCARD enum error device_store_proof(struct pg *pg, struct arena *arena,
                                        const struct user_session *acting,
                                        struct device_proof *out);
/* The password was proved: auth_time is now. ERR_UNAUTHENTICATED as above. */
NODISCARD enum error device_store_prove(struct pg *pg, const struct user_session *acting,
                                        int64_t *auth_time_ms);
/* Password and second factor were proved: auth_time is now. ERR_NO_MATCH as above. */
void device_store_prove_as(struct pg_tx *tx, const struct user_session *acting, struct str amr);
/* The acting session must count; else ERR_NO_MATCH. */
void device_store_require(struct pg_tx *tx, const struct user_session *acting);
/* One of the acting user's; ERR_NO_MATCH when it is not theirs, or has ended. */
void device_store_end_one(struct pg_tx *tx, const struct user_session *acting, struct uuid id);
/* All but the acting one; writes a revocation for each, and a session.revoked event where `tell` is
 * set. */
void device_store_end_others(struct pg_tx *tx, const struct user_session *acting, bool tell,
                             int64_t revocation_ttl_s);
