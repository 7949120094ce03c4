/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table users, as other services see it: who the users are that they have ids of.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements directory_store_statements;

/* Of the longest ids, as a parameter each, it fits into a request beside a token. */
enum { DIRECTORY_STORE_MAX = 50 };

struct directory_user {
    struct str sub;
    struct str name; /* empty: none */
    struct str email;
    bool email_verified;
    struct str status; /* active, disabled */
};

/* Those of `subs` (separated by commas, at most DIRECTORY_STORE_MAX) that exist, in their order. `out`
 * has room for DIRECTORY_STORE_MAX. */
NODISCARD enum error directory_store_find(struct pg *pg, struct arena *arena, struct str subs,
                                          struct directory_user *out, size_t *count);
