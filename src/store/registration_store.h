/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table registrations: attempts that wait for a click on the mail's link.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements registration_store_statements;

struct registration {
    struct uuid id;
    struct uuid user_id;
    struct str email;
    struct str email_canonical;
    struct str password_phc;
    struct str pepper_kid; /* empty: none */
    struct str name;       /* empty: none */
    struct str locale;     /* empty: none */
};

/* Texts are borrowed until the commit. */
void registration_store_insert(struct pg_tx *tx, const struct registration *row, int64_t ttl_s);
/* ERR_NOT_FOUND when there is none, or it has expired. */
NODISCARD enum error registration_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                            struct registration *out);
/* Removes it; ERR_NO_MATCH when someone else has. */
void registration_store_take(struct pg_tx *tx, struct uuid id);
