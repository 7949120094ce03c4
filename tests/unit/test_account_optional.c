/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts that are there before their address is verified. */
#include "support/journey.h"

static void where_verification_is_optional_the_account_is_there_at_once(void **state)
{
    struct user_profile profile;

    (void)state;
    account_service.verification_required = false;
    database_must(try_create("Ada@Example.com", &profile));
    assert_str_equal(profile.email, STR("Ada@Example.com"));
    assert_false(profile.email_verified);
    assert_int_equal(profile.sub.len, UUID_TEXT_BYTES);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.registered'"
                                     " AND data::json->>'email_verified' = 'false'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests WHERE kind ="
                                     " 'verification'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at IS NULL"
                                     " AND name IS NULL AND locale IS NULL"),
                     1);
    assert_int_equal(login("ada@example.com", good_password), OK);
    account_service.verification_required = true;
    assert_int_equal(login("ada@example.com", good_password), ERR_EMAIL_UNVERIFIED);
}

/* In whatever form the address is written; and nothing of the second attempt stays. */
static void an_address_has_one_account(void **state)
{
    struct user_profile profile = {.sub = STR("untouched")};

    (void)state;
    database_must(try_create("ada@m\xc3\xbcnchen.de", &profile));
    profile.sub = STR("untouched");
    assert_int_equal(try_create("Ada@xn--mnchen-3ya.de", &profile), ERR_EMAIL_TAKEN);
    assert_int_equal(try_create("ADA@M\xc3\x9cNCHEN.DE", &profile), ERR_EMAIL_TAKEN);
    assert_str_equal(profile.sub, STR("untouched"));
    assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM mail_requests"), 1);
}

/* The row that the mailroom makes for a verification mail. */
static struct uuid mailed_token(void)
{
    static const struct str id_text = STR("0197c3e8-0000-7000-8000-000000000001");
    struct uuid id;

    assert_int_equal(codec_uuid_parse(id_text, &id), OK);
    database_do("INSERT INTO one_time_tokens (id, user_id, purpose, auth_ver, expires_at)"
                " SELECT '0197c3e8-0000-7000-8000-000000000001', id, 'verification', auth_ver,"
                " clock_timestamp() + interval '1 h' FROM users");
    return id;
}

static void an_existing_account_is_verified(void **state)
{
    struct user_profile profile;
    struct str token;

    (void)state;
    database_must(try_create("ada@example.com", &profile));
    token = token_of(ONETIME_VERIFICATION, mailed_token());
    assert_int_equal(confirm(token, other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at IS NULL"),
                     1);
    assert_int_equal(confirm(token, good_password), OK);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE email_verified_at IS NOT"
                                     " NULL"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type = 'user.verified'"
                                     " AND data::json->>'email' = 'ada@example.com'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM one_time_tokens"), 0);
    assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
    assert_int_equal(login("ada@example.com", good_password), OK);
}

/* Each of these, done between mail and click, leaves the token without effect. */
static void what_outlives_a_verification_token(void **state)
{
    static const char *const changes[] = {
        "UPDATE users SET auth_ver = auth_ver + 1",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET email_verified_at = clock_timestamp()",
        "UPDATE one_time_tokens SET expires_at = clock_timestamp() - interval '1 s'",
        "UPDATE one_time_tokens SET purpose = 'password-reset'",
        "DELETE FROM one_time_tokens",
        "DELETE FROM users",
    };
    struct user_profile profile;

    (void)state;
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct str token;

        account_reset();
        database_must(try_create("ada@example.com", &profile));
        token = token_of(ONETIME_VERIFICATION, mailed_token());
        database_do(changes[i]);
        assert_int_equal(confirm(token, good_password), ERR_INVALID_TOKEN);
        assert_int_equal(database_number("SELECT count(*) FROM sessions"), 0);
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                         " 'user.verified'"),
                         0);
    }
}

/* A purpose is part of the MAC and of the row: neither opens the other's door. */
static void a_verification_id_is_no_registration(void **state)
{
    struct user_profile profile;
    struct uuid id;

    (void)state;
    database_must(try_create("ada@example.com", &profile));
    id = mailed_token();
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), good_password), ERR_INVALID_TOKEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(where_verification_is_optional_the_account_is_there_at_once),
        JOURNEY(an_address_has_one_account),
        JOURNEY(an_existing_account_is_verified),
        JOURNEY(what_outlives_a_verification_token),
        JOURNEY(a_verification_id_is_no_registration),
    };

    return cmocka_run_group_tests_name("account_optional", tests, journey_start, journey_stop);
}
