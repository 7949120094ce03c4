/* SPDX-License-Identifier: Apache-2.0 */
#include "support/refreshes.h"

static void a_rotation_has_a_successor(void **state)
{
    struct token_claims claims;
    struct session_grant grant;
    struct kept first = open_session();
    struct kept second = refreshed(&first, &grant);

    (void)state;
    assert_int_equal(second.generation, 1);
    assert_true(uuid_equal(grant.session_id, first.sid));
    assert_int_equal(grant.expires_in_s, 300);
    assert_int_equal(grant.refresh_expires_in_s, 3600);
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_true(uuid_equal(claims.sid, first.sid));
    assert_str_equal(claims.sub, refresh_user);
    assert_str_equal(claims.client_id, STR("first-party"));
    assert_int_equal(claims.auth_ver, 1);
    assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE generation = 1"
                                    " AND token_hash = '\\x%s' AND prev_hash = '\\x%s'"
                                    " AND idem_hash IS NULL AND revoked_at IS NULL"
                                    " AND clock_timestamp() - rotated_at < interval '1 min'"
                                    " AND kid = 'k1'",
                                    second.hash, first.hash),
                     1);
    assert_int_equal(events_of("session.reuse_detected"), 0);
}

/* auth_time and amr are those of the login, roles those of now. */
static void claims_are_of_the_session(void **state)
{
    struct kept token = open_session();
    struct session_grant grant;
    struct token_claims claims;
    struct str parts;
    struct str payload;

    (void)state;
    database_do("UPDATE sessions SET auth_time = to_timestamp(1700000000), amr = '{pwd,otp}'");
    database_do("UPDATE users SET roles = '{admin,support}', subject = 'imported-1'");
    token = refreshed(&token, &grant);
    parts = grant.access_token;
    (void)str_cut(&parts, '.');
    assert_int_equal(codec_base64url_decode(&auth_arena, str_cut(&parts, '.'), &payload), OK);
    assert_non_null(memmem(payload.ptr, payload.len, "\"amr\":[\"pwd\",\"otp\"]", 19));
    assert_non_null(memmem(payload.ptr, payload.len, "\"roles\":[\"admin\",\"support\"]", 27));
    assert_int_equal(token_check(&account_tokens, &auth_arena, grant.access_token, &claims), OK);
    assert_int_equal(claims.auth_time_s, 1700000000);
    assert_str_equal(claims.sub, STR("imported-1"));
}

static void each_rotation_keeps_the_session_awake(void **state)
{
    struct kept token = open_session();
    struct session_grant grant;

    (void)state;
    database_do("UPDATE sessions SET idle_expires_at = clock_timestamp() + interval '10 s'");
    token = refreshed(&token, &grant);
    assert_int_equal(grant.refresh_expires_in_s, 3600);
    database_do("UPDATE sessions SET absolute_expires_at = clock_timestamp() + interval '100 s'");
    token = refreshed(&token, &grant); /* and not beyond its end */
    assert_in_range(grant.refresh_expires_in_s, 90, 100);
}

static void a_chain_of_rotations(void **state)
{
    struct kept token = open_session();

    (void)state;
    for (int64_t i = 1; i <= 50; i++) {
        token = next_token(&token);
        assert_int_equal(token.generation, i);
    }
    assert_int_equal(database_number("SELECT generation FROM sessions"), 50);
}

/* A second tab, a lost answer. */
static void the_previous_token_has_the_same_successor(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    char before[ROW_BYTES_MAX];

    (void)state;
    row_text(before);
    for (unsigned i = 0; i < 5; i++) {
        struct kept again = next_token(&first);

        assert_string_equal(again.text, second.text);
    }
    assert_row(before); /* untouched */
    second = next_token(&second);
    assert_int_equal(second.generation, 2);
    assert_int_equal(events_of("session.reuse_detected"), 0);
}

static void an_old_token_ends_the_session_and_tells_once(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct kept third = next_token(&second);

    (void)state;
    assert_refused(&first, STR_EMPTY);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL"), 0);
    assert_int_equal(events_of("session.reuse_detected"), 1);
    assert_refused(&first, STR_EMPTY);
    assert_refused(&second, STR_EMPTY);
    assert_refused(&third, STR_EMPTY);
    assert_int_equal(events_of("session.reuse_detected"), 1);
    assert_int_equal(events_of("session.revoked"), 0);
    assert_int_equal(
        account_number("SELECT count(*) FROM outbox WHERE is_ordered AND subject = '%.*s'"
                       " AND type = 'session.reuse_detected'"
                       " AND data::json->>'session_id' = '%s'"
                       " AND data::json->>'client_id' = 'first-party'",
                       STR_ARG(refresh_user), first.sid_text),
        1);
}

static void reuse_ends_that_session_alone(void **state)
{
    struct kept other = open_session();
    struct kept first = open_session();
    struct kept second = next_token(&first);

    (void)state;
    (void)next_token(&second);
    assert_refused(&first, STR_EMPTY);
    other = next_token(&other);
    assert_int_equal(other.generation, 1);
}

static void after_the_grace_the_previous_token_is_old(void **state)
{
    struct kept first = open_session();

    (void)state;
    (void)next_token(&first);
    database_do("UPDATE sessions SET rotated_at = rotated_at - interval '59 s'");
    (void)next_token(&first);
    database_do("UPDATE sessions SET rotated_at = rotated_at - interval '2 s'");
    assert_refused(&first, STR_EMPTY);
    assert_int_equal(events_of("session.reuse_detected"), 1);
}

static void without_grace_the_key_decides(void **state)
{
    static const struct str wrong[] = {STR_EMPTY, STR("key-2"), STR("Key-1"), STR("key-1 ")};

    (void)state;
    account_sessions.grace_s = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct kept first;
        struct kept second;

        account_do("TRUNCATE sessions, outbox");
        first = open_session();
        second = next_token_with(&first, STR("key-1"));
        database_do("UPDATE sessions SET rotated_at = rotated_at - interval '1 h'");
        assert_string_equal(next_token_with(&first, STR("key-1")).text, second.text);
        assert_refused(&first, wrong[i]);
        assert_int_equal(events_of("session.reuse_detected"), 1);
        assert_refused(&second, STR_EMPTY);
    }
}

/* A key is for the rotation that it came with. */
static void a_key_ends_with_the_next_rotation(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token_with(&first, STR("key-1"));

    (void)state;
    account_sessions.grace_s = 0;
    (void)next_token_with(&second, STR_EMPTY);
    assert_refused(&second, STR("key-1"));
    assert_int_equal(events_of("session.reuse_detected"), 1);
}

static void one_key_for_every_rotation_is_no_open_door(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token_with(&first, STR("same"));

    (void)state;
    account_sessions.grace_s = 0;
    (void)next_token_with(&second, STR("same"));
    assert_refused(&first, STR("same"));
    assert_int_equal(events_of("session.reuse_detected"), 1);
}

/* With a connection that is none, anything that asked the database would end the test. */
static void a_forgery_does_not_reach_the_database(void **state)
{
    struct kept token = open_session();
    size_t len = strlen(token.text);
    char before[ROW_BYTES_MAX];

    (void)state;
    row_text(before);
    for (size_t at = 0; at < len; at++) {
        struct work work = {.pg = NULL, .arena = auth_fresh_arena()};
        char forged[REFRESH_TOKEN_BYTES_MAX];
        struct refresh_request request = {.token = {forged, len}, .client_id = refresh_client};
        struct session_grant grant;

        memcpy(forged, token.text, len);
        forged[at] = forged[at] == 'A' ? 'B' : 'A';
        assert_int_equal(refresh_rotate(&account_sessions, &work, &request, &grant),
                         ERR_INVALID_REFRESH_TOKEN);
        assert_int_equal(refresh_revoke(&account_sessions, &work, &request),
                         ERR_INVALID_REFRESH_TOKEN);
        request.token = str_from(token.text);
        request.client_id = STR("another");
        assert_int_equal(refresh_rotate(&account_sessions, &work, &request, &grant),
                         ERR_INVALID_REFRESH_TOKEN);
        assert_int_equal(refresh_revoke(&account_sessions, &work, &request),
                         ERR_INVALID_REFRESH_TOKEN);
    }
    assert_row(before);
    (void)next_token(&token);
}

/* The row went back to an earlier state: the client is ahead of it, which is nobody's theft. */
static void a_restored_database_ends_nothing(void **state)
{
    struct kept tokens[5] = {open_session()};
    char before[ROW_BYTES_MAX];

    (void)state;
    for (size_t i = 1; i < 5; i++) {
        tokens[i] = next_token(&tokens[i - 1]);
    }
    account_do("UPDATE sessions SET generation = 2, token_hash = '\\x%s', prev_hash = '\\x%s'",
               tokens[2].hash, tokens[1].hash);
    row_text(before);
    assert_refused(&tokens[4], STR_EMPTY);
    assert_refused(&tokens[3], STR_EMPTY);
    assert_row(before);
    assert_int_equal(events_of("session.reuse_detected"), 0);
    assert_string_equal(next_token(&tokens[2]).text, tokens[3].text); /* who has that goes on */
}

static void whatever_ends_a_session_ends_its_tokens(void **state)
{
    static const char *const ends[][2] = {
        {"UPDATE sessions SET revoked_at = clock_timestamp()",
         "UPDATE sessions SET revoked_at = NULL"},
        {"UPDATE sessions SET idle_expires_at = clock_timestamp() - interval '1 s'",
         "UPDATE sessions SET idle_expires_at = clock_timestamp() + interval '1 h'"},
        {"UPDATE sessions SET absolute_expires_at = clock_timestamp() - interval '1 s'",
         "UPDATE sessions SET absolute_expires_at = clock_timestamp() + interval '1 h'"},
        {"UPDATE users SET status = 'disabled'", "UPDATE users SET status = 'active'"},
        {"UPDATE users SET auth_ver = 2", "UPDATE users SET auth_ver = 1"},
        {"UPDATE sessions SET auth_ver = 2", "UPDATE sessions SET auth_ver = 1"},
    };
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct kept third = next_token(&second);

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        char before[ROW_BYTES_MAX];

        database_do(ends[i][0]);
        row_text(before);
        assert_refused(&third, STR_EMPTY);  /* the current one */
        assert_refused(&second, STR_EMPTY); /* the previous one */
        assert_refused(&first, STR_EMPTY);  /* an old one, which is no news any more */
        assert_row(before);
        database_do(ends[i][1]);
        assert_string_equal(next_token(&second).text, third.text);
    }
    assert_int_equal(events_of("session.reuse_detected"), 0);
    database_do("DELETE FROM sessions");
    assert_refused(&third, STR_EMPTY);
    assert_refused(&first, STR_EMPTY);
    assert_int_equal(events_of("session.reuse_detected"), 0);
}

/* The update met a session that could not be rotated just then, and the look after it one that can. */
static void what_comes_alive_meanwhile_is_tried_once_more(void **state)
{
    struct kept token = open_session();
    struct kept next;

    (void)state;
    skip_updates(1);
    next = next_token(&token);
    assert_int_equal(next.generation, 1);
    skip_updates(2);
    assert_refused(&next, STR_EMPTY); /* not for ever */
    skip_updates(0);
    assert_int_equal(events_of("session.reuse_detected"), 0);
    next = next_token(&next);
    assert_int_equal(next.generation, 2);
}

static void reuse_without_events_ends_the_session_too(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct kept third = next_token(&second);

    (void)state;
    account_sessions.published = 0;
    database_do("DELETE FROM outbox");
    assert_refused(&first, STR_EMPTY);
    assert_int_equal(database_number("SELECT count(*) FROM outbox"), 0);
    assert_refused(&third, STR_EMPTY);
}

static void the_relay_is_woken_for_reuse_alone(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct session_grant grant;
    struct work work = account_work();
    struct refresh_request request = request_of(&second, STR_EMPTY);

    (void)state;
    database_must(refresh_rotate(&account_sessions, &work, &request, &grant));
    assert_false(work.has_events);
    work = account_work();
    request = request_of(&first, STR_EMPTY);
    assert_int_equal(refresh_rotate(&account_sessions, &work, &request, &grant),
                     ERR_INVALID_REFRESH_TOKEN);
    assert_true(work.has_events);
}

/* Whatever memory there is: the row has a whole successor or is untouched. */
static void a_full_arena_rotates_nothing_by_half(void **state)
{
    static unsigned char memory[32768];
    struct kept token = open_session();
    bool fitted = false;

    (void)state;
    for (size_t bytes = 64; bytes < sizeof(memory) && !fitted; bytes += 16) {
        struct refresh_request request = request_of(&token, STR("key-1"));
        struct session_grant grant;
        struct arena arena;
        struct work work = {.pg = database(), .arena = &arena};
        enum error error;

        arena_init(&arena, memory, bytes);
        error = refresh_rotate(&account_sessions, &work, &request, &grant);
        assert_true(error == OK || error == ERR_NO_SPACE);
        fitted = error == OK;
    }
    assert_true(fitted);
    assert_int_equal(database_number("SELECT count(*) FROM sessions WHERE length(token_hash) = 32"
                                     " AND length(prev_hash) = 32 AND generation = 1"),
                     1);
    token = next_token_with(&token, STR("key-1"));
    assert_int_equal(next_token(&token).generation, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REFRESH(a_rotation_has_a_successor),
        REFRESH(claims_are_of_the_session),
        REFRESH(each_rotation_keeps_the_session_awake),
        REFRESH(a_chain_of_rotations),
        REFRESH(the_previous_token_has_the_same_successor),
        REFRESH(an_old_token_ends_the_session_and_tells_once),
        REFRESH(reuse_ends_that_session_alone),
        REFRESH(after_the_grace_the_previous_token_is_old),
        REFRESH(without_grace_the_key_decides),
        REFRESH(a_key_ends_with_the_next_rotation),
        REFRESH(one_key_for_every_rotation_is_no_open_door),
        REFRESH(a_forgery_does_not_reach_the_database),
        REFRESH(a_restored_database_ends_nothing),
        REFRESH(whatever_ends_a_session_ends_its_tokens),
        REFRESH(what_comes_alive_meanwhile_is_tried_once_more),
        REFRESH(reuse_without_events_ends_the_session_too),
        REFRESH(the_relay_is_woken_for_reuse_alone),
        REFRESH(a_full_arena_rotates_nothing_by_half),
    };

    return cmocka_run_group_tests_name("refresh", tests, refresh_start, refresh_stop);
}
