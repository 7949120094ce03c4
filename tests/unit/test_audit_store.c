/* SPDX-License-Identifier: Apache-2.0 */
/* The audit trail: it takes rows and shows them by what an auditor asks, page by page. */
#include "support/database.h"

#include "audit_store.h"
#include "clock.h"
#include "expiry_store.h"

enum { LIMIT = 3 };

static unsigned char memory[65536];
static struct arena arena;

static struct arena *fresh(void)
{
    arena_init(&arena, memory, sizeof(memory));
    return &arena;
}

static void append(const char *type, const char *subject, const char *request)
{
    const struct audit_row row = {
        .id = crypto_uuid7(clock_wall_ms()),
        .type = str_from(type),
        .actor = STR("cli:ada"),
        .subject = str_from(subject),
        .request_id = str_from(request),
        .detail = STR("{\"a\":1}"),
    };
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    audit_store_append(&tx, &row);
    database_must(pg_tx_commit(&tx));
}

static size_t walk(const struct audit_filter *filter)
{
    struct keyset keyset = {.limit = LIMIT};
    struct keyset_found found = {.has_more = true};
    struct audit_row rows[LIMIT];
    size_t seen = 0;

    while (found.has_more) {
        database_must(audit_store_list(database(), fresh(), filter, &keyset, rows, &found));
        for (size_t i = 0; i < found.count; i++) {
            assert_true(!keyset.has_after || memcmp(rows[i].id.bytes, keyset.after.bytes,
                                                    sizeof(keyset.after.bytes)) < 0);
            keyset.has_after = true;
            keyset.after = rows[i].id;
            seen++;
        }
    }
    return seen;
}

static void rows_are_found_by_what_is_asked(void **state)
{
    static const struct {
        struct audit_filter filter;
        size_t count;
    } rows[] = {
        {{.subject = {"", 0}}, 10},
        {{.subject = {"s1", 2}}, 4},
        {{.subject = {"nobody", 6}}, 0},
        {{.type = {"user.disabled", 13}}, 7},
        {{.request_id = {"r1", 2}}, 2},
        {{.subject = {"s1", 2}, .type = {"user.disabled", 13}}, 1},
        {{.subject = {"s1", 2}, .request_id = {"r1", 2}}, 2},
        {{.type = {"user.enabled", 12}, .request_id = {"r1", 2}}, 1},
    };

    (void)state;
    append("user.enabled", "s1", "r1");
    append("user.disabled", "s1", "r1");
    append("user.enabled", "s1", NULL);
    append("user.enabled", "s1", NULL);
    for (int i = 0; i < 6; i++) {
        append("user.disabled", i % 2 == 0 ? "s2" : NULL, "r2");
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(walk(&rows[i].filter), rows[i].count);
    }
}

static void a_row_reads_back(void **state)
{
    const struct audit_filter filter = {.request_id = STR("r")};
    const struct keyset keyset = {.limit = LIMIT};
    struct audit_row rows[LIMIT];
    struct keyset_found found;

    (void)state;
    append("user.disabled", NULL, "r");
    database_must(audit_store_list(database(), fresh(), &filter, &keyset, rows, &found));
    assert_int_equal(found.count, 1);
    assert_false(found.has_more);
    assert_str_equal(rows[0].type, STR("user.disabled"));
    assert_str_equal(rows[0].actor, STR("cli:ada"));
    assert_int_equal(rows[0].subject.len, 0);
    assert_str_equal(rows[0].request_id, STR("r"));
    assert_int_equal(rows[0].reason.len, 0);
    assert_str_equal(rows[0].detail, STR("{\"a\":1}"));
    assert_in_range(rows[0].at_ms, clock_wall_ms() - 60000, clock_wall_ms() + 60000);
}

/* A row that does not fit would be a row that is missing. */
static void a_page_ends_before_the_arena_does(void **state)
{
    static unsigned char small[4096];
    const struct audit_filter filter = {.subject = STR_EMPTY};
    struct keyset keyset = {.limit = 200};
    static struct audit_row rows[200];
    struct keyset_found found = {.has_more = true};
    size_t seen = 0;

    (void)state;
    for (int i = 0; i < 60; i++) {
        append("user.disabled", "0123456789012345678901234567890123456789012345678901234567890123",
               "r");
    }
    while (found.has_more) {
        struct arena tiny;

        arena_init(&tiny, small, sizeof(small));
        database_must(audit_store_list(database(), &tiny, &filter, &keyset, rows, &found));
        assert_in_range(found.count, 1, 40);
        keyset.has_after = true;
        keyset.after = rows[found.count - 1].id;
        seen += found.count;
    }
    assert_int_equal(seen, 60);
}

static void what_is_past_its_retention_is_swept(void **state)
{
    int64_t most = 0;

    (void)state;
    append("user.disabled", "s1", "r1");
    append("user.disabled", "s2", "r1");
    database_do("UPDATE audit SET at = at - interval '400 days 1 minute' WHERE subject = 's1'");
    database_must(expiry_store_sweep(database(), 401 * 86400, &most));
    assert_int_equal(database_number("SELECT count(*) FROM audit"), 2);
    database_must(expiry_store_sweep(database(), 400 * 86400, &most));
    assert_int_equal(most, 1);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE subject = 's2'"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM audit"), 1);
}

static int set_up(void **state)
{
    (void)state;
    database_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    database_stop();
    return 0;
}

static int afresh(void **state)
{
    (void)state;
    database_do("TRUNCATE audit");
    return 0;
}

#define AUDIT(name) cmocka_unit_test_setup(name, afresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUDIT(rows_are_found_by_what_is_asked),
        AUDIT(a_row_reads_back),
        AUDIT(a_page_ends_before_the_arena_does),
        AUDIT(what_is_past_its_retention_is_swept),
    };

    return cmocka_run_group_tests_name("audit_store", tests, set_up, tear_down);
}
