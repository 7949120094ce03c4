/* SPDX-License-Identifier: Apache-2.0 */
#include "pg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <libpq-fe.h>

#include "clock.h"
#include "pg_link.h"
#include "pg_lookup.h"

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
    self->lookups = calloc(PG_HOSTS_MAX, sizeof *self->lookups);
    if (self->lookups == NULL) {
        abort();
    }
    return self;
}

void pg_free(struct pg *self)
{
    if (self == NULL) {
        return;
    }
    pg_link_close(self);
    pg_lookup_free(self->lookups);
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
    if (reading->synced) {
        self->answered_ms = clock_mono_ms();
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
    pg_link_forget(self);
    return pg_need(self);
}

enum error pg_ping(struct pg *self)
{
    static const struct pg_statement ping = {.sql = "SELECT 1"};
    const struct pg_args none = {.count = 0};

    pg_link_look(self);
    pg_link_forget(self);
    if (self->conn == NULL) {
        return pg_open(self); /* which is a round trip itself */
    }
    TRY(pg_queue(self, &ping, &none));
    return pg_sync(self, NULL);
}

int64_t pg_answered_ms(const struct pg *self)
{
    return self->answered_ms;
}

bool pg_connected(const struct pg *self)
{
    return self->conn != NULL;
}

enum error pg_query(struct pg *self, const struct pg_statement *statement,
                    const struct pg_args *args, struct pg_rows *out)
{
    PGresult *rows = NULL;

    pg_link_forget(self);
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

    pg_link_forget(self->pg);
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

    pg_link_forget(self);
    TRY(pg_need(self));
    error = pg_execute_simple(self, sql, &reading);
    PQclear(reading.rows);
    TRY(error);
    if (self->doomed) {
        pg_link_close(self);
        return reading.error;
    }
    self->answered_ms = clock_mono_ms();
    if (PQenterPipelineMode(self->conn) != 1) {
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
