/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table mfa_logins: who has given the right password and owes a code.
 *
 * Ownership: rows read are copied into the arena given; texts to be written are borrowed until the
 * commit. Threads: as the connection.
 */
#pragma once

#include "user_store.h"

extern const struct pg_statements mfa_login_store_statements;

struct mfa_login_row {
    struct uuid id;
    struct uuid user_id;
    int64_t auth_ver; /* the one that the password was checked against */
    struct str client_id;
    struct str amr; /* separated by spaces */
    int64_t ttl_s;
};
/* ERR_NO_MATCH unless the user is active with that auth_ver. */
void mfa_login_store_insert(struct pg_tx *tx, const struct mfa_login_row *row);

struct mfa_login_holder {
    struct user_login user; /* without password_phc and pepper_kid */
    struct str client_id;
    struct str amr;
};
/* ERR_NOT_FOUND when used, expired, outlived by a change of credentials, or the client was disabled. */
NODISCARD enum error mfa_login_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                         struct mfa_login_holder *out);
/* ERR_NO_MATCH when it was taken. */
void mfa_login_store_take(struct pg_tx *tx, struct uuid id);
