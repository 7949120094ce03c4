/* SPDX-License-Identifier: Apache-2.0 */
#include "schema.h"

#include <string.h>
#include <time.h>

#include "admin_session_store.h"
#include "admin_store.h"
#include "audit_store.h"
#include "client_store.h"
#include "clock.h"
#include "credential_store.h"
#include "crypto.h"
#include "device_store.h"
#include "directory_store.h"
#include "embedded_migrations.h"
#include "expiry_store.h"
#include "key_store.h"
#include "letter_store.h"
#include "mail_store.h"
#include "mfa_login_store.h"
#include "mfa_store.h"
#include "one_time_store.h"
#include "outbox_store.h"
#include "registration_store.h"
#include "revocation_store.h"
#include "session_store.h"
#include "throttle_store.h"
#include "user_store.h"
#include "validity_store.h"

enum {
    LOCK_POLL_MS = 100,
    STEP_MS_MAX = 5000,
    APPLY_MS_MAX = 3600000, /* an index over a large table takes its time */
    VERSION_DIGITS = 4
};

#define MIGRATIONS (sizeof(embedded_migrations) / sizeof(embedded_migrations[0]))

static const char create_sql[] =
    "CREATE TABLE IF NOT EXISTS schema_migrations ("
    " version bigint PRIMARY KEY, name text NOT NULL, sha256 bytea NOT NULL,"
    " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())";

/* Without names: they are not prepared, since their table may not be there yet. The lock's number is
 * "user-sch" in ASCII; any constant does. */
static const struct pg_statement is_kept = {
    .sql = "SELECT to_regclass('public.schema_migrations') IS NOT NULL"};
static const struct pg_statement try_lock = {
    .sql = "SELECT pg_try_advisory_lock(8463219665822507880)"};
static const struct pg_statement list_applied = {
    .sql = "SELECT version, name, sha256 FROM schema_migrations ORDER BY version"};

const struct pg_statements *const schema_statements[] = {
    &user_store_statements,          &registration_store_statements, &one_time_store_statements,
    &session_store_statements,       &outbox_store_statements,       &mail_store_statements,
    &expiry_store_statements,        &device_store_statements,       &validity_store_statements,
    &key_store_statements,           &audit_store_statements,        &client_store_statements,
    &directory_store_statements,     &revocation_store_statements,   &admin_store_statements,
    &admin_session_store_statements, &letter_store_statements,       &credential_store_statements,
    &mfa_store_statements,           &mfa_login_store_statements,    &throttle_store_statements,
};
const size_t schema_statements_count = sizeof(schema_statements) / sizeof(schema_statements[0]);

/* One run of the migrations. */
struct schema_run {
    struct pg *pg;
    struct arena *arena;
    int64_t deadline_ms;
    const char **why;
};

/* A failure is told in one sentence; a text that does not fit leaves a shorter one. */
static enum error fail(const struct schema_run *run, enum error error, struct str sentence)
{
    const char *text = sentence.len == 0 ? NULL : arena_terminated(run->arena, sentence);

    *run->why = text == NULL ? "the migrations need more memory" : text;
    return error;
}

/* What the server says; a statement that it refuses will be refused again. */
static enum error fail_by_server(const struct schema_run *run, enum error error, const char *what)
{
    return fail(run, error == ERR_UNAVAILABLE ? ERR_UNAVAILABLE : ERR_CONFIG,
                arena_printf(run->arena, "%s: %s", what, pg_message(run->pg)));
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

static enum error query(const struct schema_run *run, const struct pg_statement *statement,
                        struct pg_rows *out)
{
    enum error error = pg_query(run->pg, statement, &(struct pg_args){0}, out);

    return error == OK ? OK : fail_by_server(run, error, "the schema's version cannot be read");
}

/* Polled, with no transaction open: a waiting one would hold back vacuum everywhere. */
static enum error lock(const struct schema_run *run)
{
    const struct timespec pause = {.tv_nsec = LOCK_POLL_MS * 1000000L};

    for (;;) {
        PG_ROWS rows = {0};

        pg_deadline(run->pg, clock_mono_ms() + STEP_MS_MAX);
        TRY(query(run, &try_lock, &rows));
        if (pg_bool(&rows, 0, 0)) {
            return OK;
        }
        if (clock_mono_ms() >= run->deadline_ms) {
            return fail(run, ERR_UNAVAILABLE, STR("another instance is migrating the schema"));
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
    sql = arena_printf(
        run->arena,
        "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL statement_timeout = 0;\n%s\n;"
        "INSERT INTO schema_migrations (version, name, sha256)"
        " VALUES (%lld, '%s', '\\x%.*s'); COMMIT",
        (const char *)file->bytes, (long long)version_of(file), file->name, STR_ARG(buf_str(&hex)));
    const char *terminated = arena_terminated(run->arena, sql);
    if (sql.len == 0 || terminated == NULL) {
        return fail(run, ERR_CONFIG, STR_EMPTY);
    }
    pg_deadline(run->pg, clock_mono_ms() + APPLY_MS_MAX);
    enum error error = pg_execute(run->pg, terminated);
    pg_deadline(run->pg, clock_mono_ms() + STEP_MS_MAX);
    if (error == OK) {
        return OK;
    }
    if (strcmp(pg_sqlstate(run->pg), "55P03") == 0) { /* lock_timeout: others are at work */
        error = ERR_UNAVAILABLE;
    }
    return fail_by_server(run, error, file->name);
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
    return fail(run, ERR_CONFIG,
                arena_printf(run->arena,
                             "migration %s was applied to this database in another version; an "
                             "applied file must never change",
                             file->name));
}

/* How many files are not applied yet; those that are must not have changed. */
static enum error count_missing(const struct schema_run *run, struct schema_report *report,
                                size_t *missing)
{
    PG_ROWS rows = {0};

    TRY(query(run, &list_applied, &rows));
    *missing = 0;
    report->version = rows.count == 0 ? 0 : pg_i64(&rows, rows.count - 1, 0);
    for (size_t i = 0; i < MIGRATIONS; i++) {
        int row = find_applied(&rows, &embedded_migrations[i]);

        if (row < 0) {
            (*missing)++;
            continue;
        }
        TRY(check_applied(run, &rows, row, &embedded_migrations[i]));
    }
    return OK;
}

static enum error apply_missing(const struct schema_run *run, struct schema_report *report)
{
    PG_ROWS rows = {0};

    TRY(query(run, &list_applied, &rows));
    for (size_t i = 0; i < MIGRATIONS; i++) {
        const struct embedded_migrations *file = &embedded_migrations[i];

        if (find_applied(&rows, file) < 0) {
            TRY(apply(run, file));
            report->applied++;
            report->version = version_of(file);
        }
    }
    return OK;
}

static enum error create(const struct schema_run *run)
{
    enum error error = pg_execute(run->pg, create_sql);

    return error == OK ? OK : fail_by_server(run, error, "schema_migrations cannot be made");
}

/* Nothing is locked, and nothing but SELECT asked for, where there is nothing to do: the role of a
 * service whose owner migrates has no more rights. */
static enum error migrate(const struct schema_run *run, struct schema_report *report)
{
    PG_ROWS kept = {0};
    size_t missing = MIGRATIONS;

    TRY(query(run, &is_kept, &kept));
    if (pg_bool(&kept, 0, 0)) {
        TRY(count_missing(run, report, &missing));
    }
    if (missing == 0) {
        return OK;
    }
    TRY(lock(run));
    TRY(create(run));
    TRY(count_missing(run, report, &missing)); /* others may have been at work meanwhile */
    return apply_missing(run, report);
}

static enum error check(const struct schema_run *run, struct schema_report *report)
{
    PG_ROWS kept = {0};
    size_t missing = MIGRATIONS;

    TRY(query(run, &is_kept, &kept));
    if (pg_bool(&kept, 0, 0)) {
        TRY(count_missing(run, report, &missing));
    }
    if (missing == 0) {
        return OK;
    }
    return fail(run, ERR_CONFIG,
                arena_printf(run->arena,
                             "the database's schema is older than this binary (version %lld, %zu "
                             "migrations are missing): run `user-service migrate` on it first",
                             (long long)report->version, missing));
}

/* On a connection of its own. */
static enum error run_with(struct schema_run *run, const struct pg_options *options,
                           enum error (*step)(const struct schema_run *, struct schema_report *),
                           struct schema_report *report)
{
    struct pg_options bare = *options;
    enum error error;

    bare.table_count = 0;
    run->pg = pg_new(&bare);
    pg_deadline(run->pg, run->deadline_ms);
    error = pg_ready(run->pg);
    error = error == OK ? step(run, report) : fail_by_server(run, error, "no connection");
    pg_free(run->pg); /* a lock goes with the connection */
    return error;
}

enum error schema_migrate(const struct pg_options *options, struct arena *arena,
                          int64_t deadline_ms, struct schema_report *report, const char **why)
{
    struct schema_run run = {.arena = arena, .deadline_ms = deadline_ms, .why = why};
    struct schema_report done = {0};

    TRY(run_with(&run, options, migrate, &done));
    *report = done;
    return OK;
}

enum error schema_check(const struct pg_options *options, struct arena *arena, int64_t deadline_ms,
                        const char **why)
{
    struct schema_run run = {.arena = arena, .deadline_ms = deadline_ms, .why = why};

    return run_with(&run, options, check, &(struct schema_report){0});
}
