/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table audit: append-only. Nothing updates a row; expiry_store removes what is past its retention.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "keyset.h"

extern const struct pg_statements audit_store_statements;

struct audit_row {
    struct uuid id; /* UUIDv7 */
    int64_t at_ms;  /* of rows read */
    struct str type;
    struct str actor;
    struct str subject; /* empty: none, as with all below */
    struct str request_id;
    struct str reason;
    struct str network;
    struct str detail; /* JSON object */
};

/* The row's texts are borrowed until the commit. */
void audit_store_append(struct pg_tx *tx, const struct audit_row *row);

/* Empty members do not filter. */
struct audit_filter {
    struct str subject;
    struct str type;
    struct str request_id;
};

/* The newest first; `out` has room for the keyset's limit. */
NODISCARD enum error audit_store_list(struct pg *pg, struct arena *arena,
                                      const struct audit_filter *filter,
                                      const struct keyset *keyset, struct audit_row *out,
                                      struct keyset_found *found);
