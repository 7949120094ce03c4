/* SPDX-License-Identifier: Apache-2.0 */
#include "pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "clock.h"
#include "pg_link.h"

/* Set with the statements, in the same round trip: a pooler may refuse start-up options. */
static const struct pg_statement pg_settings = {
    .sql = "SELECT set_config('statement_timeout', $1::text, false),"
           " set_config('idle_in_transaction_session_timeout', $1::text, false),"
           " set_config('search_path', 'public, pg_temp', false),"
           " set_config('TimeZone', 'UTC', false)",
};

/* What one reading of a pipeline has come to. */
struct pg_reading {
    enum error error;
    PGresult *rows; /* of the last statement */
    bool synced;    /* read to the end of the transaction */
    bool ended;     /* the connection will say no more */
    bool was_null;
};

struct pg *pg_new(const struct pg_options *options)
{
    struct pg *self = calloc(1, sizeof *self);

    if (self == NULL) {
        abort();
    }
    self->options = *options;
    return self;
}

void pg_free(struct pg *self)
{
    if (self == NULL) {
        return;
    }
    pg_link_close(self);
    free(self);
}

void pg_deadline(struct pg *self, int64_t mono_ms)
{
    self->deadline_ms = mono_ms;
}

static void pg_read_null(const struct pg *self, struct pg_reading *reading)
{
    reading->ended = reading->was_null || PQstatus(self->conn) == CONNECTION_BAD;
    reading->was_null = true;
}

static void pg_read(struct pg *self, struct pg_reading *reading, PGresult *result)
{
    if (result == NULL) {
        pg_read_null(self, reading);
        return;
    }
    reading->was_null = false;
    switch ((int)PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        PQclear(reading->rows);
        reading->rows = result;
        return;
    case PGRES_PIPELINE_SYNC:
        reading->synced = true;
        break;
    case PGRES_PIPELINE_ABORTED:
    case PGRES_EMPTY_QUERY: /* a migration that is all comment */
        break;
    default:
        if (reading->error == OK) {
            reading->error = pg_link_judge(self, result);
        }
    }
    PQclear(result);
}

/* Reads to the end of the transaction, failed or not, so that the connection can be used again. */
static enum error pg_finish(struct pg *self, struct pg_reading *reading)
{
    while (!reading->synced && !reading->ended) {
        PGresult *result = NULL;

        TRY(pg_link_next(self, &result));
        pg_read(self, reading, result);
    }
    if (reading->ended && reading->error == OK) {
        return pg_link_lost(self, NULL); /* before the commit was acknowledged */
    }
    if (reading->ended || self->doomed) {
        pg_link_close(self);
    }
    return reading->error;
}

/* Ends the transaction of what was queued. `rows` may be NULL. */
static enum error pg_sync(struct pg *self, PGresult **rows)
{
    struct pg_reading reading = {.error = OK};
    enum error error;

    if (PQpipelineSync(self->conn) != 1) {
        return pg_link_lost(self, NULL);
    }
    TRY(pg_link_flush(self));
    error = pg_finish(self, &reading);
    if (error != OK || rows == NULL) {
        PQclear(reading.rows);
        return error;
    }
    *rows = reading.rows;
    return OK;
}

/* A statement without a name is not a prepared one. */
static enum error pg_queue(struct pg *self, const struct pg_statement *statement,
                           const struct pg_args *args)
{
    const char *values[PG_PARAMS_MAX];
    int lengths[PG_PARAMS_MAX];
    int formats[PG_PARAMS_MAX];
    int sent;

    assert(args->count <= PG_PARAMS_MAX);
    for (int i = 0; i < args->count; i++) {
        const struct pg_param *param = &args->params[i];

        values[i] = param->is_scalar ? (const char *)param->scalar : param->ptr;
        lengths[i] = param->length;
        formats[i] = 1;
    }
    sent = statement->name == NULL ? PQsendQueryParams(self->conn, statement->sql, args->count,
                                                       NULL, values, lengths, formats, 1)
                                   : PQsendQueryPrepared(self->conn, statement->name, args->count,
                                                         values, lengths, formats, 1);
    return sent == 1 ? OK : pg_link_lost(self, NULL);
}

static enum error pg_prepare_all(struct pg *self, const struct pg_statements *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct pg_statement *statement = &table->list[i];

        if (PQsendPrepare(self->conn, statement->name, statement->sql, 0, NULL) != 1) {
            return pg_link_lost(self, NULL);
        }
    }
    return OK;
}

static enum error pg_set_up(struct pg *self)
{
    struct pg_args args = {.count = 0};
    enum error error;

    pg_bind_text(&args, self->options.table_count == 0 ? STR("0") : STR(PG_STATEMENT_MS_TEXT));
    TRY(pg_queue(self, &pg_settings, &args));
    for (size_t i = 0; i < self->options.table_count; i++) {
        TRY(pg_prepare_all(self, self->options.tables[i]));
    }
    error = pg_sync(self, NULL);
    if (error != OK) {
        pg_link_close(self); /* a connection has all statements or is none */
    }
    return error;
}

static enum error pg_open(struct pg *self)
{
    int64_t deadline_ms = self->deadline_ms;
    int64_t connect_by_ms = clock_mono_ms() + self->options.connect_timeout_ms;
    enum error error;

    assert(deadline_ms != 0); /* pg_deadline was called */
    if (!pg_link_due(self)) {
        return ERR_UNAVAILABLE;
    }
    if (connect_by_ms < deadline_ms) {
        self->deadline_ms = connect_by_ms;
    }
    error = pg_link_connect(self);
    if (error == OK) {
        error = pg_set_up(self);
    }
    self->deadline_ms = deadline_ms;
    pg_link_tried(self, error == OK);
    return error;
}

static enum error pg_need(struct pg *self)
{
    return self->conn == NULL ? pg_open(self) : OK;
}

enum error pg_ready(struct pg *self)
{
    pg_link_look(self);
    return pg_need(self);
}

bool pg_connected(const struct pg *self)
{
    return self->conn != NULL;
}

enum error pg_query(struct pg *self, const struct pg_statement *statement,
                    const struct pg_args *args, struct pg_rows *out)
{
    PGresult *rows = NULL;

    TRY(pg_need(self));
    TRY(pg_queue(self, statement, args));
    TRY(pg_sync(self, &rows));
    *out = (struct pg_rows){.result = rows, .count = PQntuples(rows)};
    return OK;
}

void pg_tx_begin(struct pg_tx *self, struct pg *pg)
{
    self->pg = pg;
    self->count = 0;
}

struct pg_args *pg_tx_add(struct pg_tx *self, const struct pg_statement *statement)
{
    struct pg_args *args = &self->args[self->count];

    assert(self->count < PG_TX_MAX);
    self->statements[self->count++] = statement;
    args->count = 0;
    return args;
}

static enum error pg_tx_try(struct pg_tx *self)
{
    TRY(pg_need(self->pg));
    for (size_t i = 0; i < self->count; i++) {
        TRY(pg_queue(self->pg, self->statements[i], &self->args[i]));
    }
    return pg_sync(self->pg, NULL);
}

/* Nothing of it was committed: it can be done again. */
static bool pg_is_collision(const struct pg *self)
{
    return strcmp(self->sqlstate, "40P01") == 0 || strcmp(self->sqlstate, "40001") == 0;
}

enum error pg_tx_commit(struct pg_tx *self)
{
    enum error error;

    if (self->count == 0) {
        return OK;
    }
    error = pg_tx_try(self);
    if (error == ERR_UNAVAILABLE && pg_is_collision(self->pg)) {
        pg_link_yield(self->pg);
        error = pg_tx_try(self);
    }
    return error;
}

/* The simple protocol, which takes several statements, is not for pipelines. */
static enum error pg_execute_simple(struct pg *self, const char *sql, struct pg_reading *reading)
{
    PGresult *result = NULL;

    if (PQexitPipelineMode(self->conn) != 1 || PQsendQuery(self->conn, sql) != 1) {
        return pg_link_lost(self, NULL);
    }
    TRY(pg_link_flush(self));
    do {
        TRY(pg_link_next(self, &result));
        pg_read(self, reading, result);
    } while (result != NULL);
    return OK;
}

enum error pg_execute(struct pg *self, const char *sql)
{
    struct pg_reading reading = {.error = OK};
    enum error error;

    TRY(pg_need(self));
    error = pg_execute_simple(self, sql, &reading);
    PQclear(reading.rows);
    TRY(error);
    if (self->doomed) {
        pg_link_close(self);
    } else if (PQenterPipelineMode(self->conn) != 1) {
        return pg_link_lost(self, NULL);
    }
    return reading.error;
}

const char *pg_constraint(const struct pg *self)
{
    return self->constraint;
}

const char *pg_message(const struct pg *self)
{
    return self->message;
}

const char *pg_sqlstate(const struct pg *self)
{
    return self->sqlstate;
}

void pg_rows_free(struct pg_rows *self)
{
    PQclear(self->result);
    *self = (struct pg_rows){.result = NULL};
}

bool pg_is_null(const struct pg_rows *self, int row, int column)
{
    assert(row >= 0 && row < self->count && column >= 0 && column < PQnfields(self->result));
    return PQgetisnull(self->result, row, column) != 0;
}

/* NULL has no bytes. */
struct str pg_text(const struct pg_rows *self, int row, int column)
{
    if (pg_is_null(self, row, column)) {
        return STR_EMPTY;
    }
    return (struct str){PQgetvalue(self->result, row, column),
                        (size_t)PQgetlength(self->result, row, column)};
}

struct uuid pg_uuid(const struct pg_rows *self, int row, int column)
{
    struct str bytes = pg_text(self, row, column);
    struct uuid id = {{0}};

    assert(bytes.len == 0 || bytes.len == sizeof id.bytes);
    memcpy(id.bytes, bytes.ptr, bytes.len);
    return id;
}

/* Big-endian two's complement of 2, 4 or 8 bytes. */
int64_t pg_i64(const struct pg_rows *self, int row, int column)
{
    struct str bytes = pg_text(self, row, column);
    uint64_t value;

    assert(bytes.len == 0 || bytes.len == 2 || bytes.len == 4 || bytes.len == 8);
    value = bytes.len > 0 && (bytes.ptr[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | (uint8_t)bytes.ptr[i];
    }
    return (int64_t)value;
}

bool pg_bool(const struct pg_rows *self, int row, int column)
{
    struct str bytes = pg_text(self, row, column);

    assert(bytes.len <= 1);
    return bytes.len == 1 && bytes.ptr[0] != 0;
}

/* Microseconds since 2000, rounded down to milliseconds; NULL is 0. */
int64_t pg_time_ms(const struct pg_rows *self, int row, int column)
{
    int64_t us = pg_i64(self, row, column);
    int64_t ms = us / 1000 - (us % 1000 < 0 ? 1 : 0);

    return pg_is_null(self, row, column) ? 0 : ms + PG_EPOCH_UNIX_MS;
}
