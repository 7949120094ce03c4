/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table one_time_tokens: whom a mailed token is for, and that it is not used yet.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "user_store.h"

extern const struct pg_statements one_time_store_statements;

/* The account behind an unexpired token whose auth_ver is still the account's. */
struct one_time_holder {
    struct user_login user;
    struct str email;
    struct str locale; /* empty: none */
    struct str email_canonical;
};
/* Its columns in SQL, of `users u`, and how they are read of the first row. */
#define ONE_TIME_STORE_HOLDER                                                                      \
    "u.id, coalesce(u.subject, u.id::text), u.password_hash, u.pepper_kid,"                        \
    " array_to_string(u.roles, ' '), u.auth_ver, u.email_verified_at IS NOT NULL, u.email,"        \
    " u.locale, u.email_canonical, " USER_STORE_HAS_MFA
NODISCARD enum error one_time_store_read_holder(const struct pg_rows *rows, struct arena *arena,
                                                struct one_time_holder *out);

/* ERR_NOT_FOUND when used, expired, or outlived by a change of credentials. */
NODISCARD enum error one_time_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                        struct str purpose, struct one_time_holder *out);
/* Removes it; ERR_NO_MATCH when someone else has. */
void one_time_store_take(struct pg_tx *tx, struct uuid id);
