/* SPDX-License-Identifier: Apache-2.0 */
#include "audit_store.h"

enum { AUDIT_APPEND, AUDIT_ALL, AUDIT_BY_TYPE, AUDIT_BY_SUBJECT, AUDIT_BY_REQUEST };

#define SELECT_WHERE                                                                               \
    "SELECT id, at, type, actor, subject, request_id, reason, network, detail FROM audit WHERE "
#define PAGE " AND id < $4 ORDER BY id DESC LIMIT $5::bigint"
#define IF_TYPE " AND ($2::text IS NULL OR type = $2)"
#define IF_SUBJECT " AND ($1::text IS NULL OR subject = $1)"
#define IF_REQUEST " AND ($3::text IS NULL OR request_id = $3)"

static const struct pg_statement statements[] = {
    [AUDIT_APPEND] = {"audit_append",
                      "INSERT INTO audit (id, type, actor, subject, request_id, reason, network,"
                      " detail) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"},
    /* One for each index, since the plan of a prepared statement is one for all parameters. */
    [AUDIT_ALL] = {"audit_all", SELECT_WHERE "true" IF_SUBJECT IF_TYPE IF_REQUEST PAGE},
    [AUDIT_BY_TYPE] = {"audit_by_type", SELECT_WHERE "type = $2" IF_SUBJECT IF_REQUEST PAGE},
    [AUDIT_BY_SUBJECT] = {"audit_by_subject", SELECT_WHERE "subject = $1" IF_TYPE IF_REQUEST PAGE},
    [AUDIT_BY_REQUEST] = {"audit_by_request",
                          SELECT_WHERE "request_id = $3" IF_SUBJECT IF_TYPE PAGE},
};

const struct pg_statements audit_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void audit_store_append(struct pg_tx *tx, const struct audit_row *row)
{
    struct pg_args *args = pg_tx_add(tx, &statements[AUDIT_APPEND]);

    pg_bind_uuid(args, row->id);
    pg_bind_text(args, row->type);
    pg_bind_text(args, row->actor);
    pg_bind_text_or_null(args, row->subject);
    pg_bind_text_or_null(args, row->request_id);
    pg_bind_text_or_null(args, row->reason);
    pg_bind_text_or_null(args, row->network);
    pg_bind_text_or_null(args, row->detail);
}

static struct audit_row read_row(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct audit_row){
        .id = pg_uuid(rows, row, 0),
        .at_ms = pg_time_ms(rows, row, 1),
        .type = arena_copy(arena, pg_text(rows, row, 2)),
        .actor = arena_copy(arena, pg_text(rows, row, 3)),
        .subject = arena_copy(arena, pg_text(rows, row, 4)),
        .request_id = arena_copy(arena, pg_text(rows, row, 5)),
        .reason = arena_copy(arena, pg_text(rows, row, 6)),
        .network = arena_copy(arena, pg_text(rows, row, 7)),
        .detail = arena_copy(arena, pg_text(rows, row, 8)),
    };
}

/* By what leaves fewest rows. */
static const struct pg_statement *statement_for(const struct audit_filter *filter)
{
    if (filter->request_id.len > 0) {
        return &statements[AUDIT_BY_REQUEST];
    }
    if (filter->subject.len > 0) {
        return &statements[AUDIT_BY_SUBJECT];
    }
    return &statements[filter->type.len > 0 ? AUDIT_BY_TYPE : AUDIT_ALL];
}

enum error audit_store_list(struct pg *pg, struct arena *arena, const struct audit_filter *filter,
                            const struct keyset *keyset, struct audit_row *out,
                            struct keyset_found *found)
{
    int row = 0;
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_text_or_null(&args, filter->subject);
    pg_bind_text_or_null(&args, filter->type);
    pg_bind_text_or_null(&args, filter->request_id);
    keyset_bind(&args, keyset);
    TRY(pg_query(pg, statement_for(filter), &args, &rows));
    for (; keyset_takes(keyset, arena, &rows, row); row++) {
        out[row] = read_row(&rows, row, arena);
    }
    *found = (struct keyset_found){(size_t)row, row < rows.count};
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}
