/* SPDX-License-Identifier: Apache-2.0 */
#include "support/notified.h"

#include "mail_store.h"
#include "mailroom.h"

#define MAILS "SELECT count(*) FROM outbox"
#define REQUESTS "SELECT count(*) FROM mail_requests"

static struct uuid attempt_id;

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE outbox, mail_requests, registrations, users, one_time_tokens, sessions,"
                " mail_counts CASCADE");
    attempt_id = crypto_uuid7(clock_wall_ms());
    return 0;
}

static struct mailroom *mailroom(struct relay *relay)
{
    const struct mailroom_options options = {
        .pg = &test_options,
        .keyring = test_keyring,
        .relay = relay,
    };

    return mailroom_start(&options);
}

static void ask(enum mail_kind kind, const char *email, const char *locale)
{
    const struct mail_request request = {
        .id = crypto_uuid7(clock_wall_ms()),
        .kind = kind,
        .email = str_from(email),
        .email_canonical = str_from(email),
        .locale = str_from(locale),
        .registration_id = attempt_id,
    };
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    mail_store_insert(&tx, &request);
    database_must(pg_tx_commit(&tx));
}

static void attempt(const char *email, const char *locale, const char *expires)
{
    char id[UUID_TEXT_BYTES + 1] = "";
    struct buf buf = buf_over(id, UUID_TEXT_BYTES);
    char sql[512];

    codec_uuid(&buf, attempt_id);
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO registrations (id, user_id, email, email_canonical, password_hash,"
                   " locale, expires_at) VALUES ('%s', gen_random_uuid(), '%s', lower('%s'), 'x',"
                   " nullif('%s', ''), now() + interval '%s')",
                   id, email, email, locale, expires);
    database_do(sql);
}

static void account(const char *email, const char *verified, const char *status)
{
    char sql[512];

    (void)snprintf(
        sql, sizeof(sql),
        "INSERT INTO users (id, email, email_canonical, email_verified_at, password_hash,"
        " locale, status, auth_ver) VALUES (gen_random_uuid(), '%s', lower('%s'), %s,"
        " 'x', 'fr', '%s', 7)",
        email, email, verified, status);
    database_do(sql);
}

/* Runs a mailroom until no request is left. */
static void settle(void)
{
    struct mailroom *room = mailroom(NULL);

    mailroom_wake(room);
    database_await(REQUESTS, 0);
    mailroom_stop(room);
}

static void an_attempt_gets_its_link(void **state)
{
    (void)state;
    attempt("Ann@b.de", "de", "1 h");
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    settle();
    assert_int_equal(database_number(MAILS), 1);
    assert_int_equal(
        database_number("SELECT count(*) FROM outbox o JOIN registrations r ON o.token_id = r.id"
                        " WHERE o.type = 'user.verification_requested' AND NOT o.is_ordered"
                        " AND o.subject = r.user_id::text AND o.token_purpose = 'registration'"
                        " AND o.token_kid = 'k1'"
                        " AND date_trunc('milliseconds', r.expires_at) = o.expires_at"
                        " AND o.data::jsonb = '{\"email\":\"Ann@b.de\",\"locale\":\"de\"}'"),
        1);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
}

static void the_requests_locale_comes_first(void **state)
{
    (void)state;
    attempt("ann@b.de", "de", "1 h");
    ask(MAIL_REGISTRATION, "ann@b.de", "it");
    settle();
    assert_int_equal(
        database_number("SELECT count(*) FROM outbox WHERE data::jsonb->>'locale' = 'it'"), 1);
}

static void an_owner_is_told_at_the_address_as_stored(void **state)
{
    (void)state;
    account("Ann@b.de", "now()", "active");
    attempt("ann@B.DE", "de", "1 h");
    ask(MAIL_REGISTRATION, "ann@b.de", "de");
    settle();
    assert_int_equal(database_number(MAILS), 1);
    assert_int_equal(
        database_number("SELECT count(*) FROM outbox o JOIN users u ON o.subject = u.id::text"
                        " WHERE o.type = 'user.registration_repeated' AND NOT o.is_ordered"
                        " AND o.token_kid IS NULL"
                        " AND o.expires_at BETWEEN now() + interval '23 h 59 min'"
                        " AND now() + interval '24 h 1 min'"
                        " AND o.data::jsonb = '{\"email\":\"Ann@b.de\",\"locale\":\"fr\"}'"),
        1);
}

static void an_imported_owner_keeps_its_subject(void **state)
{
    (void)state;
    account("ann@b.de", "now()", "active");
    database_do("UPDATE users SET subject = 'old-17'");
    attempt("ann@b.de", "", "1 h");
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    settle();
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE subject = 'old-17'"), 1);
}

static void an_attempt_that_expired_is_silent(void **state)
{
    (void)state;
    attempt("ann@b.de", "de", "-1 s");
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    ask(MAIL_VERIFICATION, "ann@b.de", "");
    settle();
    assert_int_equal(database_number(MAILS), 0);
}

static void an_unverified_account_gets_a_token_of_its_own(void **state)
{
    (void)state;
    account("Ann@b.de", "NULL", "active");
    attempt("ann@b.de", "de", "1 h"); /* of somebody else: not the account's */
    ask(MAIL_VERIFICATION, "ann@b.de", "");
    settle();
    assert_int_equal(database_number(MAILS), 1);
    assert_int_equal(
        database_number("SELECT count(*) FROM outbox o JOIN one_time_tokens t ON o.token_id = t.id"
                        " JOIN users u ON u.id = t.user_id"
                        " WHERE o.type = 'user.verification_requested' AND NOT o.is_ordered"
                        " AND o.subject = u.id::text AND o.token_purpose = 'verification'"
                        " AND t.purpose = 'verification' AND t.auth_ver = 7"
                        " AND o.expires_at = t.expires_at"
                        " AND t.expires_at BETWEEN now() + interval '23 h 59 min'"
                        " AND now() + interval '24 h 1 min'"
                        " AND o.data::jsonb = '{\"email\":\"Ann@b.de\",\"locale\":\"fr\"}'"),
        1);
}

static void who_needs_no_link_gets_none(void **state)
{
    (void)state;
    account("ann@b.de", "now()", "active");
    account("bob@b.de", "NULL", "disabled");
    ask(MAIL_VERIFICATION, "ann@b.de", "");
    ask(MAIL_VERIFICATION, "bob@b.de", "");
    ask(MAIL_VERIFICATION, "nobody@b.de", "");
    settle();
    assert_int_equal(database_number(MAILS), 0);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
}

/* Verified or not; in the account's own language, since anybody may have asked. */
static void an_active_account_gets_a_reset(void **state)
{
    static const char *const verified[] = {"now()", "NULL"};

    for (size_t i = 0; i < 2; i++) {
        (void)empty(state);
        account("Ann@b.de", verified[i], "active");
        ask(MAIL_PASSWORD_RESET, "ann@b.de", "it");
        settle();
        assert_int_equal(database_number(MAILS), 1);
        assert_int_equal(
            database_number(
                "SELECT count(*) FROM outbox o JOIN users u ON o.subject = u.id::text"
                " JOIN one_time_tokens t ON t.id = o.token_id AND t.user_id = u.id"
                " WHERE o.type = 'user.password_reset_requested' AND NOT o.is_ordered"
                " AND o.token_kid = 'k1' AND o.token_purpose = 'reset' AND t.purpose = 'reset'"
                " AND t.auth_ver = 7 AND t.expires_at = o.expires_at"
                " AND t.expires_at BETWEEN now() + interval '59 min' AND now() + interval '61 min'"
                " AND o.data::jsonb = '{\"email\":\"Ann@b.de\",\"locale\":\"fr\"}'"),
            1);
    }
}

static void who_has_no_active_account_gets_no_reset(void **state)
{
    (void)state;
    account("ann@b.de", "now()", "disabled");
    attempt("pending@b.de", "de", "1 h");
    ask(MAIL_PASSWORD_RESET, "ann@b.de", "");
    ask(MAIL_PASSWORD_RESET, "pending@b.de", "");
    ask(MAIL_PASSWORD_RESET, "nobody@b.de", "");
    settle();
    assert_int_equal(database_number(MAILS), 0);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
}

static void a_resend_is_for_the_newest_attempt(void **state)
{
    (void)state;
    attempt("ann@b.de", "de", "1 h");
    attempt_id = crypto_uuid7(clock_wall_ms() + 1000);
    attempt("ann@b.de", "it", "1 h");
    attempt_id = crypto_uuid7(clock_wall_ms() + 2000);
    attempt("ann@b.de", "pl", "-1 h"); /* newer, and dead */
    ask(MAIL_VERIFICATION, "ann@b.de", "");
    settle();
    assert_int_equal(database_number(MAILS), 1);
    assert_int_equal(
        database_number("SELECT count(*) FROM outbox o JOIN registrations r ON o.token_id = r.id"
                        " WHERE r.locale = 'it' AND o.token_purpose = 'registration'"),
        1);
}

static void several_mailrooms_write_each_mail_once(void **state)
{
    struct mailroom *rooms[3];

    (void)state;
    database_do("WITH made AS (INSERT INTO registrations (id, user_id, email, email_canonical,"
                " password_hash, expires_at) SELECT gen_random_uuid(), gen_random_uuid(),"
                " 'u' || n || '@b.de', 'u' || n || '@b.de', 'x', now() + interval '1 h'"
                " FROM generate_series(1, 300) AS n RETURNING id, email)"
                " INSERT INTO mail_requests (id, kind, email, email_canonical, registration_id)"
                " SELECT gen_random_uuid(), 'registration', email, email, id FROM made");
    for (size_t i = 0; i < 3; i++) {
        rooms[i] = mailroom(NULL);
    }
    database_await(REQUESTS, 0);
    for (size_t i = 0; i < 3; i++) {
        mailroom_stop(rooms[i]);
    }
    assert_int_equal(database_number(MAILS), 300);
    assert_int_equal(database_number("SELECT count(DISTINCT token_id) FROM outbox"), 300);
}

static void ask_often(int count, const char *kind, const char *email)
{
    char sql[512];

    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO mail_requests (id, kind, email, email_canonical)"
                   " SELECT ('0190aaaa-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, '%s',"
                   " '%s', '%s' FROM generate_series(1, %d) AS n",
                   kind, email, email, count);
    database_do(sql);
}

/* A flood for one address holds up nobody, and is not passed on. */
static void of_many_requests_for_an_address_few_are_answered(void **state)
{
    (void)state;
    account("ann@b.de", "NULL", "active");
    account("bob@b.de", "NULL", "active");
    ask_often(2000, "verification", "ann@b.de");
    ask(MAIL_VERIFICATION, "bob@b.de", "");
    ask(MAIL_REGISTRATION, "ann@b.de", ""); /* another kind, and still too much */
    settle();
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data LIKE '%bob@%'"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data LIKE '%ann@%'"),
                     MAIL_HOUR_MAX);
}

static void three_requests_for_an_address_are_no_flood(void **state)
{
    (void)state;
    account("ann@b.de", "NULL", "active");
    ask_often(3, "verification", "ann@b.de");
    settle();
    assert_int_equal(database_number(MAILS), 3);
}

/* Two with the same request (a lease that ended too early): the second one's mail is undone. */
static void of_two_answers_one_is_undone(void **state)
{
    static unsigned char memory[65536];
    struct mail_batch batch;
    struct arena arena;
    struct pg_tx tx;

    (void)state;
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    arena_init(&arena, memory, sizeof(memory));
    database_must(mail_store_claim(database(), &arena, 60000, &batch));
    for (int i = 0; i < 2; i++) {
        const struct outbox_event event = {.id = crypto_uuid4(),
                                           .subject = STR("s1"),
                                           .type = STR("user.verification_requested"),
                                           .data = STR("{}")};

        pg_tx_begin(&tx, database());
        outbox_store_insert(&tx, &event);
        mail_store_take(&tx, batch.requests[0].id);
        assert_int_equal(pg_tx_commit(&tx), i == 0 ? OK : ERR_NO_MATCH);
    }
    assert_int_equal(database_number(MAILS), 1);
}

/* Between look-up and commit the account changed: nothing is written to an address that is not its. */
static void a_mail_to_an_account_that_changed_is_refused(void **state)
{
    static unsigned char memory[65536];
    struct mail_account found;
    struct outbox_event event = {.type = STR("user.verification_requested"), .data = STR("{}")};
    static const char *const changes[] = {
        "UPDATE users SET email = 'other@b.de'", "UPDATE users SET email_verified_at = now()",
        "UPDATE users SET status = 'disabled'", "DELETE FROM users"};

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct arena arena;
        struct pg_tx tx;

        database_do("TRUNCATE users CASCADE");
        account("ann@b.de", "NULL", "active");
        arena_init(&arena, memory, sizeof(memory));
        database_must(mail_store_account(database(), &arena, STR("ann@b.de"), &found));
        database_do(changes[i]);
        event.id = crypto_uuid4();
        event.subject = found.sub;
        pg_tx_begin(&tx, database());
        mail_store_token(&tx, &found, crypto_uuid7(clock_wall_ms()), STR("verification"),
                         clock_wall_ms());
        mail_store_write(&tx, &found, &event);
        assert_int_equal(pg_tx_commit(&tx), ERR_NO_MATCH);
    }
    assert_int_equal(database_number(MAILS), 0);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
}

/* A trigger plays whatever may go wrong in the database. */
static void what_cannot_be_answered_is_put_back(void **state)
{
    struct mailroom *room = mailroom(NULL);

    (void)state;
    attempt("ann@b.de", "de", "1 h");
    database_do("CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE EXCEPTION 'no'; END $$;"
                " CREATE TRIGGER refuse BEFORE INSERT ON outbox EXECUTE FUNCTION refuse()");
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    mailroom_wake(room);
    database_await("SELECT count(*) FROM mail_requests WHERE attempts > 1", 1);
    database_do("DROP FUNCTION refuse CASCADE");
    database_await(REQUESTS, 0);
    mailroom_stop(room);
    assert_int_equal(database_number(MAILS), 1);
}

static void a_connection_that_is_cut_costs_nothing(void **state)
{
    struct mailroom *room = mailroom(NULL);
    char email[32];

    (void)state;
    for (int round = 0; round < 20; round++) {
        attempt_id = crypto_uuid7(clock_wall_ms());
        (void)snprintf(email, sizeof(email), "u%d@b.de", round);
        attempt(email, "de", "1 h");
        ask(MAIL_REGISTRATION, email, "");
        mailroom_wake(room);
        database_do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE application_name = 'test' AND pid <> pg_backend_pid()");
    }
    database_do("UPDATE mail_requests SET due_at = now()"); /* claimed, but the answer was cut */
    mailroom_wake(room);
    database_await(REQUESTS, 0);
    mailroom_stop(room);
    assert_int_equal(database_number(MAILS), 20);
    assert_int_equal(database_number("SELECT count(DISTINCT token_id) FROM outbox"), 20);
}

static void a_lease_that_ends_is_taken_over(void **state)
{
    static unsigned char memory[65536];
    struct mail_batch batch;
    struct arena arena;

    (void)state;
    attempt("ann@b.de", "de", "1 h");
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    arena_init(&arena, memory, sizeof(memory));
    database_must(mail_store_claim(database(), &arena, 300, &batch));
    assert_int_equal(batch.count, 1);
    settle();
    assert_int_equal(database_number(MAILS), 1);
}

static void the_relay_is_woken(void **state)
{
    struct receiver *receiver = receiver_start(0, notified_ok, NULL);
    struct relay *relay = notified_relay(receiver->url);
    struct mailroom *room = mailroom(relay);
    char value[256];

    (void)state;
    attempt("ann@b.de", "de", "1 h");
    ask(MAIL_REGISTRATION, "ann@b.de", "");
    mailroom_wake(room);
    receiver_await(receiver, 1);
    assert_string_equal(received_member(&receiver->requests[0], "type", value, sizeof(value)),
                        "com.mallhive.user.verification_requested.v1");
    assert_string_equal(received_member(&receiver->requests[0], "email", value, sizeof(value)),
                        "ann@b.de");
    mailroom_stop(room);
    mailroom_stop(NULL);
    relay_stop(relay);
    receiver_stop(receiver);
}

static int set_up(void **state)
{
    (void)state;
    notified_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    notified_stop();
    return 0;
}

#define COUNTED "SELECT coalesce(sum(cardinality(sent)), 0)::bigint FROM mail_counts"

/* Three an hour and ten a day over all kinds; what is too much is gone without a word. */
static void mails_that_anybody_may_ask_for_are_few(void **state)
{
    (void)state;
    account("ann@b.de", "NULL", "active");
    account("eve@b.de", "now()", "active");
    for (int hour = 0; hour < 4; hour++) {
        const int64_t before = database_number(MAILS);

        for (int i = 0; i < 2; i++) {
            ask(MAIL_PASSWORD_RESET, "ann@b.de", "");
            ask(MAIL_VERIFICATION, "ann@b.de", "");
            settle();
        }
        ask(MAIL_REGISTRATION, "ann@b.de", "");
        settle();
        assert_int_equal(database_number(MAILS) - before, hour < 3 ? 3 : 1);
        database_do("UPDATE mail_counts SET sent ="
                    " ARRAY(SELECT s - interval '61 min' FROM unnest(sent) AS s)");
    }
    assert_int_equal(database_number(COUNTED), 10);
    ask(MAIL_PASSWORD_RESET, "eve@b.de", ""); /* another address */
    settle();
    assert_int_equal(database_number(COUNTED), 11);
    database_do("UPDATE mail_counts SET sent ="
                " ARRAY(SELECT s - interval '20 h 30 min' FROM unnest(sent) AS s)");
    ask(MAIL_PASSWORD_RESET, "ann@b.de", ""); /* the oldest are a day old */
    settle();
    assert_int_equal(database_number(MAILS), 12);
    /* No token was made for what was not sent. */
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens t WHERE NOT EXISTS"
                                     " (SELECT FROM outbox o WHERE o.token_id = t.id)"),
                     0);
}

/* Nobody's address gets no mail, and nothing is kept of it. */
static void what_leads_to_no_mail_does_not_count(void **state)
{
    (void)state;
    account("ann@b.de", "now()", "active");
    ask(MAIL_PASSWORD_RESET, "nobody@b.de", "");
    ask(MAIL_VERIFICATION, "ann@b.de", "");
    settle();
    assert_int_equal(database_number(COUNTED), 0);
}

/* Of nine requests before two mailrooms three are answered. */
static void two_mailrooms_count_together(void **state)
{
    struct mailroom *rooms[2];

    (void)state;
    account("ann@b.de", "NULL", "active");
    for (int i = 0; i < 3; i++) {
        ask(MAIL_PASSWORD_RESET, "ann@b.de", "");
        ask(MAIL_VERIFICATION, "ann@b.de", "");
        ask(MAIL_REGISTRATION, "ann@b.de", "");
    }
    for (int i = 0; i < 2; i++) {
        rooms[i] = mailroom(NULL);
        mailroom_wake(rooms[i]);
    }
    database_await(REQUESTS, 0);
    for (int i = 0; i < 2; i++) {
        mailroom_stop(rooms[i]);
    }
    assert_int_equal(database_number(MAILS), 3);
    assert_int_equal(database_number(COUNTED), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(an_attempt_gets_its_link, empty),
        cmocka_unit_test_setup(the_requests_locale_comes_first, empty),
        cmocka_unit_test_setup(an_owner_is_told_at_the_address_as_stored, empty),
        cmocka_unit_test_setup(an_imported_owner_keeps_its_subject, empty),
        cmocka_unit_test_setup(an_attempt_that_expired_is_silent, empty),
        cmocka_unit_test_setup(an_unverified_account_gets_a_token_of_its_own, empty),
        cmocka_unit_test_setup(who_needs_no_link_gets_none, empty),
        cmocka_unit_test_setup(an_active_account_gets_a_reset, empty),
        cmocka_unit_test_setup(who_has_no_active_account_gets_no_reset, empty),
        cmocka_unit_test_setup(a_resend_is_for_the_newest_attempt, empty),
        cmocka_unit_test_setup(several_mailrooms_write_each_mail_once, empty),
        cmocka_unit_test_setup(of_many_requests_for_an_address_few_are_answered, empty),
        cmocka_unit_test_setup(three_requests_for_an_address_are_no_flood, empty),
        cmocka_unit_test_setup(of_two_answers_one_is_undone, empty),
        cmocka_unit_test_setup(a_mail_to_an_account_that_changed_is_refused, empty),
        cmocka_unit_test_setup(what_cannot_be_answered_is_put_back, empty),
        cmocka_unit_test_setup(a_connection_that_is_cut_costs_nothing, empty),
        cmocka_unit_test_setup(a_lease_that_ends_is_taken_over, empty),
        cmocka_unit_test_setup(the_relay_is_woken, empty),
        cmocka_unit_test_setup(mails_that_anybody_may_ask_for_are_few, empty),
        cmocka_unit_test_setup(what_leads_to_no_mail_does_not_count, empty),
        cmocka_unit_test_setup(two_mailrooms_count_together, empty),
    };

    return cmocka_run_group_tests_name("mailroom", tests, set_up, tear_down);
}
