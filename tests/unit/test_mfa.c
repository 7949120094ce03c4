/* SPDX-License-Identifier: Apache-2.0 */
/* A second factor from enrolment to removal, its codes, and what happens to them at once. */
#include "support/credentials.h"

#include <pthread.h>

#include "clock.h"
#include "devices.h"
#include "mfa.h"
#include "mfa_login.h"
#include "mfa_removal.h"
#include "totp.h"

#define ADA "ada@example.com"
#define number database_number

static struct token_claims claims;
static struct totp_secret secret;
static char recovery[MFA_CODE_RECOVERY_COUNT][MFA_CODE_RECOVERY_TEXT_BYTES + 1];

static struct mfa_acting acting(void)
{
    return (struct mfa_acting){.claims = &claims, .origin = origin};
}

/* Of a step before (-1), of now, or behind. In static memory. */
static struct str code_of(int steps)
{
    static char text[4][TOTP_DIGITS + 1];
    static size_t at;
    const uint32_t code = totp_code(&secret, clock_wall_s() / TOTP_STEP_S + steps);

    at = (at + 1) % 4;
    (void)snprintf(text[at], sizeof(text[at]), "%06u", code);
    return (struct str){text[at], TOTP_DIGITS};
}

static struct str wrong_code(void)
{
    const struct str right = code_of(0);

    return str_equal(right, STR("000000")) || str_equal(code_of(1), STR("000000")) ||
                   str_equal(code_of(-1), STR("000000"))
               ? STR("999999")
               : STR("000000");
}

static void forget_uses(void)
{
    database_do("UPDATE totp_factors SET last_step = 0, failed_at = '{}'");
}

/* The stored secret, opened. */
static void read_secret(void)
{
    static const struct pg_statement read = {
        .sql = "SELECT user_id, kid, nonce, secret FROM totp_factors"};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &read, &(struct pg_args){0}, &rows));
    const struct mfa_secret sealed = {pg_text(&rows, 0, 1), pg_text(&rows, 0, 2),
                                      pg_text(&rows, 0, 3)};
    assert_int_equal(totp_open(account_keyring, pg_uuid(&rows, 0, 0), &sealed, &secret), OK);
}

static void begin(void)
{
    const struct mfa_acting by = acting();
    struct work work = account_work();
    struct mfa_enrollment enrollment;

    assert_int_equal(mfa_begin(&account_service, &work, &by, &enrollment), OK);
    read_secret();
    assert_str_equal(enrollment.secret, totp_secret_text(work.arena, &secret));
    assert_true(
        str_starts(enrollment.uri, STR("otpauth://totp/user.example.com:ada%40example.com?")));
}

static enum error try_enable(struct str code)
{
    const struct mfa_acting by = acting();
    struct mfa_code_recovery made;
    struct work work = account_work();

    TRY(mfa_confirm(&account_service, &work, &by, code, &made));
    for (size_t i = 0; i < MFA_CODE_RECOVERY_COUNT; i++) {
        assert_int_equal(made.codes[i].len, sizeof(recovery[i]) - 1);
        memcpy(recovery[i], made.codes[i].ptr, made.codes[i].len);
    }
    claims.auth_ver++; /* as the acting session's next token */
    return OK;
}

static void log_in(void)
{
    struct session_grant grant;

    assert_int_equal(try_login(ADA, good_password, &grant), OK);
    claims = claims_of(&grant);
}

static void enrol(void)
{
    make_account(ADA, good_password);
    log_in();
    begin();
    assert_int_equal(try_enable(code_of(0)), OK);
    forget_uses();
}

/* In static memory. */
static struct str ask(void)
{
    static char tokens[4][ONETIME_TOKEN_BYTES_MAX];
    static size_t at;
    const struct account_login in = {address(ADA), good_password, origin};
    struct work work = account_work();
    struct session_grant grant;

    assert_int_equal(account_login(&account_service, &work, &in, &grant), ERR_MFA_REQUIRED);
    at = (at + 1) % 4;
    memcpy(tokens[at], work.mfa_token.ptr, work.mfa_token.len);
    return (struct str){tokens[at], work.mfa_token.len};
}

static enum error finish_with(struct work *work, struct str token, struct str code)
{
    const struct mfa_login in = {token, code, origin};
    struct session_grant grant;

    TRY(mfa_login_finish(&account_service, work, &in, &grant));
    claims = claims_of(&grant);
    return OK;
}

static enum error finish(struct str token, struct str code)
{
    struct work work = account_work();

    return finish_with(&work, token, code);
}

static int64_t live(void)
{
    return number("SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id"
                  " WHERE s.revoked_at IS NULL AND s.auth_ver = u.auth_ver");
}

static void enabling_keeps_the_acting_session_alone(void **state)
{
    (void)state;
    make_account(ADA, good_password);
    log_in();
    assert_int_equal(live(), 2);
    begin();
    assert_int_equal(try_enable(wrong_code()), ERR_INVALID_CODE);
    assert_int_equal(live(), 2); /* nothing counts before the first code */
    assert_int_equal(login(ADA, good_password), OK);
    assert_int_equal(try_enable(code_of(0)), OK);
    assert_int_equal(live(), 1);
    assert_int_equal(number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"
                            " AND amr = '{pwd,otp}' AND auth_ver = 2"),
                     1);
    assert_int_equal(number("SELECT count(*) FROM revocations WHERE min_auth_ver = 2"), 1);
    assert_int_equal(number("SELECT count(*) FROM recovery_codes WHERE length(code_hash) = 32"),
                     MFA_CODE_RECOVERY_COUNT);
    assert_int_equal(number("SELECT count(*) FROM audit WHERE type = 'user.mfa_enabled'"
                            " AND actor = subject"),
                     1);
    assert_int_equal(number("SELECT count(*) FROM outbox WHERE type = 'user.mfa_changed' AND data ="
                            " '{\"email\":\"ada@example.com\",\"locale\":\"de-AT\","
                            "\"enabled\":true,\"reason\":\"changed_by_user\"}'"),
                     1);
    assert_int_equal(number("SELECT count(*) FROM outbox WHERE type = 'session.revoked'"
                            " AND data LIKE '%mfa_changed%'"),
                     2);
}

static void enrolment_asks_for_a_fresh_session(void **state)
{
    const struct mfa_acting by = acting();
    struct work work = account_work();
    struct mfa_enrollment enrollment;

    (void)state;
    make_account(ADA, good_password);
    log_in();
    claims.auth_time_s -= DEVICES_FRESH_S + 1;
    assert_int_equal(mfa_begin(&account_service, &work, &by, &enrollment), ERR_REAUTH_REQUIRED);
    assert_int_equal(try_enable(STR("123456")), ERR_REAUTH_REQUIRED);
    assert_int_equal(mfa_disable(&account_service, &work, &by), ERR_REAUTH_REQUIRED);
    log_in();
    assert_int_equal(try_enable(STR("123456")), ERR_MFA_NOT_ENABLED);
    begin();
    database_do("UPDATE totp_factors SET created_at = created_at - interval '61 min'");
    assert_int_equal(try_enable(code_of(0)), ERR_MFA_NOT_ENABLED); /* it waited for too long */
    begin();
    assert_int_equal(try_enable(code_of(0)), OK);
    assert_int_equal(mfa_begin(&account_service, &work, &by, &enrollment), ERR_MFA_ENABLED);
    assert_int_equal(try_enable(code_of(1)), ERR_MFA_ENABLED);
    claims.auth_ver--;
    assert_int_equal(mfa_disable(&account_service, &work, &by), ERR_UNAUTHENTICATED);
}

static void a_login_takes_password_and_code(void **state)
{
    struct str token;

    (void)state;
    enrol();
    assert_int_equal(login(ADA, other_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(live(), 1);
    token = ask();
    assert_int_equal(live(), 1); /* no session before the code */
    assert_int_equal(finish(token, wrong_code()), ERR_INVALID_CODE);
    assert_int_equal(finish(token, code_of(0)), OK);
    assert_int_equal(live(), 2);
    assert_int_equal(number("SELECT count(*) FROM sessions WHERE amr = '{pwd,otp}'"), 2);
    assert_int_equal(finish(token, code_of(1)), ERR_INVALID_MFA_TOKEN); /* once */
    assert_int_equal(finish(ask(), code_of(0)), ERR_INVALID_CODE);      /* nor the code */
    assert_int_equal(finish(ask(), code_of(-1)), ERR_INVALID_CODE);     /* nor one before */
    assert_int_equal(finish(ask(), code_of(1)), OK);
    assert_int_equal(number("SELECT cardinality(failed_at)::bigint FROM totp_factors"), 3);
}

static void a_token_dies_with_what_it_stands_for(void **state)
{
    static const char *const ends[] = {
        "UPDATE mfa_logins SET expires_at = clock_timestamp() - interval '1 ms'",
        "UPDATE users SET auth_ver = auth_ver + 1",
        "UPDATE users SET status = 'disabled'",
        "DELETE FROM mfa_logins",
    };

    (void)state;
    enrol();
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        const struct str token = ask();

        database_do(ends[i]);
        assert_int_equal(finish(token, code_of(0)), ERR_INVALID_MFA_TOKEN);
        database_do("UPDATE users SET status = 'active'");
    }
    assert_int_equal(finish(token_of(ONETIME_RESET, mailed_reset(1)), code_of(0)),
                     ERR_INVALID_MFA_TOKEN);
    assert_int_equal(number("SELECT cardinality(failed_at)::bigint FROM totp_factors"), 0);
}

static void a_recovery_code_works_once(void **state)
{
    char shouted[64];

    (void)state;
    enrol();
    assert_int_equal(finish(ask(), str_from(recovery[0])), OK);
    assert_int_equal(number("SELECT count(*) FROM sessions WHERE amr = '{pwd,mfa}'"), 1);
    assert_int_equal(finish(ask(), str_from(recovery[0])), ERR_INVALID_CODE);
    for (size_t i = 0; i <= strlen(recovery[1]); i++) {
        const char c = recovery[1][i];
        shouted[i] = c == '-' ? ' ' : (char)(c >= 'a' ? c - 32 : c);
    }
    assert_int_equal(finish(ask(), str_from(shouted)), OK);
    assert_int_equal(number("SELECT count(*) FROM recovery_codes"), MFA_CODE_RECOVERY_COUNT - 2);
    assert_int_equal(number("SELECT count(*) FROM audit WHERE type = 'user.recovery_code_used'"),
                     2);
    assert_int_equal(number("SELECT cardinality(failed_at)::bigint FROM totp_factors"), 1);
}

static void ten_failures_an_hour_are_the_limit(void **state)
{
    struct work work;

    (void)state;
    enrol();
    for (int i = 0; i < MFA_STORE_FAILURES_MAX; i++) {
        assert_int_equal(finish(ask(), wrong_code()), ERR_INVALID_CODE); /* a token each */
    }
    work = account_work();
    assert_int_equal(finish_with(&work, ask(), code_of(0)), ERR_TOO_MANY_ATTEMPTS);
    work = account_work();
    assert_int_equal(finish_with(&work, ask(), str_from(recovery[0])), ERR_TOO_MANY_ATTEMPTS);
    assert_in_range(work.retry_after_s, 3590, 3600);
    database_do("UPDATE totp_factors SET failed_at[1] = clock_timestamp() - interval '61 min'");
    assert_int_equal(finish(ask(), wrong_code()), ERR_INVALID_CODE); /* one has passed */
    assert_int_equal(finish(ask(), code_of(0)), ERR_TOO_MANY_ATTEMPTS);
    database_do("UPDATE totp_factors SET failed_at[1] = clock_timestamp() - interval '61 min'");
    assert_int_equal(finish(ask(), code_of(0)), OK); /* what is right is not counted */
    assert_int_equal(finish(ask(), wrong_code()), ERR_INVALID_CODE);
    assert_int_equal(finish(ask(), wrong_code()), ERR_TOO_MANY_ATTEMPTS);
}

static enum error reauthenticate(struct str password, struct str code)
{
    const struct devices_reauthentication in = {&claims, password, code, origin};
    struct work work = account_work();
    struct str token;

    return devices_reauthenticate(&account_service, &work, &in, &token);
}

static void proving_again_takes_both(void **state)
{
    (void)state;
    enrol();
    database_do("UPDATE sessions SET auth_time = auth_time - interval '1 h', amr = '{pwd}'");
    assert_int_equal(reauthenticate(other_password, code_of(0)), ERR_INVALID_CREDENTIALS);
    assert_int_equal(number("SELECT cardinality(failed_at)::bigint FROM totp_factors"), 0);
    assert_int_equal(reauthenticate(good_password, STR_EMPTY), ERR_MFA_REQUIRED);
    assert_int_equal(reauthenticate(good_password, wrong_code()), ERR_INVALID_CODE);
    assert_int_equal(number("SELECT count(*) FROM sessions WHERE auth_time >"
                            " clock_timestamp() - interval '1 min' AND revoked_at IS NULL"),
                     0);
    assert_int_equal(reauthenticate(good_password, code_of(0)), OK);
    assert_int_equal(number("SELECT count(*) FROM sessions WHERE auth_time >"
                            " clock_timestamp() - interval '1 min' AND amr = '{pwd,otp}'"
                            " AND revoked_at IS NULL"),
                     1);
    assert_int_equal(reauthenticate(good_password, code_of(0)), ERR_INVALID_CODE);
}

/* Passwords have a brake of their own, before any code is asked for. */
static void wrong_passwords_and_wrong_codes_are_counted_apart(void **state)
{
    (void)state;
    enrol();
    for (int i = 0; i < THROTTLE_NETWORK_FAILS_MAX - 1; i++) {
        assert_int_equal(login(ADA, other_password), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(finish(ask(), wrong_code()), ERR_INVALID_CODE);
    assert_int_equal(number("SELECT count(*) FROM throttle"), 0); /* the password was right */
    assert_int_equal(number("SELECT count(*) FROM known_networks"), 1);
    for (int i = 0; i < THROTTLE_NETWORK_FAILS_MAX; i++) {
        assert_int_equal(reauthenticate(other_password, code_of(0)), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(reauthenticate(good_password, code_of(0)), ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(login(ADA, good_password), ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(number("SELECT cardinality(failed_at)::bigint FROM totp_factors"), 1);
    assert_int_equal(number("SELECT count(*) FROM mfa_logins"), 1);
}

/* Else the new session would be fresh by the password alone, and the factor could be removed. */
static void a_password_change_asks_for_a_fresh_session(void **state)
{
    struct session_grant grant;

    (void)state;
    enrol();
    claims.auth_time_s -= DEVICES_FRESH_S + 1;
    assert_int_equal(try_change(&claims, good_password, &grant), ERR_REAUTH_REQUIRED);
    claims.auth_time_s += DEVICES_FRESH_S + 1;
    assert_int_equal(try_change(&claims, good_password, &grant), OK);
    assert_int_equal(number("SELECT count(*) FROM totp_factors"), 1);
}

static struct uuid the_user(void)
{
    static const struct pg_statement read = {.sql = "SELECT id FROM users"};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &read, &(struct pg_args){0}, &rows));
    return pg_uuid(&rows, 0, 0);
}

static void removing_ends_the_others(void **state)
{
    const struct mfa_acting by = acting();
    struct work work;

    (void)state;
    enrol();
    assert_int_equal(finish(ask(), code_of(0)), OK);
    assert_int_equal(live(), 2);
    work = account_work();
    assert_int_equal(mfa_disable(&account_service, &work, &by), OK);
    assert_int_equal(live(), 1);
    assert_int_equal(number("SELECT count(*) FROM totp_factors"), 0);
    assert_int_equal(number("SELECT count(*) FROM recovery_codes"), 0);
    assert_int_equal(number("SELECT count(*) FROM audit WHERE type = 'user.mfa_disabled'"), 1);
    assert_int_equal(number("SELECT count(*) FROM outbox WHERE type = 'user.mfa_changed'"
                            " AND data LIKE '%\"enabled\":false%'"),
                     1);
    assert_int_equal(login(ADA, good_password), OK);
}

static void an_operator_removes_it(void **state)
{
    const struct administration rules = {UINT32_MAX, 600, account_revocations};
    const struct administrator by = {.audit = {STR("cli:root"), STR_EMPTY, STR_EMPTY},
                                     .is_operator = true};
    struct work work;
    struct str sub;

    (void)state;
    enrol();
    for (int i = 0; i < 2; i++) { /* the second time there is nothing to do */
        work = account_work();
        sub = codec_uuid_in(work.arena, the_user());
        assert_int_equal(mfa_removal_remove(&rules, &work, &by, sub), OK);
        assert_int_equal(number("SELECT auth_ver FROM users"), 3);
        assert_int_equal(live(), 0);
        assert_int_equal(number("SELECT count(*) FROM totp_factors"), 0);
        assert_int_equal(number("SELECT count(*) FROM audit WHERE type = 'user.mfa_removed'"), 1);
        assert_int_equal(number("SELECT count(*) FROM outbox WHERE type = 'user.mfa_changed'"
                                " AND data LIKE '%removed_by_operator%'"),
                         1);
    }
    assert_int_equal(login(ADA, good_password), OK);
}

/* In `optional` mode an account may have a factor before its address is verified. */
static void verifying_an_address_asks_for_a_code(void **state)
{
    struct account_confirmation in = {.password = good_password, .origin = origin};
    struct work work;
    struct session_grant grant;

    (void)state;
    enrol();
    in.token = token_of(ONETIME_VERIFICATION, (struct uuid){{7}});
    database_do("UPDATE users SET email_verified_at = NULL;"
                "INSERT INTO one_time_tokens (id, user_id, purpose, auth_ver, expires_at)"
                " SELECT '07000000-0000-0000-0000-000000000000', id, 'verification', auth_ver,"
                " clock_timestamp() + interval '1 h' FROM users");
    work = account_work();
    assert_int_equal(account_confirm(&account_service, &work, &in, &grant), ERR_MFA_REQUIRED);
    assert_int_equal(live(), 1);
    assert_int_equal(number("SELECT count(*) FROM users WHERE email_verified_at IS NOT NULL"), 1);
    assert_int_equal(number("SELECT count(*) FROM mfa_logins"), 1);
}

static void what_another_key_sealed_is_sealed_anew(void **state)
{
    struct keyring *before = account_keyring;
    struct keyring *both = auth_keyring("{\"current\":\"k2\",\"keys\":{" AUTH_K1 "," AUTH_K2 "}}");

    (void)state;
    enrol();
    account_service.keyring = both;
    account_sessions.keyring = both;
    assert_int_equal(finish(ask(), code_of(0)), OK);
    assert_int_equal(number("SELECT count(*) FROM totp_factors WHERE kid = 'k2'"), 1);
    assert_int_equal(finish(ask(), code_of(1)), OK);
    account_service.keyring = before;
    account_sessions.keyring = before;
    keyring_free(both);
}

/* One of several who use the same code, or the same token, at once. */
struct racer {
    pthread_t thread;
    struct pg *pg;
    struct str token;
    struct str code;
    pthread_barrier_t *start;
    enum error error;
    unsigned char memory[128 * 1024];
};

static void *race_main(void *context)
{
    struct racer *self = context;
    struct session_grant grant;
    struct arena arena;
    struct work work = {.pg = self->pg, .arena = &arena};
    const struct mfa_login in = {self->token, self->code, origin};

    arena_init(&arena, self->memory, sizeof(self->memory));
    (void)pthread_barrier_wait(self->start);
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    self->error = mfa_login_finish(&account_service, &work, &in, &grant);
    return NULL;
}

enum { RACERS = 4, ROUNDS = 10 };

static unsigned winners(struct racer *racers)
{
    pthread_barrier_t start;
    unsigned won = 0;

    (void)pthread_barrier_init(&start, NULL, RACERS);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race_main, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
        assert_true(racers[i].error == OK || racers[i].error == ERR_INVALID_CODE ||
                    racers[i].error == ERR_INVALID_MFA_TOKEN);
        won += racers[i].error == OK;
    }
    (void)pthread_barrier_destroy(&start);
    return won;
}

static void of_those_who_come_at_once_one_wins(void **state)
{
    static struct racer racers[RACERS];

    (void)state;
    enrol();
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].pg = pg_new(&test_options);
    }
    for (size_t round = 0; round < ROUNDS; round++) {
        const bool shares_token = round % 2 == 0;
        const bool is_recovery = round % 4 > 1;

        forget_uses();
        for (size_t i = 0; i < RACERS; i++) {
            racers[i].token = i > 0 && shares_token ? racers[0].token : ask();
            racers[i].code = is_recovery ? str_from(recovery[round]) : code_of(0);
        }
        assert_int_equal(winners(racers), 1);
    }
    for (size_t i = 0; i < RACERS; i++) {
        pg_free(racers[i].pg);
    }
}

static int mfa_afresh(void **state)
{
    (void)state;
    account_reset();
    database_do("TRUNCATE audit");
    return 0;
}

#define MFA(name) cmocka_unit_test_setup(name, mfa_afresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        MFA(enabling_keeps_the_acting_session_alone),
        MFA(enrolment_asks_for_a_fresh_session),
        MFA(a_login_takes_password_and_code),
        MFA(a_token_dies_with_what_it_stands_for),
        MFA(a_recovery_code_works_once),
        MFA(ten_failures_an_hour_are_the_limit),
        MFA(proving_again_takes_both),
        MFA(wrong_passwords_and_wrong_codes_are_counted_apart),
        MFA(a_password_change_asks_for_a_fresh_session),
        MFA(removing_ends_the_others),
        MFA(an_operator_removes_it),
        MFA(verifying_an_address_asks_for_a_code),
        MFA(what_another_key_sealed_is_sealed_anew),
        MFA(of_those_who_come_at_once_one_wins),
    };

    return cmocka_run_group_tests_name("mfa", tests, journey_start, journey_stop);
}
