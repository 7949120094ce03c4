/* SPDX-License-Identifier: Apache-2.0 */
#include "support/administered.h"

static enum error disable(struct str sub)
{
    struct work work = account_work();

    return administration_disable(&administered_rules, &work, &administered_by, sub);
}

static enum error enable(struct str sub)
{
    struct work work = account_work();

    return administration_enable(&administered_rules, &work, &administered_by, sub);
}

static enum error end_sessions(struct str sub)
{
    struct work work = account_work();

    return administration_end_sessions(&administered_rules, &work, &administered_by, sub);
}

static enum error end_session(struct uuid id)
{
    struct work work = account_work();

    return administration_end_session(&administered_rules, &work, &administered_by, id);
}

static void disabling_ends_all_that_a_user_has(void **state)
{
    struct kept first = open_session();
    struct kept second = open_session();

    (void)state;
    database_must(disable(refresh_user));
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE status = 'disabled'"
                                     " AND auth_ver = 2"),
                     1);
    assert_int_equal(live_sessions(), 0);
    assert_refused(&first, STR_EMPTY);
    assert_refused(&second, STR_EMPTY);
    assert_false(token_counts(&first, 1));
    assert_int_equal(events_of("user.disabled"), 1);
    assert_int_equal(events_of("session.revoked"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data LIKE"
                                     " '%\"disabled_by_admin\"%'"),
                     1);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE data LIKE"
                                     " '%\"ended_by_admin\"%'"),
                     2);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE type = 'user.disabled'"
                                     " AND actor = 'boss' AND request_id = 'request-1'"
                                     " AND network = '192.0.2.9'"),
                     1);
}

static void disabling_a_disabled_one_changes_nothing(void **state)
{
    (void)state;
    (void)open_session();
    database_must(disable(refresh_user));
    database_must(disable(refresh_user));
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 2);
    assert_int_equal(events_of("user.disabled"), 1);
    assert_int_equal(audits_of("user.disabled"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM revocations"), 1);
}

static void what_expired_is_not_told(void **state)
{
    (void)state;
    (void)open_session();
    (void)open_session();
    database_do("UPDATE sessions SET idle_expires_at = clock_timestamp() WHERE id ="
                " (SELECT id FROM sessions ORDER BY id LIMIT 1)");
    database_must(disable(refresh_user));
    assert_int_equal(events_of("session.revoked"), 1);
    assert_int_equal(live_sessions(), 0);
}

static void an_event_that_is_not_published_is_not_written(void **state)
{
    (void)state;
    (void)open_session();
    database_do("TRUNCATE outbox");
    administered_rules.published = 0;
    database_must(disable(refresh_user));
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    assert_int_equal(live_sessions(), 0);
}

static void an_enabled_one_is_a_user_again(void **state)
{
    struct kept old = open_session();
    struct kept fresh;

    (void)state;
    database_must(disable(refresh_user));
    database_must(enable(refresh_user));
    database_must(enable(refresh_user));
    assert_int_equal(audits_of("user.enabled"), 1);
    assert_refused(&old, STR_EMPTY);
    assert_false(token_counts(&old, 1));
    assert_int_equal(database_number("SELECT auth_ver FROM users WHERE status = 'active'"), 2);
    fresh = open_session_at(2);
    assert_true(token_counts(&fresh, 2));
    (void)next_token(&fresh);
}

static void nobody_is_nobody(void **state)
{
    struct uuid nil = {{0}};

    (void)state;
    assert_int_equal(disable(STR("nobody")), ERR_NOT_FOUND);
    assert_int_equal(enable(STR("5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3f")), ERR_NOT_FOUND);
    assert_int_equal(end_sessions(STR("")), ERR_NOT_FOUND);
    assert_int_equal(end_session(nil), ERR_NOT_FOUND);
    /* Another spelling of an id is no `sub`: its lock would be another one. */
    assert_int_equal(disable(STR("5F0C8A6E-3D3C-4C53-8D2B-0F8A2B1C9D3E")), ERR_NOT_FOUND);
    assert_int_equal(database_number("SELECT count(*) FROM audit"), 0);
}

static void an_imported_one_is_known_by_its_subject(void **state)
{
    (void)state;
    (void)open_session();
    database_do("UPDATE users SET subject = 'auth0|7'");
    assert_int_equal(disable(refresh_user), ERR_NOT_FOUND);
    database_must(disable(STR("auth0|7")));
    assert_int_equal(live_sessions(), 0);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE subject = 'auth0|7'"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM audit WHERE subject = 'auth0|7'"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM revocations WHERE subject = 'auth0|7'"
                                     " AND min_auth_ver = 2"),
                     1);
}

static void administrators_do_not_disable_themselves(void **state)
{
    (void)state;
    database_do("UPDATE users SET subject = 'boss'");
    assert_int_equal(disable(STR("boss")), ERR_OWN_ACCOUNT);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE status = 'active'"), 1);
    database_must(end_sessions(STR("boss")));
}

static void ending_all_sessions_keeps_the_user(void **state)
{
    struct kept first = open_session();
    struct kept second = open_session();
    struct kept later;

    (void)state;
    database_must(end_sessions(refresh_user));
    assert_int_equal(live_sessions(), 0);
    assert_false(token_counts(&first, 1));
    assert_false(token_counts(&second, 1));
    assert_int_equal(events_of("session.revoked"), 2);
    assert_int_equal(audits_of("user.sessions_ended"), 1);
    later = open_session();
    assert_true(token_counts(&later, 1));
    (void)next_token(&later);
}

static void ending_one_session_keeps_the_others(void **state)
{
    struct kept first = open_session();
    struct kept second = open_session();

    (void)state;
    database_must(end_session(first.sid));
    assert_false(token_counts(&first, 1));
    assert_true(token_counts(&second, 1));
    assert_refused(&first, STR_EMPTY);
    (void)next_token(&second);
    database_must(end_session(first.sid)); /* again */
    assert_int_equal(events_of("session.revoked"), 1);
    assert_int_equal(audits_of("session.ended"), 1);
    assert_int_equal(database_number("SELECT count(*) FROM revocations"), 1);
}

/* More than a batch, some of them later than the moment, ended or expired. */
static void all_that_began_before_a_moment_end(void **state)
{
    struct work work = account_work();
    struct kept token = open_session();
    int64_t ended = -1;

    (void)state;
    database_do("INSERT INTO sessions (id, user_id, client_id, kid, token_hash, auth_ver,"
                " auth_time, amr, created_at, idle_expires_at, absolute_expires_at, revoked_at)"
                " SELECT gen_random_uuid(), u.id, 'first-party', 'k1', '\\x00', 1, now(),"
                " '{pwd}', now() - (CASE WHEN n <= 2100 THEN interval '1 hour'"
                " ELSE interval '0' END), now() + (CASE WHEN n <= 2000 OR n > 2050"
                " THEN interval '1 hour' ELSE interval '-1 s' END), now() + interval '1 day',"
                " CASE WHEN n > 2050 AND n <= 2100 THEN now() END"
                " FROM users u, generate_series(1, 2300) n");
    work = account_work();
    database_must(administration_end_begun(&administered_rules, &work, &administered_by,
                                           clock_wall_ms() - 1800000, &ended));
    assert_int_equal(ended, 2000);
    assert_int_equal(live_sessions(), 200 + 50 + 1);
    assert_int_equal(database_number("SELECT count(*) FROM revocations"), 2000);
    assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                     " 'session.revoked'"),
                     0);
    assert_int_equal(audits_of("sessions.ended"), 1);
    assert_true(token_counts(&token, 1));
    assert_int_equal(revocation_count(account_revocations), 2000);
}

static void no_moment_to_come_ends_sessions(void **state)
{
    struct kept token = open_session();
    struct work work = account_work();
    int64_t ended = -1;

    (void)state;
    assert_int_equal(administration_end_begun(&administered_rules, &work, &administered_by,
                                              clock_wall_ms() + 5000, &ended),
                     ERR_NO_MATCH);
    assert_int_equal(ended, -1);
    assert_true(token_counts(&token, 1));
    assert_int_equal(live_sessions(), 1);
    assert_int_equal(audits_of("sessions.ended"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMINISTERED(disabling_ends_all_that_a_user_has),
        ADMINISTERED(disabling_a_disabled_one_changes_nothing),
        ADMINISTERED(what_expired_is_not_told),
        ADMINISTERED(an_event_that_is_not_published_is_not_written),
        ADMINISTERED(an_enabled_one_is_a_user_again),
        ADMINISTERED(nobody_is_nobody),
        ADMINISTERED(an_imported_one_is_known_by_its_subject),
        ADMINISTERED(administrators_do_not_disable_themselves),
        ADMINISTERED(ending_all_sessions_keeps_the_user),
        ADMINISTERED(ending_one_session_keeps_the_others),
        ADMINISTERED(all_that_began_before_a_moment_end),
        ADMINISTERED(no_moment_to_come_ends_sessions),
    };

    return cmocka_run_group_tests_name("administration", tests, refresh_start, refresh_stop);
}
