/* SPDX-License-Identifier: Apache-2.0 */
/* Registration, and its confirmation. */
#include "support/journey.h"

static void a_registration_is_an_attempt_and_a_mail(void **state)
{
    struct work work = account_work();

    (void)state;
    database_must(try_register("Ada@Example.com", good_password, &work));
    assert_true(work.has_events);
    assert_int_equal(
        database_number("SELECT count(*) FROM registrations r JOIN mail_requests m"
                        " ON m.registration_id = r.id AND m.kind = 'registration'"
                        " WHERE r.email = 'Ada@Example.com' AND r.email_canonical ="
                        " 'ada@example.com' AND m.email = r.email AND m.email_canonical ="
                        " r.email_canonical AND m.locale = 'de-AT' AND r.name = 'Ada'"
                        " AND r.locale = 'de-AT' AND r.pepper_kid = 'k1'"
                        " AND r.password_hash LIKE '$argon2id$%'"
                        " AND r.expires_at BETWEEN clock_timestamp() + interval '3590 s'"
                        " AND clock_timestamp() + interval '3601 s'"),
        1);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
}

/* The same statements, whoever is asked about: what differs is the mailroom's affair. */
static void a_known_address_registers_alike(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    database_do("TRUNCATE registrations, mail_requests, outbox");
    (void)start_registration("ada@example.com", other_password);
    (void)start_registration("eve@example.com", other_password);
    assert_int_equal(database_number("SELECT count(*) FROM registrations"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(login("ada@example.com", good_password), OK); /* nothing has changed */
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
}

static void a_resend_is_one_row_alike(void **state)
{
    static const char *const emails[] = {"ada@example.com", "nobody@example.com"};

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("TRUNCATE mail_requests, outbox");
    for (size_t i = 0; i < 2; i++) {
        struct email email = address(emails[i]);
        struct work work = account_work();

        database_must(account_resend(&account_service, &work, &email));
        assert_true(work.has_events);
    }
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests WHERE kind ="
                                     " 'verification' AND registration_id IS NULL"
                                     " AND locale IS NULL"),
                     2);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
}

static void a_confirmation_makes_the_account(void **state)
{
    struct uuid id = start_registration("Ada@Example.com", good_password);
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    assert_int_equal(account_number("SELECT count(*) FROM users"), 0);
    database_must(try_confirm(token_of(ONETIME_REGISTRATION, id), good_password, &grant));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_true(uuid_equal(claims.sid, grant.session_id));
    assert_int_equal(
        database_number("SELECT count(*) FROM users u JOIN sessions s ON s.user_id = u.id"
                        " WHERE u.email = 'Ada@Example.com' AND u.email_canonical ="
                        " 'ada@example.com' AND u.email_verified_at IS NOT NULL"
                        " AND u.name = 'Ada' AND u.locale = 'de-AT' AND u.roles = '{}'"
                        " AND u.status = 'active' AND u.auth_ver = 1 AND u.subject IS NULL"
                        " AND s.auth_ver = 1 AND s.ip = '192.0.2.7' AND s.user_agent = 'test/1'"),
        1);
    assert_int_equal(database_number("SELECT count(*) FROM registrations"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox o JOIN users u"
                                     " ON o.subject = u.id::text WHERE o.type ="
                                     " 'user.registered' AND o.data::json->>'email' = u.email"
                                     " AND o.data::json->>'email_verified' = 'true'"),
                     1);
    assert_int_equal(login("ada@example.com", good_password), OK);
}

/* The id that the mail spoke of is the one that the account gets. */
static void the_account_has_the_id_of_the_attempt(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);
    int64_t same;

    (void)state;
    database_do("CREATE TABLE kept AS SELECT user_id FROM registrations");
    database_must(confirm(token_of(ONETIME_REGISTRATION, id), good_password));
    same = database_number("SELECT count(*) FROM users u JOIN kept k ON k.user_id = u.id");
    database_do("DROP TABLE kept");
    assert_int_equal(same, 1);
}

static void a_wrong_password_leaves_the_token_usable(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);
    struct str token = token_of(ONETIME_REGISTRATION, id);

    (void)state;
    assert_int_equal(confirm(token, other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
    assert_int_equal(confirm(token, good_password), OK);
}

static void a_token_is_used_once(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);
    struct str token = token_of(ONETIME_REGISTRATION, id);

    (void)state;
    assert_int_equal(confirm(token, good_password), OK);
    assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
    assert_int_equal(confirm(token, other_password), ERR_INVALID_TOKEN);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.registered'"),
                     1);
}

static void an_attempt_expires(void **state)
{
    struct uuid id = start_registration("ada@example.com", good_password);

    (void)state;
    database_do("UPDATE registrations SET expires_at = clock_timestamp() - interval '1 s'");
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), good_password), ERR_INVALID_TOKEN);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
}

static void what_is_no_token_confirms_nothing(void **state)
{
    static const struct str bad[] = {STR(""), STR("x"), STR("ot1.k1.registration.x.y"),
                                     STR("ot1.k9.registration.01890a5d-ac96-774b-bcce-b302099a8057."
                                         "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")};
    struct uuid id = start_registration("ada@example.com", good_password);
    struct uuid unknown = id;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(confirm(bad[i], good_password), ERR_INVALID_TOKEN);
    }
    unknown.bytes[15] ^= 1;
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, unknown), good_password),
                     ERR_INVALID_TOKEN);
    /* a genuine token of another purpose with the same id: its row is in another table */
    assert_int_equal(confirm(token_of(ONETIME_VERIFICATION, id), good_password), ERR_INVALID_TOKEN);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 0);
}

/* An attacker registers the victim's address first; the victim's click and password make the
 * victim's account, and the attacker's password is worth nothing. */
static void each_attempt_has_its_own_password(void **state)
{
    struct uuid attacker = start_registration("ada@example.com", other_password);
    struct uuid victim = start_registration("ada@example.com", good_password);

    (void)state;
    /* the victim clicks the attacker's mail and gives the password that they chose */
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, attacker), good_password),
                     ERR_INVALID_CREDENTIALS);
    /* the attacker has their password but no mail: they would need this token */
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, victim), other_password),
                     ERR_INVALID_CREDENTIALS);
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, victim), good_password), OK);
    assert_int_equal(login("ada@example.com", good_password), OK);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    /* the attempt that is left makes no second account and changes nothing of the first */
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, attacker), other_password),
                     ERR_INVALID_TOKEN);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.registered'"),
                     1);
}

static void events_that_nobody_wants_are_not_written(void **state)
{
    (void)state;
    account_service.published = 0;
    account_sessions.published = 0;
    make_account("ada@example.com", good_password);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests"), 1); /* no choice */
}

/* Texts of an attacker are data wherever they go. */
static void texts_are_data(void **state)
{
    struct account_registration in = {
        .email = address("o'brien!#$%&*+-/=?^_`{|}~@example.com"),
        .password = STR("'; DROP TABLE users; -- and more"),
        .name = STR("\"'\\{}$1%s\xf0\x9f\x94\x91"),
        .locale = STR("de"),
    };
    struct work work = account_work();

    (void)state;
    database_must(account_register(&account_service, &work, &in));
    database_must(confirm(token_of(ONETIME_REGISTRATION, newest_attempt()), in.password));
    assert_int_equal(database_number("SELECT count(*) FROM outbox o JOIN users u ON o.subject ="
                                     " u.id::text WHERE type = 'user.registered' AND u.name ="
                                     " data::json->>'name' AND u.email = data::json->>'email'"
                                     " AND u.name = E'\"''\\\\{}$1%s\\U0001F511'"),
                     1);
}

/* Whatever the arena has room for: all of a change or nothing of it. */
static void a_full_arena_changes_nothing(void **state)
{
    static unsigned char memory[65536];
    struct account_registration in = {
        .email = address("ada@example.com"),
        .password = good_password,
        .name = STR("Ada"),
        .locale = STR("de"),
    };
    bool fitted = false;

    (void)state;
    for (size_t bytes = 64; bytes < sizeof(memory) && !fitted; bytes += 97) {
        struct arena arena;
        struct work work = {.pg = database(), .hasher = account_hasher, .arena = &arena};
        struct user_profile profile;
        enum error error;

        arena_init(&arena, memory, bytes);
        error = account_create(&account_service, &work, &in, &profile);
        assert_true(error == OK || error == ERR_NO_SPACE);
        fitted = error == OK;
        assert_int_equal(work.has_events, fitted);
    }
    assert_true(fitted);
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(login("ada@example.com", good_password), ERR_EMAIL_UNVERIFIED);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data::json->>'email' ="
                                     " 'ada@example.com'"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(a_registration_is_an_attempt_and_a_mail),
        JOURNEY(a_known_address_registers_alike),
        JOURNEY(a_resend_is_one_row_alike),
        JOURNEY(a_confirmation_makes_the_account),
        JOURNEY(the_account_has_the_id_of_the_attempt),
        JOURNEY(a_wrong_password_leaves_the_token_usable),
        JOURNEY(a_token_is_used_once),
        JOURNEY(an_attempt_expires),
        JOURNEY(what_is_no_token_confirms_nothing),
        JOURNEY(each_attempt_has_its_own_password),
        JOURNEY(events_that_nobody_wants_are_not_written),
        JOURNEY(texts_are_data),
        JOURNEY(a_full_arena_changes_nothing),
    };

    return cmocka_run_group_tests_name("account", tests, journey_start, journey_stop);
}
