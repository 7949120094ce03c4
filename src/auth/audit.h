/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit trail: one row in the transaction of the change itself, appended and never altered.
 *
 * Ownership: the entry's texts are borrowed until the commit. Threads: as the transaction.
 */
#pragma once

#include "pg.h"

struct token_claims;

/* Who does it and where from. */
struct audit_actor {
    struct str actor;                  /* `sub`, client_id, or cli:<system user> */
    struct str request_id;             /* empty: none */
    struct str network;                /* the client's address; empty: none */
    const struct token_claims *bearer; /* must count still at the commit; NULL: an operator */
};

struct audit_entry {
    const char *type;   /* user.disabled, client.created, … */
    struct str subject; /* whom or what it is about; empty: nobody */
    const char *reason; /* NULL: none */
    struct str detail;  /* JSON object; empty: none */
};

void audit_append(struct pg_tx *tx, const struct audit_actor *actor,
                  const struct audit_entry *entry);
