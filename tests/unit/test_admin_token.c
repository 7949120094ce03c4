/* SPDX-License-Identifier: Apache-2.0 */
/* Who gets a token for administration, and what it costs the session: nothing. */
#include "support/refreshes.h"

#include "admin_token.h"

static const struct str shop = STR("shop");

static enum error try_mint(const struct kept *token, struct str *out)
{
    struct refresh_request request = request_of(token, STR_EMPTY);
    struct work work = account_work();

    return admin_token_mint(&account_sessions, &work, &request, out);
}

#define assert_not_minted(token, error)                                                            \
    do {                                                                                           \
        struct str token_;                                                                         \
        assert_int_equal(try_mint((token), &token_), (error));                                     \
    } while (0)

static void give_factor(void)
{
    database_do("INSERT INTO totp_factors (user_id, kid, nonce, secret, confirmed_at)"
                " SELECT id, 'k1', '', '', clock_timestamp() FROM users ON CONFLICT DO NOTHING");
}

static void make_administrator(void)
{
    give_factor();
    database_do("UPDATE users SET roles = '{support,admin}'");
    database_do("UPDATE sessions SET amr = '{pwd,otp}'");
}

static void an_administrator_gets_one(void **state)
{
    struct kept token = open_session();
    struct token_claims claims;
    char before[ROW_BYTES_MAX];
    struct str minted;

    (void)state;
    make_administrator();
    row_text(before);
    assert_int_equal(try_mint(&token, &minted), OK);
    assert_row(before); /* nothing rotates */
    assert_int_equal(token_verify(&account_tokens, &auth_arena, minted, &claims), OK);
    assert_int_equal(token_require_admin(&account_tokens, &claims), OK);
    assert_int_equal(claims.aud.count, 1);
    assert_str_equal(claims.aud.items[0], account_tokens.issuer);
    assert_false(token_is_for(&claims, shop));
    assert_str_equal(claims.scope, STR("users:admin"));
    assert_str_equal(claims.roles, STR("support admin"));
    assert_str_equal(claims.sub, refresh_user);
    assert_true(uuid_equal(claims.sid, token.sid));
    assert_false(claims.is_client);
    assert_int_equal(next_token(&token).generation, 1);
}

/* The first condition that is not met is told, in the order of what one can do about it. */
static void each_condition_is_asked_for(void **state)
{
    struct kept token = open_session();

    (void)state;
    make_administrator();
    database_do("UPDATE users SET roles = '{support,administrator}'");
    assert_not_minted(&token, ERR_INVALID_SCOPE);
    database_do("UPDATE sessions SET amr = '{pwd}'");
    assert_not_minted(&token, ERR_INVALID_SCOPE);
    database_do("UPDATE users SET roles = '{admin}'");
    database_do("UPDATE totp_factors SET confirmed_at = NULL"); /* it does not count yet */
    assert_not_minted(&token, ERR_MFA_ENROLLMENT_REQUIRED);
    database_do("UPDATE sessions SET amr = '{pwd,otp}'"); /* proved, and removed since */
    database_do("TRUNCATE totp_factors");
    assert_not_minted(&token, ERR_MFA_ENROLLMENT_REQUIRED);
    give_factor();
    database_do("UPDATE sessions SET amr = '{pwd}'");
    assert_not_minted(&token, ERR_REAUTH_REQUIRED);
    database_do("UPDATE sessions SET amr = '{pwd,mfa}'"); /* a recovery code */
    assert_not_minted(&token, ERR_REAUTH_REQUIRED);
    database_do("UPDATE sessions SET auth_time = auth_time - interval '1 day'");
    assert_not_minted(&token, ERR_REAUTH_REQUIRED);
    database_do("UPDATE sessions SET amr = '{otp,pwd}'");
    assert_not_minted(&token, ERR_REAUTH_REQUIRED);
    database_do("UPDATE sessions SET auth_time = clock_timestamp() - interval '930 s'");
    assert_not_minted(&token, ERR_REAUTH_REQUIRED);
    database_do("UPDATE sessions SET auth_time = clock_timestamp() - interval '870 s'");
    assert_not_minted(&token, OK);
}

/* A previous token is refused within the grace, and the session lives on. */
static void a_previous_token_will_not_do(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct str minted;

    (void)state;
    make_administrator();
    assert_not_minted(&first, ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(try_mint(&second, &minted), OK);
    assert_int_equal(events_of("session.reuse_detected"), 0);
    assert_counted("superseded", 1);
    account_sessions.grace_s = 0; /* nor beyond it, where a refresh would end the session */
    assert_not_minted(&first, ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(events_of("session.reuse_detected"), 0);
    assert_int_equal(next_token(&second).generation, 2);
}

static void an_older_one_is_reuse(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct kept third = next_token(&second);

    (void)state;
    make_administrator();
    assert_not_minted(&first, ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(events_of("session.reuse_detected"), 1);
    assert_not_minted(&third, ERR_INVALID_REFRESH_TOKEN);
    assert_refused(&third, STR_EMPTY);
}

static void what_is_not_live_mints_nothing(void **state)
{
    static const char *const ends[] = {
        "UPDATE sessions SET idle_expires_at = clock_timestamp() - interval '1 s'",
        "UPDATE sessions SET revoked_at = clock_timestamp()",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET auth_ver = 2",
        "UPDATE sessions SET client_id = 'x'",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        database_do("UPDATE users SET status = 'active', auth_ver = 1");
        database_do("TRUNCATE sessions");
        struct kept token = open_session();
        make_administrator();
        assert_not_minted(&token, OK);
        database_do(ends[i]);
        assert_not_minted(&token, ERR_INVALID_REFRESH_TOKEN);
    }
    assert_int_equal(events_of("session.reuse_detected"), 0);
}

/* A forgery, and a generation that a restored database has not reached, end nothing. */
static void what_is_not_genuine_touches_nothing(void **state)
{
    struct kept token = open_session();
    struct kept second = next_token(&token);
    struct kept forged = second;
    char before[ROW_BYTES_MAX];

    (void)state;
    make_administrator();
    account_do("UPDATE sessions SET generation = 0, token_hash = '\\x%s', prev_hash = NULL",
               token.hash);
    row_text(before);
    assert_not_minted(&second, ERR_INVALID_REFRESH_TOKEN);
    forged.text[strlen(forged.text) - 1] ^= 1;
    assert_not_minted(&forged, ERR_INVALID_REFRESH_TOKEN);
    assert_row(before);
    assert_not_minted(&token, OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REFRESH(an_administrator_gets_one),      REFRESH(each_condition_is_asked_for),
        REFRESH(a_previous_token_will_not_do),   REFRESH(an_older_one_is_reuse),
        REFRESH(what_is_not_live_mints_nothing), REFRESH(what_is_not_genuine_touches_nothing),
    };

    refresh_register_metrics();
    return cmocka_run_group_tests_name("admin_token", tests, refresh_start, refresh_stop);
}
