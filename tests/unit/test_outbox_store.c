/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>

#include "support/database.h"

#include "outbox_store.h"

enum { LEASE_MS = 60000 };

static unsigned char memory[262144];
static struct outbox_batch batch;
static const struct outbox_claimed *const rows = batch.rows;

static struct outbox_event event_of(const char *subject)
{
    return (struct outbox_event){
        .id = crypto_uuid7(clock_wall_ms()),
        .subject = str_from(subject),
        .type = STR("user.verified"),
        .is_ordered = true,
        .data = STR("{}"),
    };
}

static void append(const struct outbox_event *event)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    outbox_store_append(&tx, event);
    database_must(pg_tx_commit(&tx));
}

static void append_for(const char *subject)
{
    const struct outbox_event event = event_of(subject);

    append(&event);
}

static size_t claim(int64_t lease_ms, size_t max)
{
    struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    database_must(outbox_store_claim(database(), &arena, lease_ms, max, &batch));
    return batch.count;
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE outbox");
    return 0;
}

static void an_event_comes_out_as_it_went_in(void **state)
{
    struct outbox_event in = event_of("s1");
    int64_t now_ms = clock_wall_ms();

    (void)state;
    in.is_ordered = false;
    in.data = STR("{\"email\":\"\303\244@b.de\"}");
    in.expires_ms = now_ms + 3600000;
    in.token_kid = STR("k1");
    in.token_purpose = STR("registration");
    in.token_id = crypto_uuid4();
    append(&in);
    assert_int_equal(claim(LEASE_MS, 16), 1);
    assert_true(uuid_equal(rows[0].event.id, in.id));
    assert_str_equal(rows[0].event.subject, in.subject);
    assert_str_equal(rows[0].event.type, in.type);
    assert_str_equal(rows[0].event.data, in.data);
    assert_false(rows[0].event.is_ordered);
    assert_int_equal(rows[0].event.expires_ms, in.expires_ms);
    assert_str_equal(rows[0].event.token_kid, in.token_kid);
    assert_str_equal(rows[0].event.token_purpose, in.token_purpose);
    assert_true(uuid_equal(rows[0].event.token_id, in.token_id));
    assert_false(rows[0].is_expired);
    assert_int_equal(rows[0].attempts, 0);
    assert_int_equal(rows[0].rejections, 0);
    assert_int_equal(rows[0].failing_ms, 0);
    assert_true(rows[0].created_ms >= now_ms - 5000 && rows[0].created_ms <= now_ms + 5000);
}

static void an_event_without_a_token_reads_empty(void **state)
{
    (void)state;
    append_for("s1");
    assert_int_equal(claim(LEASE_MS, 16), 1);
    assert_int_equal(rows[0].event.token_kid.len, 0);
    assert_int_equal(rows[0].event.expires_ms, 0);
    assert_false(rows[0].is_expired);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE token_kid IS NULL AND"
                                     " token_purpose IS NULL AND token_id IS NULL AND"
                                     " expires_at IS NULL"),
                     1);
}

static void only_the_oldest_of_a_subject_is_handed_out(void **state)
{
    struct outbox_lease first;

    (void)state;
    append_for("s1");
    append_for("s1");
    append_for("s2");
    append_for("s1");
    assert_int_equal(claim(LEASE_MS, 16), 2);
    first = rows[0].lease.seq < rows[1].lease.seq ? rows[0].lease : rows[1].lease;
    assert_int_equal(claim(LEASE_MS, 16), 0); /* leased, and still in the way */
    database_must(outbox_store_delete(database(), &first, 1));
    assert_int_equal(claim(LEASE_MS, 16), 1);
    assert_int_equal(rows[0].lease.seq, first.seq + 1);
}

static void a_head_that_waits_blocks_its_subject_alone(void **state)
{
    struct outbox_failure failure = {.retry_in_ms = 60000, .counts = true, .reason = STR("500")};

    (void)state;
    append_for("s1");
    append_for("s1");
    append_for("s2");
    assert_int_equal(claim(0, 1), 1);
    failure.lease = rows[0].lease;
    database_must(outbox_store_fail(database(), &failure));
    assert_int_equal(claim(LEASE_MS, 16), 1);
    assert_str_equal(rows[0].event.subject, STR("s2"));
}

static void unordered_events_neither_wait_nor_block(void **state)
{
    struct outbox_event mail = event_of("s1");

    (void)state;
    mail.is_ordered = false;
    append_for("s1");
    append(&mail);
    mail.id = crypto_uuid4();
    append(&mail);
    append_for("s1");
    assert_int_equal(claim(LEASE_MS, 16), 3);
}

static void a_lease_that_ends_is_handed_out_again(void **state)
{
    (void)state;
    append_for("s1");
    assert_int_equal(claim(100, 16), 1);
    assert_int_equal(claim(100, 16), 0);
    database_await("SELECT count(*) FROM outbox WHERE due_at <= now()", 1);
    assert_int_equal(claim(LEASE_MS, 16), 1);
}

static void never_more_than_asked_for_and_the_longest_due_first(void **state)
{
    char subject[16];
    int64_t seen[5];

    (void)state;
    for (int i = 0; i < 5; i++) {
        (void)snprintf(subject, sizeof(subject), "s%d", i);
        append_for(subject);
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(claim(LEASE_MS, 1), 1);
        seen[i] = rows[0].lease.seq;
        assert_true(i == 0 || seen[i] > seen[i - 1]);
    }
    assert_int_equal(claim(LEASE_MS, 1), 0);
}

static void fail_next(struct outbox_failure failure)
{
    assert_int_equal(claim(LEASE_MS, 1), 1);
    failure.lease = rows[0].lease;
    database_must(outbox_store_fail(database(), &failure));
}

static void failures_are_counted_by_kind(void **state)
{
    (void)state;
    append_for("s1");
    fail_next((struct outbox_failure){.reason = STR("x")}); /* the endpoint's own */
    fail_next((struct outbox_failure){.reason = STR("x"), .counts = true});
    fail_next((struct outbox_failure){.reason = STR("x"), .counts = true, .is_rejection = true});
    database_do("UPDATE outbox SET first_failed_at = first_failed_at - interval '90 s'");
    assert_int_equal(claim(0, 1), 1);
    assert_int_equal(rows[0].attempts, 2);
    assert_int_equal(rows[0].rejections, 1);
    assert_true(rows[0].failing_ms >= 90000 && rows[0].failing_ms < 100000);
    assert_int_equal(rows[0].faulted_ago_ms, -1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE last_error = 'x'"), 1);
}

static void the_endpoints_fault_starts_no_clock(void **state)
{
    (void)state;
    append_for("s1");
    fail_next((struct outbox_failure){.reason = STR("refused"), .is_fault = true});
    database_do("UPDATE outbox SET faulted_at = faulted_at - interval '90 s'");
    fail_next((struct outbox_failure){.reason = STR("no connection")}); /* leaves it as it is */
    assert_int_equal(claim(LEASE_MS, 1), 1);
    assert_int_equal(rows[0].failing_ms, 0);
    assert_true(rows[0].faulted_ago_ms >= 90000 && rows[0].faulted_ago_ms < 100000);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE first_failed_at IS NULL"),
                     1);
}

/* One who was stopped for longer than its lease must not meddle with the next one's. */
static void who_comes_after_its_lease_changes_nothing(void **state)
{
    struct outbox_failure failure = {.counts = true, .reason = STR("late")};
    struct outbox_lease late[2];

    (void)state;
    append_for("s1");
    append_for("s2");
    assert_int_equal(claim(0, 2), 2);
    late[0] = rows[0].lease;
    late[1] = rows[1].lease;
    assert_int_equal(claim(LEASE_MS, 1), 1); /* the other's, of one of them */
    for (size_t i = 0; i < 2; i++) {
        if (late[i].seq == rows[0].lease.seq) {
            failure.lease = late[i];
        }
    }
    database_must(outbox_store_fail(database(), &failure));
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE attempts = 0"), 2);
    assert_int_equal(claim(LEASE_MS, 2), 1); /* its lease was not cut short */
    database_must(outbox_store_delete(database(), late, 2));
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 2);
    database_must(outbox_store_delete(database(), &rows[0].lease, 1));
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 1);
}

static void the_dead_do_not_block_and_are_not_handed_out(void **state)
{
    struct outbox_failure failure = {.counts = true, .is_dead = true, .reason = STR("400")};

    (void)state;
    append_for("s1");
    append_for("s1");
    assert_int_equal(claim(0, 1), 1);
    failure.lease = rows[0].lease;
    database_must(outbox_store_fail(database(), &failure));
    assert_int_equal(claim(LEASE_MS, 16), 1);
    assert_int_equal(rows[0].lease.seq, failure.lease.seq + 1);
}

static void the_parked_do_not_block_and_are_tried_on(void **state)
{
    struct outbox_failure failure = {.counts = true, .is_parked = true, .reason = STR("500")};

    (void)state;
    append_for("s1");
    append_for("s1");
    append_for("s1");
    assert_int_equal(claim(0, 1), 1);
    failure.lease = rows[0].lease;
    database_must(outbox_store_fail(database(), &failure));
    failure.is_parked = false; /* once parked it stays so */
    database_do("UPDATE outbox SET due_at = now() + interval '1 h' WHERE parked_at IS NULL");
    assert_int_equal(claim(0, 1), 1);
    failure.lease = rows[0].lease;
    database_do("UPDATE outbox SET due_at = now() WHERE parked_at IS NULL");
    database_must(outbox_store_fail(database(), &failure));
    assert_int_equal(claim(LEASE_MS, 16), 2); /* the parked one, and its successor */
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE parked_at IS NOT NULL"), 1);
}

/* As after an operator has revived an older dead letter. */
static void the_parked_do_not_wait_for_older_ones(void **state)
{
    (void)state;
    append_for("s1");
    append_for("s1");
    database_do("UPDATE outbox SET due_at = now() + interval '1 h';"
                "UPDATE outbox SET parked_at = now(), due_at = now()"
                " WHERE seq = (SELECT max(seq) FROM outbox)");
    assert_int_equal(claim(LEASE_MS, 16), 1);
}

static void a_mail_whose_token_is_dead_says_so(void **state)
{
    struct outbox_event mail = event_of("s1");

    (void)state;
    mail.is_ordered = false;
    mail.expires_ms = clock_wall_ms() - 1000;
    append(&mail);
    assert_int_equal(claim(LEASE_MS, 16), 1);
    assert_true(rows[0].is_expired);
}

static void many_are_deleted_at_once(void **state)
{
    struct outbox_lease leases[OUTBOX_CLAIM_MAX];

    (void)state;
    database_do("INSERT INTO outbox (id, subject, type, is_ordered, data)"
                " SELECT gen_random_uuid(), 's' || n, 'user.verified', true, '{}'"
                " FROM generate_series(1, 20) AS n");
    assert_int_equal(claim(LEASE_MS, 16), 16);
    for (size_t i = 0; i < 16; i++) {
        leases[i] = rows[i].lease;
    }
    database_must(outbox_store_delete(database(), leases, 16));
    database_must(outbox_store_delete(database(), leases, 16)); /* gone already: nothing */
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 4);
}

static void the_backlog(void **state)
{
    struct outbox_backlog backlog;

    (void)state;
    database_must(outbox_store_backlog(database(), &backlog));
    assert_true(backlog.pending == 0 && backlog.dead == 0 && backlog.oldest_ms == 0);
    database_do("INSERT INTO outbox (id, subject, type, is_ordered, data, created_at, dead_at)"
                " VALUES (gen_random_uuid(), 's', 't', true, '{}', now() - interval '9 d', now()),"
                " (gen_random_uuid(), 's', 't', true, '{}', now() - interval '60 s', NULL),"
                " (gen_random_uuid(), 's', 't', true, '{}', now(), NULL)");
    database_must(outbox_store_backlog(database(), &backlog));
    assert_int_equal(backlog.pending, 2);
    assert_int_equal(backlog.dead, 1);
    assert_true(backlog.oldest_ms >= 60000 && backlog.oldest_ms < 70000);
}

struct claimer {
    pthread_t thread;
    size_t count;
    int64_t seqs[512];
};

static void *claim_all(void *context)
{
    struct claimer *self = context;
    static _Thread_local unsigned char own[262144];
    struct outbox_batch got = {.count = 1};
    struct pg *pg = pg_new(&test_options);

    while (got.count > 0) {
        struct arena arena;

        arena_init(&arena, own, sizeof(own));
        pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
        if (outbox_store_claim(pg, &arena, LEASE_MS, 3, &got) != OK) {
            abort();
        }
        for (size_t i = 0; i < got.count; i++) {
            self->seqs[self->count++] = got.rows[i].lease.seq;
        }
    }
    pg_free(pg);
    return NULL;
}

/* What one skips because the other has it locked may leave it without a row for a moment, so it is
 * not asked that all are claimed, but that none is twice. */
static void two_claimers_never_have_the_same(void **state)
{
    static struct claimer claimers[2];
    static bool seen[4096];
    int64_t lowest;

    (void)state;
    database_do("INSERT INTO outbox (id, subject, type, is_ordered, data)"
                " SELECT gen_random_uuid(), 's' || n, 'user.verified', true, '{}'"
                " FROM generate_series(1, 500) AS n");
    lowest = database_number("SELECT min(seq) FROM outbox");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&claimers[i].thread, NULL, claim_all, &claimers[i]), 0);
    }
    for (size_t i = 0; i < 2; i++) {
        pthread_join(claimers[i].thread, NULL);
    }
    assert_true(claimers[0].count + claimers[1].count > 400);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < claimers[i].count; j++) {
            const int64_t at = claimers[i].seqs[j] - lowest;

            assert_true(at >= 0 && at < 4096 && !seen[at]);
            seen[at] = true;
        }
    }
}

/* The subject's lock: the one who comes second waits for the first one's commit, so numbers are
 * committed in the order in which they were drawn. */
static void a_later_number_is_not_committed_first(void **state)
{
    struct pg *other = pg_new(&test_options);
    const struct outbox_event event = event_of("s1");
    struct pg_tx tx;

    (void)state;
    database_do("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('s1', 7102))");
    pg_deadline(other, clock_mono_ms() + 200);
    pg_tx_begin(&tx, other);
    outbox_store_append(&tx, &event);
    assert_int_equal(pg_tx_commit(&tx), ERR_UNAVAILABLE); /* it waited until its deadline */
    database_do("COMMIT");
    pg_free(other);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_event_comes_out_as_it_went_in, empty),
        cmocka_unit_test_setup(an_event_without_a_token_reads_empty, empty),
        cmocka_unit_test_setup(only_the_oldest_of_a_subject_is_handed_out, empty),
        cmocka_unit_test_setup(a_head_that_waits_blocks_its_subject_alone, empty),
        cmocka_unit_test_setup(unordered_events_neither_wait_nor_block, empty),
        cmocka_unit_test_setup(a_lease_that_ends_is_handed_out_again, empty),
        cmocka_unit_test_setup(never_more_than_asked_for_and_the_longest_due_first, empty),
        cmocka_unit_test_setup(failures_are_counted_by_kind, empty),
        cmocka_unit_test_setup(the_endpoints_fault_starts_no_clock, empty),
        cmocka_unit_test_setup(who_comes_after_its_lease_changes_nothing, empty),
        cmocka_unit_test_setup(the_dead_do_not_block_and_are_not_handed_out, empty),
        cmocka_unit_test_setup(the_parked_do_not_block_and_are_tried_on, empty),
        cmocka_unit_test_setup(the_parked_do_not_wait_for_older_ones, empty),
        cmocka_unit_test_setup(a_mail_whose_token_is_dead_says_so, empty),
        cmocka_unit_test_setup(many_are_deleted_at_once, empty),
        cmocka_unit_test_setup(the_backlog, empty),
        cmocka_unit_test_setup(two_claimers_never_have_the_same, empty),
        cmocka_unit_test_setup(a_later_number_is_not_committed_first, empty),
    };

    return cmocka_run_group_tests_name("outbox_store", tests, set_up, tear_down);
}
