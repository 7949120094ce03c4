/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to PostgreSQL, with a deadline on everything: only PQsend* and poll(2). Whatever
 * is not answered by the deadline closes the connection: ERR_UNAVAILABLE, outcome unknown.
 *
 * A change is one statement or one pipeline with one Sync (pg_tx): all of it or nothing, one round
 * trip, nothing read back before the commit. All parameters and results are binary.
 *
 * Statements are declared as tables beside the code that uses them and PREPAREd on each new
 * connection; pg_new takes the list of tables.
 *
 * Ownership: a struct pg and its rows belong to one thread. Rows stay valid until pg_rows_free.
 * Errors: ERR_UNAVAILABLE (away, too slow, shutting down, read-only), ERR_CONFLICT (23505; the
 * constraint is pg_constraint()), ERR_NO_MATCH (US001), ERR_INTERNAL (a statement is wrong; the
 * server's message is pg_message()).
 */
#pragma once

#include "codec.h"

enum { PG_PARAMS_MAX = 16, PG_TX_MAX = 12, PG_MESSAGE_BYTES_MAX = 256 };

struct pg_statement {
    const char *name; /* unique over all tables */
    const char *sql;
};

struct pg_statements {
    const struct pg_statement *list;
    size_t count;
};

struct pg_options {
    const char *url;      /* libpq URI or conninfo */
    const char *user;     /* NULL: as in the URL */
    const char *password; /* NULL: as in the URL */
    const char *application_name;
    const struct pg_statements *const *tables;
    size_t table_count;
    int64_t connect_timeout_ms;
};

struct pg;

/*
 * Makes the object; connects at first use. The options' strings must stay.
 *
 * In the session: UTC, UTF-8, search_path "public, pg_temp", and where there are tables a
 * statement_timeout of 5 s, which ends what a call that met its deadline has left running (without
 * tables it is a tool's or a migration's connection, whose statements may take their time).
 * A reader is refused (target_session_attrs=read-write) unless the URL says otherwise.
 */
struct pg *pg_new(const struct pg_options *options);
void pg_free(struct pg *self);

/* All calls until the next one must be answered by then (clock_mono_ms). */
void pg_deadline(struct pg *self, int64_t mono_ms);
/* Connects if need be. Also looks whether an idle connection was closed by the server meanwhile:
 * call it before work is taken, so that a broken connection costs no request. */
NODISCARD enum error pg_ready(struct pg *self);
bool pg_connected(const struct pg *self);
/* Asks the server for a sign of life, in one round trip; connects if need be. An open connection alone
 * is none: nobody may be behind it any more. */
NODISCARD enum error pg_ping(struct pg *self);
/* When the server last answered anything (clock_mono_ms); 0: never. */
int64_t pg_answered_ms(const struct pg *self);

/* Parameters of one statement, bound in order $1, $2, …; text and bytes are borrowed until the
 * statement was sent. */
struct pg_param {
    const char *ptr; /* NULL: SQL NULL, or the scalar */
    int length;
    bool is_scalar;
    uint8_t scalar[16];
};

struct pg_args {
    int count;
    struct pg_param params[PG_PARAMS_MAX];
};

void pg_bind_text(struct pg_args *self, struct str value);
void pg_bind_text_or_null(struct pg_args *self, struct str value); /* empty: NULL */
void pg_bind_bytes(struct pg_args *self, struct str value);        /* bytea */
void pg_bind_uuid(struct pg_args *self, struct uuid value);
void pg_bind_i64(struct pg_args *self, int64_t value); /* bigint: cast in SQL where it is not */
void pg_bind_bool(struct pg_args *self, bool value);
void pg_bind_time(struct pg_args *self, int64_t unix_ms); /* timestamptz */
void pg_bind_null(struct pg_args *self);

struct pg_rows {
    void *result; /* PGresult */
    int count;
};

/* One statement that is its own transaction. */
NODISCARD enum error pg_query(struct pg *self, const struct pg_statement *statement,
                              const struct pg_args *args, struct pg_rows *out);
void pg_rows_free(struct pg_rows *self); /* a zeroed one is fine */
#define PG_ROWS __attribute__((cleanup(pg_rows_free))) struct pg_rows

/* Columns by number, from 0. Text and bytes point into the rows: copy what must stay. NULL reads as
 * empty, 0, false or the nil UUID; pg_is_null tells. */
bool pg_is_null(const struct pg_rows *self, int row, int column);
struct str pg_text(const struct pg_rows *self, int row, int column); /* text and bytea */
struct uuid pg_uuid(const struct pg_rows *self, int row, int column);
int64_t pg_i64(const struct pg_rows *self, int row, int column); /* bigint, integer, smallint */
bool pg_bool(const struct pg_rows *self, int row, int column);
int64_t pg_time_ms(const struct pg_rows *self, int row, int column);

/* Statements queue; nothing is sent before pg_tx_commit, and a transaction that is not committed
 * costs nothing. */
struct pg_tx {
    struct pg *pg;
    size_t count;
    const struct pg_statement *statements[PG_TX_MAX];
    struct pg_args args[PG_TX_MAX];
};

void pg_tx_begin(struct pg_tx *self, struct pg *pg);
/* The returned args are empty and to be bound by the caller. */
struct pg_args *pg_tx_add(struct pg_tx *self, const struct pg_statement *statement);
/* A deadlock or serialization failure (40P01, 40001) is tried once more within the deadline, after
 * some milliseconds. */
NODISCARD enum error pg_tx_commit(struct pg_tx *self);

/* Plain SQL without parameters, several statements allowed, in one implicit transaction: for
 * migrations and tools. */
NODISCARD enum error pg_execute(struct pg *self, const char *sql);

/* Of the last call; "" if there was nothing. After a call that did not try to connect, because that
 * failed just before: why it failed. */
const char *pg_constraint(const struct pg *self); /* of an ERR_CONFLICT */
const char *pg_message(const struct pg *self);    /* of a failure, with SQLSTATE, one line */
const char *pg_sqlstate(const struct pg *self);
