/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When keys were first seen and last used, by the database's clock: signing keys (with their public
 * halves) and the ids of the keyring.
 *
 * Ownership: texts are in the arena. Threads: as the connection.
 */
#pragma once

#include "pg.h"

enum { KEY_STORE_ROWS_MAX = 256 };

extern const struct pg_statements key_store_statements;

struct key_row {
    struct str kid;
    struct str public_jwk; /* of signing keys */
    int64_t first_seen_ms; /* Unix time, all of them */
    int64_t last_used_ms;  /* signed, or current; 0: never */
    int64_t revoked_ms;    /* of signing keys; 0: not */
};

/* KEY_STORE_ROWS_MAX of them, those that were used last; the newest first. */
struct key_rows {
    struct key_row *items;
    size_t count;
    int64_t now_ms; /* the database's; 0 if there are no rows */
};

struct key_registration {
    struct str kid;
    struct str public_jwk;
    int64_t delay_s; /* it waits so long before it signs, */
    int64_t keep_s;  /* and is published so long after that */
};

/* By who has not had the key before. One that nobody has published for a while counts as seen for the
 * first time; one that is in use is left as it is. What is new is told to all replicas. */
void key_store_register_signing(struct pg_tx *tx, const struct key_registration *key);
NODISCARD enum error key_store_list_signing(struct pg *pg, struct arena *arena,
                                            struct key_rows *out);
/* ERR_NOT_FOUND: there is no such key, or it is revoked. */
NODISCARD enum error key_store_mark_signed(struct pg *pg, struct str kid);
/* Tells all replicas. The transaction is undone (ERR_NO_MATCH) when there is no such key, or it is
 * revoked. */
void key_store_revoke(struct pg_tx *tx, struct str kid, int64_t told_s);

void key_store_register_keyring(struct pg_tx *tx, struct str kid);
NODISCARD enum error key_store_list_keyring(struct pg *pg, struct arena *arena,
                                            struct key_rows *out);
NODISCARD enum error key_store_mark_current(struct pg *pg, struct str kid);
/* The ids that were current in the last `used_s`, and those that the passwords of users need. */
NODISCARD enum error key_store_keyring_in_use(struct pg *pg, struct arena *arena, int64_t used_s,
                                              struct key_rows *out);
