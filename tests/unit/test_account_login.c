/* SPDX-License-Identifier: Apache-2.0 */
/* Login, and what an account says of itself. */
#include "support/journey.h"

static void a_login_opens_a_session(void **state)
{
    struct session_grant grant;
    struct token_claims claims;

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET roles = '{admin,support}', auth_ver = 5");
    database_must(try_login("ADA@example.com", good_password, &grant));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_int_equal(claims.auth_ver, 5);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE auth_ver = 5"), 1);
}

/* One answer for all of them; the disabled one gets it after the right password, too. */
static void who_may_not_log_in_is_told_one_thing(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    (void)start_registration("pending@example.com", good_password);
    assert_int_equal(login("nobody@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("pending@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", STR("")), ERR_INVALID_CREDENTIALS);
    database_do("UPDATE users SET status = 'disabled'");
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    database_do("UPDATE users SET email_verified_at = NULL");
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1); /* the confirmation's */
}

static void an_unverified_account_is_told_after_the_right_password(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET email_verified_at = NULL");
    assert_int_equal(login("ada@example.com", other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(login("ada@example.com", good_password), ERR_EMAIL_UNVERIFIED);
    account_service.verification_required = false;
    assert_int_equal(login("ada@example.com", good_password), OK);
}

static enum error try_patch(const struct user_session *session, const struct user_patch *patch,
                            struct user_profile *out)
{
    return user_store_patch(database(), auth_fresh_arena(), session, patch, out);
}

static void a_profile_is_read_and_patched(void **state)
{
    struct session_grant grant;
    struct user_session session = {.auth_ver = 1};
    const struct user_patch rename = {.has_name = true, .name = STR("Ada Lovelace")};
    const struct user_patch remove = {.has_name = true, .has_locale = true};
    const struct user_patch nothing = {0};
    struct user_profile profile;

    (void)state;
    make_account("Ada@example.com", good_password);
    database_must(try_login("ada@example.com", good_password, &grant));
    session.session_id = grant.session_id;
    database_must(user_store_profile(database(), auth_fresh_arena(), &session, &profile));
    assert_str_equal(profile.email, STR("Ada@example.com"));
    assert_true(profile.email_verified);
    assert_str_equal(profile.name, STR("Ada"));
    assert_in_range(profile.created_ms, clock_wall_ms() - 60000, clock_wall_ms() + 1000);
    database_must(try_patch(&session, &rename, &profile));
    assert_str_equal(profile.name, STR("Ada Lovelace"));
    assert_str_equal(profile.locale, STR("de-AT"));
    database_must(try_patch(&session, &nothing, &profile));
    assert_str_equal(profile.name, STR("Ada Lovelace"));
    database_must(try_patch(&session, &remove, &profile));
    assert_int_equal(profile.name.len, 0);
    assert_int_equal(profile.locale.len, 0);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE name IS NULL"
                                     " AND locale IS NULL AND auth_ver = 1"),
                     1);
}

/* `sub` of an imported user is kept wherever a token, an answer or an event names them. */
static void an_imported_subject_is_kept(void **state)
{
    struct session_grant grant;
    struct token_claims claims;
    struct user_profile profile;
    struct user_session session = {.auth_ver = 1};

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET subject = 'legacy|42'");
    database_must(try_login("ada@example.com", good_password, &grant));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_str_equal(claims.sub, STR("legacy|42"));
    session.session_id = grant.session_id;
    database_must(user_store_profile(database(), auth_fresh_arena(), &session, &profile));
    assert_str_equal(profile.sub, STR("legacy|42"));
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE subject = 'legacy|42'"
                                     " AND type = 'session.created'"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(a_login_opens_a_session),
        JOURNEY(who_may_not_log_in_is_told_one_thing),
        JOURNEY(an_unverified_account_is_told_after_the_right_password),
        JOURNEY(a_profile_is_read_and_patched),
        JOURNEY(an_imported_subject_is_kept),
    };

    return cmocka_run_group_tests_name("account_login", tests, journey_start, journey_stop);
}
