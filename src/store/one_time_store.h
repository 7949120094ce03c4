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
};

/* ERR_NOT_FOUND when used, expired, or outlived by a change of credentials. */
NODISCARD enum error one_time_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                        struct str purpose, struct one_time_holder *out);
/* Removes it; ERR_NO_MATCH when someone else has. */
void one_time_store_take(struct pg_tx *tx, struct uuid id);
