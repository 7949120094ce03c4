/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table revocations: written in the transaction that revokes, read by every replica a few times a
 * second.
 *
 * A reader asks for what was not visible to its read before. A sequence or a time cannot tell: who
 * took the lower number may commit later. So each read keeps its own snapshot (which transactions were
 * over), and the next one asks for the rows of all others.
 *
 * Ownership: see below. Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements revocation_store_statements;

/* Each queues a row that counts for `ttl_s` from now on. Whatever raises auth_ver or ends sessions goes
 * before. */
void revocation_store_session(struct pg_tx *tx, struct uuid session_id, int64_t ttl_s);
/* That user's tokens count from their present auth_ver on. */
void revocation_store_user(struct pg_tx *tx, struct uuid user_id, int64_t ttl_s);

enum revocation_changed { REVOCATION_CLIENTS, REVOCATION_KEYS };
/* Every replica reads that table anew. */
void revocation_store_changed(struct pg_tx *tx, enum revocation_changed table, int64_t ttl_s);

enum { REVOCATION_STORE_PAGE_ROWS = 2000, REVOCATION_STORE_SNAPSHOT_BYTES_MAX = 4096 };

/* Which transactions were over at a moment. */
struct revocation_moment {
    int64_t xmin; /* all below were */
    size_t len;
    char snapshot[REVOCATION_STORE_SNAPSHOT_BYTES_MAX]; /* pg_snapshot's text */
};

/* Before all transactions: what is read since then is the whole table. */
void revocation_store_beginning(struct revocation_moment *out);

/* A read, page after page. */
struct revocation_reading {
    struct revocation_moment since;
    struct revocation_moment
        now;          /* of the first page, since it is set then: where the next read begins */
    int64_t last_xid; /* the last row's of the page before; 0: this is the first page */
    int64_t last_seq;
};

/* One of the four members says what it is. */
struct revocation_row {
    bool is_session;
    struct uuid session_id;
    bool is_subject;
    struct str subject; /* borrowed for the call */
    int64_t min_auth_ver;
    bool clients_changed;
    bool keys_changed;
    int64_t expires_in_s; /* by the database's clock */
};

/* Hands each row of the next page to `take`. `more` when the page was full. */
struct revocation_taker {
    void (*take)(void *context, const struct revocation_row *row);
    void *context;
};
NODISCARD enum error revocation_store_read(struct pg *pg, struct revocation_reading *reading,
                                           const struct revocation_taker *taker, bool *more);
