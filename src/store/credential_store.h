/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The password columns of table users.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "one_time_store.h"

extern const struct pg_statements credential_store_statements;

/* Whom a session that counts is of. ERR_UNAUTHENTICATED when it does not count (any more). */
NODISCARD enum error credential_store_get(struct pg *pg, struct arena *arena,
                                          const struct user_session *acting,
                                          struct one_time_holder *out);

/* A password in the place of the one that was seen. */
struct credential_change {
    struct uuid user_id;
    int64_t auth_ver; /* as it was seen; one more from now on */
    struct str password_phc;
    struct str pepper_kid;
    bool verifies;     /* who sets it has shown that the address is theirs */
    bool was_verified; /* then: as it was seen */
};

/* ERR_NO_MATCH unless the account is active and as it was seen. What ends the sessions is a later
 * statement: it sees what a login inserted meanwhile. */
void credential_store_replace(struct pg_tx *tx, const struct credential_change *change);

/* The same password in another form: nothing else changes, no session ends. Without effect if the hash
 * is not `old_phc` any more. */
NODISCARD enum error credential_store_rehash(struct pg *pg, struct uuid user_id, struct str old_phc,
                                             struct str new_phc, struct str pepper_kid);
