/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection below pg: had, waited for, judged and closed. For pg*.c only.
 *
 * While open it is non-blocking and in libpq's pipeline mode; between calls nothing is outstanding.
 * After a failed attempt to connect the next is due after a jittered pause (50 ms, doubling to 2 s);
 * after a connection that worked, at once. Each host of the URL, and each address of a host, has its
 * share of the time there is.
 */
#pragma once

#include "pg.h"

enum {
    PG_SQLSTATE_BYTES = 5,
    PG_CONSTRAINT_BYTES_MAX = 64, /* NAMEDATALEN */
    PG_BACKOFF_MS_MIN = 50,
    PG_BACKOFF_MS_MAX = 2000,
};

#define PG_STATEMENT_MS_TEXT "5000" /* ends what a client that gave up has left running */
#define PG_LOST_MS_TEXT "5000"      /* TCP: what is unacknowledged this long is lost */

#define PG_EPOCH_UNIX_MS INT64_C(946684800000) /* 2000-01-01T00:00:00Z */
#define PG_TIME_MS_MAX (INT64_C(1) << 52)      /* keeps microseconds within 64 bits */

struct pg_lookup;
struct pg_conn;   /* libpq's PGconn */
struct pg_result; /* libpq's PGresult */

struct pg {
    struct pg_options options;
    struct pg_conn *conn;      /* NULL: not connected */
    int64_t deadline_ms;       /* 0: never set */
    int64_t retry_at_ms;       /* no attempt to connect before */
    int64_t answered_ms;       /* the server's last answer; 0: none yet */
    unsigned failures;         /* attempts to connect in a row that failed */
    size_t host;               /* of the URL's, counted on and on: where the next attempt begins */
    struct pg_lookup *lookups; /* one for each host */
    bool doomed;               /* of no more use: to be closed when all was read */
    char sqlstate[PG_SQLSTATE_BYTES + 1];
    char constraint[PG_CONSTRAINT_BYTES_MAX];
    char message[PG_MESSAGE_BYTES_MAX];
};

bool pg_link_due(const struct pg *self);
void pg_link_tried(struct pg *self, bool ok);
/* By self->deadline_ms. On failure there is no connection. */
NODISCARD enum error pg_link_connect(struct pg *self);
void pg_link_close(struct pg *self);
/* Notes why (NULL: libpq's own message) and closes the connection: ERR_UNAVAILABLE. */
NODISCARD enum error pg_link_lost(struct pg *self, const char *why);
/* Notes an error result and says which error it is; sets `doomed` if the connection is of no more
 * use. */
NODISCARD enum error pg_link_judge(struct pg *self, const struct pg_result *result);
/* Forgets what an earlier call failed with. */
void pg_link_forget(struct pg *self);
/* Closes the connection if the server has, or is about to. */
void pg_link_look(struct pg *self);
/* Sends all that is queued. */
NODISCARD enum error pg_link_flush(struct pg *self);
/* The next result; NULL between two statements. */
NODISCARD enum error pg_link_next(struct pg *self, struct pg_result **out);
/* Waits some milliseconds, so that the other party of a deadlock comes through: it has been woken, but
 * the one that was rolled back would otherwise be faster, and take the same row again. */
void pg_link_yield(const struct pg *self);
