/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <string.h>
#include <time.h>

#include "clock.h"
#include "crypto.h"
#include "device_store.h"
#include "embedded_migrations.h"
#include "expiry_store.h"
#include "mail_store.h"
#include "one_time_store.h"
#include "outbox_store.h"
#include "registration_store.h"
#include "session_store.h"
#include "user_store.h"

enum { LOCK_POLL_MS = 100, VERSION_DIGITS = 4 };

#define MIGRATIONS (sizeof(embedded_migrations) / sizeof(embedded_migrations[0]))

static const char schema_migrations_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " version bigint PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

enum { SCHEMA_LOCK, SCHEMA_APPLIED };

/* The lock's number is "user-sch" in ASCII; any constant does. */
static const struct pg_statement statements[] = {
    [SCHEMA_LOCK] = {"schema_lock", "SELECT pg_try_advisory_lock(8463219665822507880)"},
    [SCHEMA_APPLIED] = {"schema_applied",
                        "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"},
};

static const struct pg_statements schema_own_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

const struct pg_statements *const schema_statements[] = {
    &user_store_statements,    &registration_store_statements, &one_time_store_statements,
    &session_store_statements, &outbox_store_statements,       &mail_store_statements,
    &expiry_store_statements,  &device_store_statements,
};
const size_t schema_statements_count = sizeof(schema_statements) / sizeof(schema_statements[0]);

/* One run of the migrations. */
struct schema_run {
    struct pg *pg;
    struct arena *arena;
    int64_t deadline_ms;
    const char **why;
};

static enum error refuse(const struct schema_run *run, struct str sentence)
{
    const char *text = arena_terminated(run->arena, sentence);

    *run->why = text == NULL ? "the migrations need more memory" : text;
    return ERR_CONFIG;
}

static int64_t version_of(const struct embedded_migrations *file)
{
    uint64_t version = 0;

    for (size_t i = 0; i < VERSION_DIGITS; i++) {
        version = version * 10 + (uint64_t)(file->name[i] - '0');
    }
    return (int64_t)version;
}

static struct crypto_digest digest_of(const struct embedded_migrations *file)
{
    return crypto_sha256((struct str){(const char *)file->bytes, file->size});
}

static enum error lock(const struct schema_run *run)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

    for (;;) {
        struct pg_args args = {0};
        PG_ROWS rows = {0};

        TRY(pg_query(run->pg, &statements[SCHEMA_LOCK], &args, &rows));
        if (rows.count == 1 && pg_bool(&rows, 0, 0)) {
            return OK;
        }
        if (clock_mono_ms() >= run->deadline_ms) {
            return ERR_UNAVAILABLE;
        }
        (void)nanosleep(&pause, NULL);
    }
}

static enum error apply(const struct schema_run *run, const struct embedded_migrations *file)
{
    struct crypto_digest digest = digest_of(file);
    struct buf hex = buf_in(run->arena, 2 * CRYPTO_SHA256_BYTES);
    struct str sql;

    codec_hex(&hex, (struct str){(const char *)digest.bytes, sizeof(digest.bytes)});
    sql = arena_printf(run->arena,
                       "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = 0;\n%s\n;"
                       "INSERT INTO schema_migrations (version, name, sha256)"
                       " VALUES (%lld, '%s', '\\x%.*s'); COMMIT",
                       (const char *)file->bytes, (long long)version_of(file), file->name,
                       STR_ARG(buf_str(&hex)));
    const char *terminated = arena_terminated(run->arena, sql);
    if (sql.len == 0 || terminated == NULL) {
        return refuse(run, STR("the migrations need more memory"));
    }
    enum error error = pg_execute(run->pg, terminated);
    if (error == ERR_UNAVAILABLE || error == OK) {
        return error;
    }
    if (strcmp(pg_sqlstate(run->pg), "55P03") == 0) { /* lock_timeout: others are at work */
        return ERR_UNAVAILABLE;
    }
    return refuse(
        run, arena_printf(run->arena, "migration %s failed: %s", file->name, pg_message(run->pg)));
}

/* The row of `file` among those applied; -1 if it is not there yet. */
static int find_applied(const struct pg_rows *rows, const struct embedded_migrations *file)
{
    for (int row = 0; row < rows->count; row++) {
        if (pg_i64(rows, row, 0) == version_of(file)) {
            return row;
        }
    }
    return -1;
}

static enum error check_applied(const struct schema_run *run, const struct pg_rows *rows, int row,
                                const struct embedded_migrations *file)
{
    struct crypto_digest digest = digest_of(file);
    struct str expected = {(const char *)digest.bytes, sizeof(digest.bytes)};

    if (str_equal(pg_text(rows, row, 2), expected)) {
        return OK;
    }
    return refuse(run, arena_printf(run->arena,
                                    "migration %s was applied to this database in another version; "
                                    "an applied file must never change",
                                    file->name));
}

static enum error migrate_locked(const struct schema_run *run, struct schema_report *report)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    TRY(lock(run));
    TRY(pg_query(run->pg, &statements[SCHEMA_APPLIED], &args, &rows));
    report->version = rows.count == 0 ? 0 : pg_i64(&rows, rows.count - 1, 0);
    for (size_t i = 0; i < MIGRATIONS; i++) {
        const struct embedded_migrations *file = &embedded_migrations[i];
        int row = find_applied(&rows, file);

        if (row >= 0) {
            TRY(check_applied(run, &rows, row, file));
            continue;
        }
        TRY(apply(run, file));
        report->applied++;
        report->version = version_of(file);
    }
    return OK;
}

/* Replicas that create it at once collide in the catalog, in one way or another (23505, 42P07, 42710):
 * then it is there, and the second try finds it. */
static enum error create_bookkeeping(const struct pg_options *options, int64_t deadline_ms)
{
    struct pg_options bare = *options;
    struct pg *pg;
    enum error error;

    bare.table_count = 0;
    pg = pg_new(&bare);
    pg_deadline(pg, deadline_ms);
    error = pg_ready(pg);
    if (error == OK) {
        error = pg_execute(pg, schema_migrations_sql);
    }
    if (error == ERR_CONFLICT || error == ERR_INTERNAL) {
        error = pg_execute(pg, schema_migrations_sql);
    }
    pg_free(pg);
    return error;
}

enum error schema_migrate(const struct pg_options *options, struct arena *arena,
                          int64_t deadline_ms, struct schema_report *report, const char **why)
{
    const struct pg_statements *own[] = {&schema_own_statements};
    struct pg_options bare = *options;
    struct schema_run run = {.arena = arena, .deadline_ms = deadline_ms, .why = why};
    struct schema_report done = {0};
    enum error error;

    TRY(create_bookkeeping(options, deadline_ms));
    bare.tables = own;
    bare.table_count = 1;
    run.pg = pg_new(&bare);
    pg_deadline(run.pg, deadline_ms);
    error = pg_ready(run.pg);
    if (error == OK) {
        error = migrate_locked(&run, &done);
    }
    pg_free(run.pg); /* the lock goes with the connection */
    TRY(error);
    *report = done;
    return OK;
}
