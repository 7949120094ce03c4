/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table clients. Each change goes with revocation_store_changed, which makes every replica read the
 * table anew.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "keyset.h"

extern const struct pg_statements client_store_statements;

/* For statements about sessions: that the client of one is not disabled, `parameter` being bound by
 * client_store_bind. First-party is in no table, and counts always. */
#define CLIENT_STORE_COUNTS(parameter)                                                             \
    "NOT EXISTS (SELECT 1 FROM clients c"                                                          \
    " WHERE c.id = " parameter " AND c.disabled_at IS NOT NULL)"
/* The id of a registered client; NULL for any other. */
void client_store_bind(struct pg_args *args, struct str client_id);

struct client_row {
    struct uuid id; /* UUIDv7 */
    struct str name;
    bool is_public;
    struct str secret_hash;      /* SHA-256; empty: a public client */
    struct str prev_secret_hash; /* of the secret before, which still counts; empty: none */
    struct str audience;         /* separated by spaces */
    struct str scope;            /* likewise */
    int64_t created_ms;
    int64_t rotated_ms;  /* 0: never */
    int64_t disabled_ms; /* 0: not disabled */
};

/* The row's times are the database's. ERR_NO_MATCH when there are `count_max` clients already. Texts
 * are borrowed until the commit. */
void client_store_insert(struct pg_tx *tx, const struct client_row *row, int64_t count_max);
/* The secret becomes the previous one, the previous one ends. ERR_NO_MATCH unless there is such a
 * confidential client that is not disabled. */
void client_store_rotate(struct pg_tx *tx, struct uuid id, struct str secret_hash);
/* ERR_NO_MATCH when there is none, or it is disabled already. */
void client_store_disable(struct pg_tx *tx, struct uuid id);

/* Disabled ones, too. ERR_NOT_FOUND. */
NODISCARD enum error client_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                      struct client_row *out);

/* The newest first, disabled ones too. `out` has room for the page's limit. */
NODISCARD enum error client_store_list(struct pg *pg, struct arena *arena,
                                       const struct keyset *keyset, struct client_row *out,
                                       struct keyset_found *found);
/* All, by id ascending, at most `max`; the array is in the arena, too. */
NODISCARD enum error client_store_all(struct pg *pg, struct arena *arena, size_t max,
                                      struct client_row **out, size_t *count);
