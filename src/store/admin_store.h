/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table users, as administrators see and change it. A user is known by their `sub`.
 *
 * Changes are for a transaction that took the subject's lock first (outbox_store_lock), and each ends
 * it with ERR_NO_MATCH where there is nothing to change. Whatever ends sessions comes in a later
 * statement than whatever raises auth_ver: so it sees a login that came between.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "keyset.h"

extern const struct pg_statements admin_store_statements;

struct admin_user {
    struct uuid id;
    struct str sub;
    struct str email;
    bool email_verified;
    struct str name;   /* empty: none */
    struct str locale; /* empty: none */
    struct str roles;  /* separated by spaces */
    bool is_active;
    int64_t auth_ver;
    int64_t created_ms;
};

/* Empty members do not filter. */
struct admin_filter {
    struct str email_canonical;
    struct str status; /* active, disabled */
};

/* In the order of ids, which is no other order; `out` has room for the keyset's limit. */
NODISCARD enum error admin_store_list(struct pg *pg, struct arena *arena,
                                      const struct admin_filter *filter,
                                      const struct keyset *keyset, struct admin_user *out,
                                      struct keyset_found *found);
/* ERR_NOT_FOUND. */
NODISCARD enum error admin_store_get(struct pg *pg, struct arena *arena, struct str sub,
                                     struct admin_user *out);

/* An active one becomes disabled, and their auth_ver rises. */
void admin_store_disable(struct pg_tx *tx, struct uuid id);
void admin_store_enable(struct pg_tx *tx, struct uuid id);
/* Of the user as it was seen: whoever changed it meanwhile comes first. auth_ver rises where a role is
 * taken away. */
void admin_store_set_roles(struct pg_tx *tx, const struct admin_user *seen, struct str roles);
