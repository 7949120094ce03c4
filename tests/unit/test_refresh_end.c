/* SPDX-License-Identifier: Apache-2.0 */
/* How refresh tokens end a session, what many do with one token at once, and what is counted. */
#include "support/refreshes.h"

#include <pthread.h>

static void any_genuine_token_ends_the_session(void **state)
{
    (void)state;
    for (size_t which = 0; which < 4; which++) {
        struct kept tokens[4];
        bool has_events = false;

        account_do("TRUNCATE sessions, outbox");
        tokens[0] = open_session();
        for (size_t i = 1; i < 4; i++) {
            tokens[i] = next_token(&tokens[i - 1]);
        }
        database_do("DELETE FROM outbox");
        database_must(end_by(&tokens[which], &has_events));
        assert_true(has_events);
        assert_int_equal(events_of("session.revoked"), 1);
        for (size_t i = 0; i < 4; i++) {
            assert_refused(&tokens[i], STR_EMPTY);
        }
        assert_int_equal(events_of("session.reuse_detected"), 0);
        database_must(end_by(&tokens[which], &has_events)); /* one that has ended is fine */
        assert_false(has_events);
        assert_int_equal(events_of("session.revoked"), 1);
    }
}

static void the_reason_is_told(void **state)
{
    struct kept token = open_session();
    bool has_events;

    (void)state;
    database_must(end_by(&token, &has_events));
    assert_int_equal(account_number("SELECT count(*) FROM outbox WHERE type = 'session.revoked'"
                                    " AND subject = '%.*s' AND data::json->>'session_id' = '%s'"
                                    " AND data::json->>'reason' = 'logout'",
                                    STR_ARG(refresh_user), token.sid_text),
                     1);
}

static void it_ends_that_session_alone(void **state)
{
    struct kept other = open_session();
    struct kept token = open_session();
    bool has_events;

    (void)state;
    database_must(end_by(&token, &has_events));
    assert_int_equal(next_token(&other).generation, 1);
}

/* What is not live can be ended as well, and what is gone is no error. */
static void dead_sessions_can_be_ended(void **state)
{
    static const char *const ends[] = {
        "UPDATE sessions SET idle_expires_at = clock_timestamp() - interval '1 s'",
        "UPDATE sessions SET absolute_expires_at = clock_timestamp() - interval '1 s'",
        "UPDATE users SET status = 'disabled'",
        "UPDATE users SET status = 'active', auth_ver = 2",
    };
    bool has_events = true;
    struct kept token;

    (void)state;
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        database_do("UPDATE users SET status = 'active', auth_ver = 1");
        token = open_session();
        database_do(ends[i]);
        database_must(end_by(&token, &has_events));
        assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE id = '%s'"
                                        " AND revoked_at IS NOT NULL",
                                        token.sid_text),
                         1);
    }
    database_do("DELETE FROM sessions");
    database_must(end_by(&token, &has_events));
    assert_false(has_events);
}

/* The tag says whose a token is, and the row says it again. */
static void another_clients_session_is_none(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct kept third = next_token(&second);
    char before[ROW_BYTES_MAX];
    bool has_events = true;

    (void)state;
    database_do("UPDATE sessions SET client_id = 'another'");
    row_text(before);
    assert_refused(&third, STR_EMPTY);
    assert_refused(&second, STR_EMPTY);
    assert_refused(&first, STR_EMPTY);
    database_must(end_by(&third, &has_events));
    assert_false(has_events);
    assert_row(before);
}

enum { RACERS = 8, ROUNDS = 25 };

struct racer {
    pthread_t thread;
    pthread_barrier_t *barrier;
    const struct kept *token;
    struct pg *pg;
    enum error error;
    char text[REFRESH_TOKEN_BYTES_MAX + 1];
};

static void *race(void *context)
{
    struct racer *self = context;
    struct refresh_request request = request_of(self->token, STR_EMPTY);
    unsigned char memory[65536];
    struct session_grant grant;
    struct arena arena;
    struct work work = {.pg = self->pg, .arena = &arena};

    arena_init(&arena, memory, sizeof(memory));
    (void)pthread_barrier_wait(self->barrier);
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    self->error = refresh_rotate(&account_sessions, &work, &request, &grant);
    if (self->error == OK) {
        (void)snprintf(self->text, sizeof(self->text), "%.*s", STR_ARG(grant.refresh_token));
    }
    return NULL;
}

static void run_race(struct racer racers[RACERS], const struct kept *token)
{
    pthread_barrier_t barrier;

    assert_int_equal(pthread_barrier_init(&barrier, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].barrier = &barrier;
        racers[i].token = token;
        racers[i].text[0] = '\0';
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    }
    pthread_barrier_destroy(&barrier);
}

static void connect_all(struct racer racers[RACERS])
{
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].pg = pg_new(&test_options);
        pg_deadline(racers[i].pg, clock_mono_ms() + POSTGRES_CALL_MS);
        assert_int_equal(pg_ready(racers[i].pg), OK);
    }
}

static void disconnect_all(struct racer racers[RACERS])
{
    for (size_t i = 0; i < RACERS; i++) {
        pg_free(racers[i].pg);
    }
}

static void many_get_one_successor(void **state)
{
    struct racer racers[RACERS] = {0};
    struct kept token = open_session();

    (void)state;
    connect_all(racers);
    for (int64_t round = 1; round <= ROUNDS; round++) {
        run_race(racers, &token);
        for (size_t i = 0; i < RACERS; i++) {
            assert_int_equal(racers[i].error, OK);
            assert_string_equal(racers[i].text, racers[0].text);
        }
        token = keep(str_from(racers[0].text));
        assert_int_equal(token.generation, round);
        assert_int_equal(database_number("SELECT generation FROM sessions"), round);
    }
    disconnect_all(racers);
    assert_int_equal(events_of("session.reuse_detected"), 0);
}

/* One wins, and the first of the others ends it for all. */
static void without_grace_many_end_the_session(void **state)
{
    struct racer racers[RACERS] = {0};

    (void)state;
    account_sessions.grace_s = 0;
    connect_all(racers);
    for (int64_t round = 1; round <= ROUNDS; round++) {
        struct kept token = open_session();
        unsigned winners = 0;

        run_race(racers, &token);
        for (size_t i = 0; i < RACERS; i++) {
            assert_true(racers[i].error == OK || racers[i].error == ERR_INVALID_REFRESH_TOKEN);
            winners += racers[i].error == OK;
        }
        assert_int_equal(winners, 1);
        assert_int_equal(account_number("SELECT count(*) FROM sessions WHERE id = '%s'"
                                        " AND generation = 1 AND revoked_at IS NOT NULL",
                                        token.sid_text),
                         1);
        assert_int_equal(events_of("session.reuse_detected"), round);
    }
    disconnect_all(racers);
}

static void what_came_of_it_is_counted(void **state)
{
    struct kept first = open_session();
    struct kept second = next_token(&first);
    struct kept third;
    struct kept forged = first;

    (void)state;
    refresh_register_metrics();
    third = next_token(&second);
    (void)next_token(&second);
    forged.text[strlen(forged.text) - 1] ^= 1;
    assert_refused(&forged, STR_EMPTY);
    account_do("UPDATE sessions SET generation = 1, token_hash = '\\x%s', prev_hash = '\\x%s'",
               second.hash, first.hash);
    assert_refused(&third, STR_EMPTY);
    (void)next_token(&second);
    assert_refused(&first, STR_EMPTY);
    assert_refused(&third, STR_EMPTY);
    assert_counted("rotated", 2);
    assert_counted("repeated", 1);
    assert_counted("forged", 1);
    assert_counted("ahead_of_database", 1);
    assert_counted("reuse_detected", 1);
    assert_counted("ended", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        REFRESH(any_genuine_token_ends_the_session), REFRESH(the_reason_is_told),
        REFRESH(it_ends_that_session_alone),         REFRESH(dead_sessions_can_be_ended),
        REFRESH(another_clients_session_is_none),    REFRESH(many_get_one_successor),
        REFRESH(without_grace_many_end_the_session), REFRESH(what_came_of_it_is_counted),
    };

    return cmocka_run_group_tests_name("refresh_end", tests, refresh_start, refresh_stop);
}
