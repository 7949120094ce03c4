/* SPDX-License-Identifier: Apache-2.0 */
/* Each way to end a session: this replica knows it when the call returns, and a row tells the others. */
#include "support/refreshes.h"

#include "clock.h"
#include "devices.h"
#include "revocation_reader.h"

static struct revocation_reader reader;

/* As the feed does. */
static void read_feed(void)
{
    const int64_t began_ms = clock_mono_ms();
    bool more = true;

    revocation_reader_begin(&reader);
    while (more) {
        database_must(revocation_reader_page(&reader, database(), &more));
    }
    revocation_reader_done(&reader, began_ms);
}

static int afresh(void **state)
{
    (void)refresh_afresh(state);
    revocation_free(account_revocations);
    account_revocations = revocation_new(60000);
    account_sessions.revocations = account_revocations;
    revocation_reader_restart(&reader, account_revocations);
    read_feed();
    return 0;
}

static struct token_claims claims_of(const struct kept *token)
{
    return (struct token_claims){
        .sub = refresh_user,
        .client_id = refresh_client,
        .sid = token->sid,
        .auth_ver = 1,
        .auth_time_s = clock_wall_s(),
    };
}

static enum revocation_verdict judge(const struct revocations *set, const struct kept *token)
{
    const struct revocation_query query = {token->sid, refresh_user, 1};

    return revocation_judge(set, &query);
}

/* What a replica that was not asked knows after its next read. */
static enum revocation_verdict judge_elsewhere(const struct kept *token)
{
    struct revocations *other = revocation_new(60000);
    struct revocation_reader elsewhere;
    enum revocation_verdict verdict;
    bool more = true;

    revocation_reader_restart(&elsewhere, other);
    revocation_reader_begin(&elsewhere);
    while (more) {
        database_must(revocation_reader_page(&elsewhere, database(), &more));
    }
    revocation_reader_done(&elsewhere, clock_mono_ms() + 1);
    verdict = judge(other, token);
    revocation_free(other);
    return verdict;
}

#define assert_ended(token)                                                                        \
    do {                                                                                           \
        assert_int_equal(judge(account_revocations, (token)), REVOCATION_FOUND);                   \
        assert_int_equal(judge_elsewhere(token), REVOCATION_FOUND);                                \
    } while (0)

#define assert_alive(token)                                                                        \
    do {                                                                                           \
        assert_int_equal(judge(account_revocations, (token)), REVOCATION_NONE);                    \
        assert_int_equal(judge_elsewhere(token), REVOCATION_NONE);                                 \
    } while (0)

static int64_t rows(void)
{
    return database_number("SELECT count(*) FROM revocations WHERE expires_at BETWEEN"
                           " clock_timestamp() + interval '590 s'"
                           " AND clock_timestamp() + interval '600 s'");
}

static void logout(void **state)
{
    struct kept other = open_session();
    struct kept token = open_session();
    const struct token_claims claims = claims_of(&token);
    struct work work = account_work();

    (void)state;
    assert_alive(&token);
    database_must(session_logout(&account_sessions, &work, &claims));
    assert_ended(&token);
    assert_alive(&other);
    assert_int_equal(rows(), 1);
    work = account_work();
    database_must(session_logout(&account_sessions, &work, &claims)); /* nothing is written twice */
    assert_int_equal(rows(), 1);
}

/* The first answer was lost, or another replica ended it: this one knows all the same. */
static void logout_of_what_has_ended(void **state)
{
    struct kept token = open_session();
    const struct token_claims claims = claims_of(&token);
    struct work work = account_work();

    (void)state;
    database_do("UPDATE sessions SET revoked_at = clock_timestamp()");
    database_must(session_logout(&account_sessions, &work, &claims));
    assert_int_equal(judge(account_revocations, &token), REVOCATION_FOUND);
}

static void revocation_by_refresh_token(void **state)
{
    struct kept token = open_session();
    bool has_events;

    (void)state;
    database_must(end_by(&token, &has_events));
    assert_ended(&token);
    assert_int_equal(rows(), 1);
}

static void reuse(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);

    (void)state;
    (void)next_token(&second);
    assert_alive(&first);
    assert_refused(&first, STR_EMPTY);
    assert_ended(&first);
    assert_int_equal(rows(), 1);
}

static void one_of_ones_own(void **state)
{
    struct kept acting = open_session();
    struct kept other = open_session();
    const struct token_claims claims = claims_of(&acting);
    struct work work = account_work();

    (void)state;
    database_must(devices_end_one(&account_sessions, &work, &claims, other.sid));
    assert_ended(&other);
    assert_alive(&acting);
    work = account_work();
    assert_int_equal(devices_end_one(&account_sessions, &work, &claims, other.sid), ERR_NOT_FOUND);
    assert_int_equal(rows(), 1);
}

/* What is not one's own is left alone, and nobody is told that it had ended. */
static void one_of_another(void **state)
{
    struct kept acting = open_session();
    const struct token_claims claims = claims_of(&acting);
    struct work work = account_work();
    struct kept strangers = acting;

    (void)state;
    strangers.sid = crypto_uuid7(clock_wall_ms());
    assert_int_equal(devices_end_one(&account_sessions, &work, &claims, strangers.sid),
                     ERR_NOT_FOUND);
    assert_alive(&strangers);
    assert_int_equal(rows(), 0);
}

static void all_others(void **state)
{
    struct kept acting = open_session();
    struct kept others[3] = {open_session(), open_session(), open_session()};
    const struct token_claims claims = claims_of(&acting);

    (void)state;
    for (unsigned published = 0; published < 2; published++) {
        struct work work = account_work();

        account_sessions.published = published == 0 ? UINT32_MAX : 0;
        database_must(devices_end_others(&account_sessions, &work, &claims));
        for (size_t i = 0; i < 3; i++) {
            assert_ended(&others[i]);
            others[i] = open_session();
        }
        assert_alive(&acting);
    }
    assert_int_equal(rows(), 6);
}

/* It was committed, and the look at it failed: memory is not trusted until the feed has read. */
static void all_others_while_the_feed_has_not_read(void **state)
{
    struct kept acting = open_session();
    struct kept other = open_session();
    const struct token_claims claims = claims_of(&acting);
    struct work work = account_work();

    (void)state;
    revocation_set_moment(account_revocations, NULL); /* it has just lost its connection */
    database_must(devices_end_others(&account_sessions, &work, &claims));
    assert_int_equal(judge(account_revocations, &other), REVOCATION_UNKNOWN);
    (void)poll(NULL, 0, 2);
    read_feed();
    assert_ended(&other);
    assert_alive(&acting);
}

#define TEST(name) cmocka_unit_test_setup(name, afresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(logout),          TEST(logout_of_what_has_ended),
        TEST(reuse),           TEST(revocation_by_refresh_token),
        TEST(one_of_ones_own), TEST(one_of_another),
        TEST(all_others),      TEST(all_others_while_the_feed_has_not_read),
    };

    return cmocka_run_group_tests_name("session_revocation", tests, refresh_start, refresh_stop);
}
