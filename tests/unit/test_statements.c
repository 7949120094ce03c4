/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each prepared statement against a freshly migrated database: it can be prepared, and no plan of it
 * walks through a table that grows.
 */
#include "support/database.h"

#include <ctype.h>

enum { PLAN_BYTES_MAX = 32768, NAME_BYTES_MAX = 63 };

static const char *const growing[] = {
    "users",       "registrations", "one_time_tokens", "sessions",  "mail_requests",
    "outbox",      "revocations",   "audit",           "throttle",  "known_networks",
    "mail_counts", "totp_factors",  "recovery_codes",  "mfa_logins"};

static char plan_memory[PLAN_BYTES_MAX];

/* The plan as text, one node or property a line, with a NUL behind it. */
static const char *explain(const char *sql)
{
    char text[8192];
    const struct pg_statement statement = {.sql = text};
    struct buf plan = buf_over(plan_memory, sizeof(plan_memory) - 1);
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    (void)snprintf(text, sizeof(text), "EXPLAIN (COSTS OFF) %s", sql);
    database_must(pg_query(database(), &statement, &args, &rows));
    for (int row = 0; row < rows.count; row++) {
        buf_append(&plan, pg_text(&rows, row, 0));
        buf_append_byte(&plan, '\n');
    }
    assert_false(plan.overflowed);
    plan_memory[plan.len] = '\0';
    return plan_memory;
}

/* The generic plan, which a prepared statement gets sooner or later. */
static const char *explain_prepared(const struct pg_statement *statement)
{
    static const struct pg_statement counting = {
        .sql = "SELECT cardinality(parameter_types)::bigint FROM pg_prepared_statements"
               " WHERE name = $1"};
    struct pg_args args = {0};
    PG_ROWS rows = {0};
    char sql[512];
    struct buf out = buf_over(sql, sizeof(sql) - 1);

    pg_bind_text(&args, str_from(statement->name));
    database_must(pg_query(database(), &counting, &args, &rows));
    assert_int_equal(rows.count, 1); /* it was prepared */
    buf_printf(&out, "EXECUTE %s", statement->name);
    for (int64_t i = 0; i < pg_i64(&rows, 0, 0); i++) {
        buf_append(&out, i == 0 ? STR("(NULL") : STR(", NULL"));
    }
    buf_append(&out, pg_i64(&rows, 0, 0) > 0 ? STR(")") : STR_EMPTY);
    assert_false(out.overflowed);
    sql[out.len] = '\0';
    return explain(sql);
}

static bool names_growing(struct str line)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "%.*s ", STR_ARG(line));
    for (size_t i = 0; i < sizeof(growing) / sizeof(growing[0]); i++) {
        char on[64];

        (void)snprintf(on, sizeof(on), " on %s ", growing[i]);
        if (strstr(text, on) != NULL) {
            return true;
        }
    }
    return false;
}

static bool has(struct str line, const char *what)
{
    return memmem(line.ptr, line.len, what, strlen(what)) != NULL;
}

/* A node that reads a whole growing table: every page of it, or its index from end to end with no
 * LIMIT to stop it. An index scan with a condition has its "Index Cond:" in the line behind it. */
static bool walks(const char *plan)
{
    struct str rest = str_from(plan);
    bool limited = false;

    while (rest.len > 0) {
        struct str line = str_cut(&rest, '\n');
        struct str ahead = rest;
        struct str next = str_cut(&ahead, '\n');

        limited = limited || has(line, "Limit");
        if (has(line, "Seq Scan") && names_growing(line)) {
            return true;
        }
        if (has(line, "Index") && has(line, "Scan") && !has(line, "schema_migrations") &&
            !has(next, "Index Cond:") && !limited) {
            return true;
        }
    }
    return false;
}

/* What the test itself would notice. */
static void a_walk_is_noticed(void **state)
{
    static const char *const walking[] = {
        "SELECT id FROM users WHERE name = 'x'",
        "SELECT id FROM users",
        "SELECT count(*) FROM sessions s WHERE s.client_id = 'x'",
        "UPDATE outbox o SET attempts = 0 WHERE o.subject || 'x' = 'y'",
        "DELETE FROM registrations WHERE expires_at + interval '1 s' < now()",
        "SELECT 1 FROM users u JOIN sessions s ON s.user_id = u.id WHERE u.name = 'x'",
        "SELECT id FROM sessions ORDER BY id",
    };
    static const char *const finding[] = {
        "SELECT id FROM users WHERE email_canonical = 'x'",
        "SELECT id FROM sessions WHERE id = '5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e'",
        "SELECT id FROM sessions ORDER BY id LIMIT 1",
        "SELECT 1",
        "SELECT version FROM schema_migrations",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(walking) / sizeof(walking[0]); i++) {
        if (!walks(explain(walking[i]))) {
            fail_msg("not noticed: %s\n%s", walking[i], plan_memory);
        }
    }
    for (size_t i = 0; i < sizeof(finding) / sizeof(finding[0]); i++) {
        if (walks(explain(finding[i]))) {
            fail_msg("noticed: %s\n%s", finding[i], plan_memory);
        }
    }
}

/* The list above is the schema's: what is not in it is small by its nature. */
static void every_table_is_judged(void **state)
{
    (void)state;
    assert_int_equal(database_number("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"
                                     " AND tablename NOT IN ('users', 'registrations',"
                                     " 'one_time_tokens', 'sessions', 'mail_requests', 'outbox',"
                                     " 'revocations', 'audit', 'throttle', 'known_networks',"
                                     " 'mail_counts', 'totp_factors', 'recovery_codes',"
                                     " 'mfa_logins', 'schema_migrations',"
                                     /* few rows, however many users there are */
                                     " 'clients', 'signing_keys', 'keyring_keys')"),
                     0);
}

static void no_statement_walks_through_a_table(void **state)
{
    (void)state;
    for (size_t t = 0; t < schema_statements_count; t++) {
        for (size_t i = 0; i < schema_statements[t]->count; i++) {
            const struct pg_statement *statement = &schema_statements[t]->list[i];
            const char *plan = explain_prepared(statement);

            if (walks(plan)) {
                fail_msg("%s walks through a table:\n%s\n%s", statement->name, statement->sql,
                         plan);
            }
        }
    }
}

static void every_statement_is_prepared(void **state)
{
    int64_t count = 0;

    (void)state;
    for (size_t t = 0; t < schema_statements_count; t++) {
        count += (int64_t)schema_statements[t]->count;
    }
    assert_true(count > 20);
    {
        static const struct pg_statement prepared = {
            .sql = "SELECT count(*) FROM pg_prepared_statements WHERE NOT from_sql"};
        struct pg_args args = {0};
        PG_ROWS rows = {0};

        database_must(pg_query(database(), &prepared, &args, &rows));
        assert_int_equal(pg_i64(&rows, 0, 0), count);
    }
}

/* Names are unique over all tables, lower-case, and fit an identifier. */
static void every_name_is_one_identifier(void **state)
{
    (void)state;
    for (size_t t = 0; t < schema_statements_count; t++) {
        for (size_t i = 0; i < schema_statements[t]->count; i++) {
            const char *name = schema_statements[t]->list[i].name;

            assert_non_null(name);
            assert_non_null(schema_statements[t]->list[i].sql);
            assert_in_range(strlen(name), 1, NAME_BYTES_MAX);
            for (const char *c = name; *c != '\0'; c++) {
                assert_true(islower((unsigned char)*c) || *c == '_');
            }
        }
    }
}

/* "Columns always named, never *": version N-1 must live with the columns of N. */
static void columns_are_named(void **state)
{
    (void)state;
    for (size_t t = 0; t < schema_statements_count; t++) {
        for (size_t i = 0; i < schema_statements[t]->count; i++) {
            struct str rest = str_from(schema_statements[t]->list[i].sql);

            while (rest.len > 0) {
                struct str before = str_cut(&rest, '*');
                bool is_count = str_ends(before, STR("count("));
                bool is_product = str_ends(before, STR(" ")) && str_starts(rest, STR(" "));

                if (rest.len > 0 && !is_count && !is_product) {
                    fail_msg("%s has a *", schema_statements[t]->list[i].name);
                }
            }
            assert_null(strstr(schema_statements[t]->list[i].sql, "SELECT *"));
            assert_null(strstr(schema_statements[t]->list[i].sql, "RETURNING *"));
        }
    }
}

/* What must match and may not undoes the whole pipeline. */
static void expect_one_wants_one(void **state)
{
    static const char *const wrong[] = {"SELECT expect_one(0)", "SELECT expect_one(2)",
                                        "SELECT expect_one(-1)"};

    (void)state;
    database_do("SELECT expect_one(1)");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(pg_execute(database(), wrong[i]), ERR_NO_MATCH);
        assert_string_equal(pg_sqlstate(test_pg), "US001");
    }
}

static int set_up(void **state)
{
    (void)state;
    database_start();
    database_do("SET plan_cache_mode = force_generic_plan");
    database_do("SET enable_seqscan = off"); /* the tables are empty: cost alone would choose it */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    database_stop();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_is_prepared),
        cmocka_unit_test(a_walk_is_noticed),
        cmocka_unit_test(every_table_is_judged),
        cmocka_unit_test(no_statement_walks_through_a_table),
        cmocka_unit_test(every_name_is_one_identifier),
        cmocka_unit_test(columns_are_named),
        cmocka_unit_test(expect_one_wants_one),
    };

    return cmocka_run_group_tests_name("statements", tests, set_up, tear_down);
}
