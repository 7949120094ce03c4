/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table outbox, as operators see it: what waits, what was given up, and how that is sent again.
 *
 * Sending again makes an event as good as new: due at once, no failure counted, and in its subject's
 * order again, so that newer ones wait for it.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "keyset.h"

extern const struct pg_statements letter_store_statements;

struct letter {
    int64_t seq;
    struct uuid id;
    struct str type;
    struct str subject;
    bool is_dead;
    bool is_parked;
    int64_t attempts;
    int64_t created_ms;
    int64_t due_ms;
    struct str last_error; /* empty: none */
};

struct letter_filter {
    bool pending;
    bool dead;
    int64_t after_seq; /* 0: from the start */
    size_t limit;
};

/* The oldest first. */
NODISCARD enum error letter_store_list(struct pg *pg, struct arena *arena,
                                       const struct letter_filter *filter, struct letter *out,
                                       struct keyset_found *found);
/* A dead or parked one. ERR_NOT_FOUND. */
NODISCARD enum error letter_store_get(struct pg *pg, struct arena *arena, struct uuid id,
                                      struct letter *out);
/* ERR_NO_MATCH unless it is dead or parked. */
void letter_store_redeliver(struct pg_tx *tx, struct uuid id);
/* At most `limit` of those that died before that moment. */
NODISCARD enum error letter_store_redeliver_dead(struct pg *pg, int64_t before_ms, size_t limit,
                                                 int64_t *count);
