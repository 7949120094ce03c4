/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords that are hashed anew, changed and reset. */
#include "support/credentials.h"

#define BCRYPT "$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS"
#define ARGON2                                                                                     \
    "$argon2id$v=19$m=19456,t=2,p=4$MDEyMzQ1Njc4OWFiY2RlZg$"                                       \
    "KVornnpsyOfSSpMmKG4pySYD6NnHGoRAFH3rz8DwR3U"

/* One at the cost in force, with the current pepper. */
static int64_t present_hashes(void)
{
    return database_number("SELECT count(*) FROM users WHERE pepper_kid = 'k1' AND password_hash"
                           " LIKE '$argon2id$v=19$m=64,t=1,p=1$%' AND auth_ver = 1");
}

static void an_imported_hash_is_made_a_present_one_by_the_login(void **state)
{
    static const char *const imported[] = {BCRYPT, ARGON2};

    (void)state;
    make_account("ada@example.com", good_password);
    for (size_t i = 0; i < sizeof(imported) / sizeof(imported[0]); i++) {
        account_do("UPDATE users SET pepper_kid = NULL, password_hash = '%s'", imported[i]);
        assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
        assert_int_equal(present_hashes(), 0);
        assert_int_equal(login("ada@example.com", good_password), OK);
        assert_int_equal(present_hashes(), 1);
        assert_int_equal(login("ada@example.com", good_password), OK);
        assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(live_sessions(), 5); /* none has ended */
}

static void another_cost_or_pepper_makes_the_hash_anew(void **state)
{
    struct password_hasher *before = account_hasher;
    struct password_hasher *costlier =
        password_hasher_new((struct password_hash_cost){.memory_kib = 128, .passes = 2});

    (void)state;
    make_account("ada@example.com", good_password);
    account_hasher = costlier;
    assert_int_equal(login("ada@example.com", good_password), OK);
    account_hasher = before;
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE password_hash LIKE"
                                     " '$argon2id$v=19$m=128,t=2,p=1$%'"),
                     1);
    password_hasher_free(costlier);
    assert_int_equal(login("ada@example.com", good_password), OK);
    assert_int_equal(present_hashes(), 1);
    account_passwords.peppered = false;
    assert_int_equal(login("ada@example.com", good_password), OK);
    account_passwords.peppered = true;
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE pepper_kid = '.'"), 1);
    assert_int_equal(login("ada@example.com", good_password), OK);
    assert_int_equal(present_hashes(), 1);
}

static void a_present_hash_is_left_alone(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    database_do("CREATE OR REPLACE FUNCTION forbid() RETURNS trigger LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'no'; END $$;"
                "CREATE TRIGGER forbid BEFORE UPDATE ON users EXECUTE FUNCTION forbid()");
    assert_int_equal(login("ada@example.com", good_password), OK);
    /* And where it is not one, a failure is the login's no matter. */
    database_do("ALTER TABLE users DISABLE TRIGGER forbid");
    database_do("UPDATE users SET pepper_kid = NULL, password_hash = '" BCRYPT "'");
    database_do("ALTER TABLE users ENABLE TRIGGER forbid");
    assert_int_equal(login("ada@example.com", good_password), OK);
    database_do("DROP TRIGGER forbid ON users");
    assert_int_equal(present_hashes(), 0);
}

/* By this replica, as soon as the change is acknowledged. */
static bool is_known_as_revoked(const struct token_claims *claims)
{
    const struct revocation_query query = {claims->sid, claims->sub, claims->auth_ver};

    return revocation_judge(account_revocations, &query) == REVOCATION_FOUND;
}

/* Rows of the trail about the one user there is. */
static int64_t audited(const char *reason)
{
    return account_number("SELECT count(*) FROM audit a JOIN users u ON a.subject = u.id::text"
                          " WHERE a.type = 'user.password_changed' AND a.actor = a.subject"
                          " AND a.request_id = 'r-1' AND a.network = '192.0.2.7'"
                          " AND a.reason = '%s'",
                          reason);
}

static void a_change_ends_every_session_and_starts_one(void **state)
{
    struct session_grant before;
    struct session_grant after;
    struct token_claims claims;
    static struct revocation_moment moment;

    (void)state;
    revocation_store_beginning(&moment);
    revocation_set_moment(account_revocations, &moment); /* as if the feed had read */
    make_account("ada@example.com", good_password);
    database_must(try_login("ada@example.com", good_password, &before));
    claims = claims_of(&before);
    assert_false(is_known_as_revoked(&claims));
    assert_int_equal(live_sessions(), 2);
    database_must(try_change(&claims, good_password, &after));
    assert_false(uuid_equal(after.session_id, claims.sid));
    assert_true(is_known_as_revoked(&claims));
    assert_int_equal(claims_of(&after).auth_ver, 2);
    assert_int_equal(database_number("SELECT count(*) FROM revocations r JOIN users u"
                                     " ON r.subject = u.id::text WHERE r.min_auth_ver = 2"),
                     1);
    assert_int_equal(audited("changed"), 1);
    assert_int_equal(live_sessions(), 1);
    assert_int_equal(outdated_sessions(), 0);
    assert_int_equal(events_of("session.revoked"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'session.revoked'"
                                     " AND data::json->>'reason' = 'password_changed'"),
                     2);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"
                                     " WHERE type = 'user.password_changed' AND is_ordered"
                                     " AND data::json->>'email' = 'ada@example.com'"
                                     " AND data::json->>'locale' = 'de-AT'"
                                     " AND data::json->>'reason' = 'changed'"),
                     1);
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", new_password), OK);
    assert_int_equal(try_change(&claims, new_password, &after), ERR_UNAUTHENTICATED);
}

/* An expired session ended by itself: nobody is told. */
static void what_has_expired_is_not_told(void **state)
{
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE sessions SET idle_expires_at = clock_timestamp() - interval '1 s'");
    database_must(try_login("ada@example.com", good_password, &grant));
    claims = claims_of(&grant);
    account_sessions.published = 0;
    account_service.published = ~EVENT_BIT(EVENT_USER_PASSWORD_CHANGED);
    database_must(try_change(&claims, good_password, &grant));
    assert_int_equal(events_of("session.revoked"), 1);
    assert_int_equal(events_of("user.password_changed"), 0);
    claims = claims_of(&grant);
    account_service.published = 0;
    database_must(try_change(&claims, new_password, &grant));
    assert_int_equal(events_of("session.revoked"), 1);
}

static void a_change_needs_the_current_password_and_a_good_one(void **state)
{
    struct session_grant grant;
    struct token_claims claims;
    struct credential_password_change in = {.current_password = good_password, .origin = origin};
    static const struct str refused[] = {STR("short"), STR("1qaz2wsx3edc4rfv"),
                                         STR("ADA@example.com 1815")};

    (void)state;
    make_account("ada@example.com", good_password);
    database_must(try_login("ada@example.com", good_password, &grant));
    claims = claims_of(&grant);
    in.claims = &claims;
    assert_int_equal(try_change(&claims, other_password, &grant), ERR_INVALID_CREDENTIALS);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct work work = account_work();

        in.new_password = refused[i];
        credential_findings.count = 0;
        assert_int_equal(
            credential_change(&account_service, &work, &in, &credential_findings, &grant),
            ERR_VALIDATION);
        assert_int_equal(credential_findings.count, 1);
        assert_str_equal(credential_findings.items[0].pointer, STR("/new_password"));
    }
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 1);
    assert_int_equal(live_sessions(), 2);
    assert_int_equal(events_of("user.password_changed"), 0);
}

static void a_session_that_does_not_count_changes_nothing(void **state)
{
    static const char *const ends[] = {
        "UPDATE sessions SET revoked_at = clock_timestamp()",
        "UPDATE sessions SET idle_expires_at = clock_timestamp()",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET auth_ver = 2",
        "DELETE FROM sessions",
    };
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        account_reset();
        make_account("ada@example.com", good_password);
        database_must(try_login("ada@example.com", good_password, &grant));
        claims = claims_of(&grant);
        database_do(ends[i]);
        assert_int_equal(try_change(&claims, good_password, &grant), ERR_UNAUTHENTICATED);
        assert_int_equal(events_of("user.password_changed"), 0);
    }
}

static void asking_for_a_reset_is_one_insert(void **state)
{
    static const char *const who[] = {"ada@example.com", "nobody@example.com"};

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("TRUNCATE mail_requests, outbox");
    for (size_t i = 0; i < 2; i++) {
        struct email email = address(who[i]);
        struct work work = account_work();

        database_must(credential_ask_reset(&account_service, &work, &email));
        assert_true(work.has_events);
    }
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests WHERE kind ="
                                     " 'password_reset' AND locale IS NULL AND registration_id"
                                     " IS NULL"),
                     2);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
}

static void a_reset_sets_the_password_and_ends_every_session(void **state)
{
    struct str token;

    (void)state;
    make_account("ada@example.com", good_password);
    token = token_of(ONETIME_RESET, mailed_reset(1));
    database_must(try_reset(token, new_password));
    assert_int_equal(live_sessions(), 0);
    assert_int_equal(audited("reset"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM revocations r JOIN users u"
                                     " ON r.subject = u.id::text WHERE r.min_auth_ver = 2"),
                     1);
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                     " 'user.password_changed'"
                                     " AND data::json->>'reason' = 'reset'"),
                     1);
    assert_int_equal(events_of("session.revoked"), 1);
    assert_int_equal(events_of("user.verified"), 0);
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", new_password), OK);
    assert_int_equal(try_reset(token, other_password), ERR_INVALID_TOKEN);
    assert_int_equal(login("ada@example.com", new_password), OK);
}

/* Who made the account with somebody else's address has lost it. */
static void a_reset_verifies_the_address(void **state)
{
    struct user_profile profile;

    (void)state;
    account_service.verification_required = false;
    database_must(try_create("ada@example.com", &profile));
    assert_int_equal(login("ada@example.com", good_password), OK);
    database_must(try_reset(token_of(ONETIME_RESET, mailed_reset(1)), new_password));
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at"
                                     " IS NOT NULL"),
                     1);
    assert_int_equal(events_of("user.verified"), 1);
    assert_int_equal(live_sessions(), 0);
    account_service.verification_required = true;
    assert_int_equal(login("ada@example.com", new_password), OK);
}

static void a_bad_password_leaves_the_token_usable(void **state)
{
    struct str token;

    (void)state;
    make_account("ada@example.com", good_password);
    token = token_of(ONETIME_RESET, mailed_reset(1));
    assert_int_equal(try_reset(token, STR("short")), ERR_VALIDATION);
    assert_int_equal(try_reset(token, STR("ada@example.com-1815")), ERR_VALIDATION);
    assert_string_equal(credential_findings.items[0].code, "password_contains_email");
    assert_str_equal(credential_findings.items[0].pointer, STR("/new_password"));
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 1);
    assert_int_equal(try_reset(token, new_password), OK);
}

static void what_ends_a_reset_token(void **state)
{
    static const char *const ends[] = {
        "UPDATE one_time_tokens SET expires_at = clock_timestamp()",
        "UPDATE users SET auth_ver = auth_ver + 1",
        "UPDATE users SET status = 'disabled'",
        "UPDATE one_time_tokens SET purpose = 'verification'",
        "DELETE FROM one_time_tokens",
        "DELETE FROM users",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        account_reset();
        make_account("ada@example.com", good_password);
        struct str token = token_of(ONETIME_RESET, mailed_reset(1));

        database_do(ends[i]);
        assert_int_equal(try_reset(token, new_password), ERR_INVALID_TOKEN);
        assert_int_equal(events_of("user.password_changed"), 0);
    }
}

/* Two tokens were mailed; the password is changed by one of them, or by who is logged in. */
static void another_change_ends_a_reset_token(void **state)
{
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    make_account("ada@example.com", good_password);
    struct uuid first = mailed_reset(1);
    struct uuid second = mailed_reset(2);

    database_must(try_reset(token_of(ONETIME_RESET, second), new_password));
    assert_int_equal(try_reset(token_of(ONETIME_RESET, first), other_password), ERR_INVALID_TOKEN);
    second = mailed_reset(3);
    database_must(try_login("ada@example.com", new_password, &grant));
    claims = claims_of(&grant);
    database_must(try_change(&claims, new_password, &grant));
    assert_int_equal(try_reset(token_of(ONETIME_RESET, second), other_password), ERR_INVALID_TOKEN);
}

/* A token of each purpose at each place that takes one, whatever its row says. */
static void a_token_works_for_its_purpose_alone(void **state)
{
    struct uuid id;

    (void)state;
    make_account("ada@example.com", good_password);
    id = mailed_reset(1);
    for (unsigned purpose = 0; purpose < ONETIME_PURPOSE_COUNT; purpose++) {
        for (unsigned named = 0; named < ONETIME_PURPOSE_COUNT; named++) {
            const struct str token = token_of((enum onetime_purpose)purpose, id);

            account_do("UPDATE one_time_tokens SET purpose = '%s'",
                       onetime_purpose_name((enum onetime_purpose)named));
            if (purpose != ONETIME_RESET || named != ONETIME_RESET) {
                assert_int_equal(try_reset(token, new_password), ERR_INVALID_TOKEN);
            }
            if (purpose != ONETIME_VERIFICATION || named != ONETIME_VERIFICATION) {
                assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
            }
        }
    }
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 1);
}

static void a_token_with_any_bit_flipped_is_none(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    struct str token;

    (void)state;
    make_account("ada@example.com", good_password);
    token = token_of(ONETIME_RESET, mailed_reset(1));
    memcpy(text, token.ptr, token.len);
    token.ptr = text;
    for (size_t bit = 0; bit < token.len * 8; bit++) {
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        assert_int_equal(try_reset(token, new_password), ERR_INVALID_TOKEN);
        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
    }
    assert_int_equal(try_reset((struct str){text, token.len - 1}, new_password), ERR_INVALID_TOKEN);
    assert_int_equal(try_reset(token, new_password), OK);
}

/* All counts and networks of the address are forgotten; who holds the mailbox has come from here. */
static void a_reset_restarts_the_throttle(void **state)
{
    struct uuid id;

    (void)state;
    make_account("ada@example.com", good_password);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
        assert_int_equal(login("eve@example.com", other_password), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(login("ada@example.com", good_password), ERR_TOO_MANY_ATTEMPTS);
    database_do("UPDATE throttle SET fails = 100 WHERE octet_length(key) = 16");
    database_do("CREATE TABLE here AS SELECT key FROM known_networks");
    database_do("INSERT INTO known_networks SELECT substring(key for 16) || '\\x00'::bytea, until"
                " FROM known_networks");
    id = mailed_reset(1);
    assert_int_equal(try_reset(token_of(ONETIME_RESET, id), new_password), OK);
    assert_int_equal(database_number("SELECT count(*) FROM throttle"), 2); /* of eve's */
    assert_int_equal(database_number("SELECT count(*) FROM known_networks"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM known_networks JOIN here USING (key)"),
                     1);
    database_do("DROP TABLE here");
    assert_int_equal(login("ada@example.com", new_password), OK);
    assert_int_equal(login("eve@example.com", good_password), ERR_TOO_MANY_ATTEMPTS);
}

/* Changing the password is one more place to guess it at. */
static void guesses_at_the_change_count_alike(void **state)
{
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    make_account("ada@example.com", good_password);
    database_must(try_login("ada@example.com", good_password, &grant));
    claims = claims_of(&grant);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(try_change(&claims, other_password, &grant), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(try_change(&claims, good_password, &grant), ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(login("ada@example.com", good_password), ERR_TOO_MANY_ATTEMPTS);
    database_do("UPDATE throttle SET until = now() - interval '1 s'");
    assert_int_equal(try_change(&claims, good_password, &grant), OK);
    assert_int_equal(database_number("SELECT count(*) FROM throttle"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(an_imported_hash_is_made_a_present_one_by_the_login),
        JOURNEY(another_cost_or_pepper_makes_the_hash_anew),
        JOURNEY(a_present_hash_is_left_alone),
        JOURNEY(a_change_ends_every_session_and_starts_one),
        JOURNEY(what_has_expired_is_not_told),
        JOURNEY(a_change_needs_the_current_password_and_a_good_one),
        JOURNEY(a_session_that_does_not_count_changes_nothing),
        JOURNEY(asking_for_a_reset_is_one_insert),
        JOURNEY(a_reset_sets_the_password_and_ends_every_session),
        JOURNEY(a_reset_verifies_the_address),
        JOURNEY(a_bad_password_leaves_the_token_usable),
        JOURNEY(what_ends_a_reset_token),
        JOURNEY(another_change_ends_a_reset_token),
        JOURNEY(a_token_works_for_its_purpose_alone),
        JOURNEY(a_token_with_any_bit_flipped_is_none),
        JOURNEY(a_reset_restarts_the_throttle),
        JOURNEY(guesses_at_the_change_count_alike),
    };

    return cmocka_run_group_tests_name("credential", tests, journey_start, journey_stop);
}
