/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table outbox: events waiting for the relay, and dead letters.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements outbox_store_statements;

struct outbox_event {
    struct uuid id;
    struct str subject;
    struct str type;
    bool is_ordered;
    struct str data;
    int64_t expires_ms;   /* 0: never */
    struct str token_kid; /* empty: the event has no token */
    struct str token_purpose;
    struct uuid token_id;
};

/* Takes the subject's lock (else a later number can commit, and be sent, first), then inserts. */
void outbox_store_append(struct pg_tx *tx, const struct outbox_event *event);
/* For a transaction that appends several: the lock comes before any other lock of it. */
void outbox_store_lock(struct pg_tx *tx, struct str subject);
void outbox_store_insert(struct pg_tx *tx, const struct outbox_event *event);
/* Binds id, subject, type, is_ordered, data, expires_at and the three token columns: $1 to $9. */
void outbox_store_bind(struct pg_args *args, const struct outbox_event *event);

enum { OUTBOX_CLAIM_MAX = 16 };

/* The right to say what became of a row: who comes when it is over and the row is another's changes
 * nothing. */
struct outbox_lease {
    int64_t seq;
    int64_t at_us; /* when it was given: the database's clock, since 1970 */
};

struct outbox_claimed {
    struct outbox_lease lease;
    struct outbox_event event;
    int64_t created_ms;
    int32_t attempts;       /* failed ones that counted */
    int32_t rejections;     /* of them, those that the receiver refused */
    int64_t failing_ms;     /* how long since the first of them; 0: none yet */
    int64_t faulted_ago_ms; /* since the last answer that was the endpoint's fault; -1: none yet */
    bool is_expired;        /* the mail's time is over: not worth sending */
};

struct outbox_batch {
    struct outbox_claimed rows[OUTBOX_CLAIM_MAX];
    size_t count;
};

/*
 * Up to `max` due events, leased for `lease_ms`. Of a subject's ordered events only the oldest is
 * handed out, whether it is due or not; parked and dead ones neither block nor wait.
 *
 * This and the two below commit without waiting for the disk: what a crash of the server undoes is
 * sent again under the same id, which the contract allows.
 */
NODISCARD enum error outbox_store_claim(struct pg *pg, struct arena *arena, int64_t lease_ms,
                                        size_t max, struct outbox_batch *out);
/* Delivered, or expired: gone. */
NODISCARD enum error outbox_store_delete(struct pg *pg, const struct outbox_lease *leases,
                                         size_t count);

struct outbox_failure {
    struct outbox_lease lease;
    int64_t retry_in_ms;
    bool counts; /* an attempt that the event, not the endpoint, failed */
    bool is_rejection;
    bool is_dead;
    bool is_parked;
    bool is_fault; /* an answer that is the endpoint's fault, as far as one event can tell */
    struct str reason;
};
/* Ends the lease. */
NODISCARD enum error outbox_store_fail(struct pg *pg, const struct outbox_failure *failure);

/* Counted up to this; more is "many" for every alert. */
enum { OUTBOX_BACKLOG_MAX = 100000 };

struct outbox_backlog {
    int64_t pending;
    int64_t dead;
    int64_t oldest_ms; /* age of the oldest pending one */
};
NODISCARD enum error outbox_store_backlog(struct pg *pg, struct outbox_backlog *out);
