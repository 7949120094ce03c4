/* SPDX-License-Identifier: Apache-2.0 */
#include "letter_store.h"

enum {
    LETTER_ALL,
    LETTER_PENDING,
    LETTER_DEAD,
    LETTER_GET,
    LETTER_REDELIVER,
    LETTER_REDELIVER_DEAD
};

#define SELECT_LETTER                                                                              \
    "SELECT seq, id, type, subject, dead_at IS NOT NULL, parked_at IS NOT NULL, attempts,"         \
    " created_at, due_at, last_error FROM outbox WHERE "
#define PAGE "seq > $1 ORDER BY seq LIMIT $2::bigint"
#define HELD "(dead_at IS NOT NULL OR parked_at IS NOT NULL)"
#define AFRESH                                                                                     \
    "UPDATE outbox SET due_at = clock_timestamp(), attempts = 0, rejections = 0,"                  \
    " first_failed_at = NULL, faulted_at = NULL, parked_at = NULL, dead_at = NULL,"                \
    " leased_at = NULL"

static const struct pg_statement statements[] = {
    /* One for each index, since the plan of a prepared statement is one for all parameters. */
    [LETTER_ALL] = {"letter_all", SELECT_LETTER PAGE},
    [LETTER_PENDING] = {"letter_pending", SELECT_LETTER "dead_at IS NULL AND " PAGE},
    [LETTER_DEAD] = {"letter_dead", SELECT_LETTER "dead_at IS NOT NULL AND " PAGE},
    [LETTER_GET] = {"letter_get", SELECT_LETTER "id = $1 AND " HELD},
    [LETTER_REDELIVER] = {"letter_redeliver",
                          "WITH sent AS (" AFRESH " WHERE id = $1 AND " HELD
                          " RETURNING 1) SELECT expect_one(count(*)) FROM sent"},
    [LETTER_REDELIVER_DEAD] = {"letter_redeliver_dead",
                               "WITH sent AS (" AFRESH " WHERE seq = ANY (ARRAY("
                               " SELECT d.seq FROM outbox d WHERE d.dead_at < $1"
                               " ORDER BY d.dead_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))"
                               " RETURNING 1) SELECT count(*) FROM sent"},
};

const struct pg_statements letter_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

static struct letter read_letter(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct letter){
        .seq = pg_i64(rows, row, 0),
        .id = pg_uuid(rows, row, 1),
        .type = arena_copy(arena, pg_text(rows, row, 2)),
        .subject = arena_copy(arena, pg_text(rows, row, 3)),
        .is_dead = pg_bool(rows, row, 4),
        .is_parked = pg_bool(rows, row, 5),
        .attempts = pg_i64(rows, row, 6),
        .created_ms = pg_time_ms(rows, row, 7),
        .due_ms = pg_time_ms(rows, row, 8),
        .last_error = arena_copy(arena, pg_text(rows, row, 9)),
    };
}

static const struct pg_statement *statement_for(const struct letter_filter *filter)
{
    if (filter->pending && filter->dead) {
        return &statements[LETTER_ALL];
    }
    return &statements[filter->dead ? LETTER_DEAD : LETTER_PENDING];
}

enum error letter_store_list(struct pg *pg, struct arena *arena, const struct letter_filter *filter,
                             struct letter *out, struct keyset_found *found)
{
    const struct keyset keyset = {.limit = filter->limit};
    int row = 0;
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_i64(&args, filter->after_seq);
    pg_bind_i64(&args, (int64_t)filter->limit + 1);
    TRY(pg_query(pg, statement_for(filter), &args, &rows));
    for (; keyset_takes(&keyset, arena, &rows, row); row++) {
        out[row] = read_letter(&rows, row, arena);
    }
    *found = (struct keyset_found){(size_t)row, row < rows.count};
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error letter_store_get(struct pg *pg, struct arena *arena, struct uuid id, struct letter *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    TRY(pg_query(pg, &statements[LETTER_GET], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = read_letter(&rows, 0, arena);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

void letter_store_redeliver(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[LETTER_REDELIVER]), id);
}

enum error letter_store_redeliver_dead(struct pg *pg, int64_t before_ms, size_t limit,
                                       int64_t *count)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_time(&args, before_ms);
    pg_bind_i64(&args, (int64_t)limit);
    TRY(pg_query(pg, &statements[LETTER_REDELIVER_DEAD], &args, &rows));
    *count = pg_i64(&rows, 0, 0);
    return OK;
}
