/* SPDX-License-Identifier: Apache-2.0 */
/* Dead and parked events are listed and sent again. */
#include "support/accounts.h"

#include "clock.h"
#include "letters.h"
#include "outbox_store.h"

enum { LIMIT = 4 };

static const struct audit_actor by = {{"cli:ada", 7}, {"", 0}, {"", 0}};

/* `count` events of their own subjects, in a state that SQL says. */
static void make(int count, const char *columns, const char *values)
{
    account_do("INSERT INTO outbox (id, subject, type, is_ordered, data, attempts, rejections,"
               " first_failed_at, leased_at, due_at%s)"
               " SELECT gen_random_uuid(), 's' || n, 'user.verified', true, '{}', 3, 3, now(),"
               " now(), now() + interval '1 hour'%s FROM generate_series(1, %d) n",
               columns, values, count);
}

static struct uuid id_where(const char *condition)
{
    char sql[256];
    const struct pg_statement statement = {.sql = sql};
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    (void)snprintf(sql, sizeof(sql), "SELECT id FROM outbox WHERE %s LIMIT 1", condition);
    database_must(pg_query(database(), &statement, &args, &rows));
    assert_int_equal(rows.count, 1);
    return pg_uuid(&rows, 0, 0);
}

static size_t walk(bool pending, bool dead)
{
    struct letter_filter filter = {.pending = pending, .dead = dead, .limit = LIMIT};
    struct keyset_found found = {.has_more = true};
    struct letter rows[LIMIT];
    size_t seen = 0;

    while (found.has_more) {
        database_must(letter_store_list(database(), auth_fresh_arena(), &filter, rows, &found));
        for (size_t i = 0; i < found.count; i++) {
            assert_true(rows[i].seq > filter.after_seq);
            assert_true(rows[i].is_dead ? dead : pending);
            filter.after_seq = rows[i].seq;
            seen++;
        }
    }
    return seen;
}

static void lists_are_walked_to_their_end(void **state)
{
    (void)state;
    make(9, "", "");
    make(8, ", dead_at, last_error", ", now(), 'answered 400'");
    make(1, ", parked_at", ", now()");
    assert_int_equal(walk(true, true), 18);
    assert_int_equal(walk(true, false), 10);
    assert_int_equal(walk(false, true), 8);
}

static void a_letter_sent_again_is_as_good_as_new(void **state)
{
    struct work work = account_work();
    struct outbox_batch batch;

    (void)state;
    make(1, ", dead_at", ", now()");
    make(1, ", parked_at", ", now()");
    work = account_work();
    database_must(letters_redeliver(&work, &by, id_where("dead_at IS NOT NULL")));
    assert_true(work.has_events);
    database_must(letters_redeliver(&work, &by, id_where("parked_at IS NOT NULL")));
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE attempts = 0"
                                     " AND rejections = 0 AND first_failed_at IS NULL"
                                     " AND leased_at IS NULL AND dead_at IS NULL"
                                     " AND parked_at IS NULL AND due_at <= clock_timestamp()"),
                     2);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE type ="
                                     " 'event.redelivered' AND subject = 's1'"
                                     " AND detail LIKE '{\"event_id\":\"%'"),
                     2);
    /* Of one subject's two the older one goes first, as ever. */
    database_must(outbox_store_claim(database(), auth_fresh_arena(), 1000, 16, &batch));
    assert_int_equal(batch.count, 1);
}

static void what_is_neither_is_not_found(void **state)
{
    struct work work = account_work();
    struct uuid nil = {{0}};

    (void)state;
    make(1, "", "");
    assert_int_equal(letters_redeliver(&work, &by, nil), ERR_NOT_FOUND);
    assert_int_equal(letters_redeliver(&work, &by, id_where("true")), ERR_NOT_FOUND);
    assert_int_equal(database_number("SELECT count(*) FROM audit"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE attempts = 3"), 1);
}

static void all_dead_ones_are_sent_again(void **state)
{
    struct work work = account_work();
    int64_t count = 0;

    (void)state;
    make(1100, ", dead_at", ", now()");
    make(1, ", parked_at", ", now()");
    work = account_work();
    database_must(letters_redeliver_dead(&work, &by, &count));
    assert_int_equal(count, 1100);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE dead_at IS NOT NULL"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE type ="
                                     " 'events.redelivered'"),
                     1);
    database_must(letters_redeliver_dead(&work, &by, &count));
    assert_int_equal(count, 0);
}

static int start(void **state)
{
    (void)state;
    account_start();
    return 0;
}

static int stop(void **state)
{
    (void)state;
    account_stop();
    return 0;
}

static int afresh(void **state)
{
    (void)state;
    account_reset();
    database_do("TRUNCATE audit");
    return 0;
}

#define LETTERS(name) cmocka_unit_test_setup(name, afresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LETTERS(lists_are_walked_to_their_end),
        LETTERS(a_letter_sent_again_is_as_good_as_new),
        LETTERS(what_is_neither_is_not_found),
        LETTERS(all_dead_ones_are_sent_again),
    };

    return cmocka_run_group_tests_name("letters", tests, start, stop);
}
