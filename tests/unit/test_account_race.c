/* SPDX-License-Identifier: Apache-2.0 */
/* What happens at once. */
#include "support/journey.h"

#include <pthread.h>

/* What a racing worker has for itself. */
struct racer {
    pthread_t thread;
    struct pg *pg;
    struct password_hasher *hasher;
    unsigned char memory[65536];
    const struct str *token;
    struct str password;
    pthread_barrier_t *start;
    enum error error;
};

static void *race(void *context)
{
    struct racer *self = context;
    struct arena arena;
    struct work work = {.pg = self->pg, .hasher = self->hasher, .arena = &arena};
    struct account_confirmation in = {*self->token, self->password, origin};
    struct session_grant grant;

    arena_init(&arena, self->memory, sizeof(self->memory));
    (void)pthread_barrier_wait(self->start);
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    self->error = account_confirm(&account_service, &work, &in, &grant);
    return NULL;
}

enum { RACERS = 4 };

static void run_race(struct racer *racers)
{
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        pg_deadline(racers[i].pg, clock_mono_ms() + POSTGRES_CALL_MS);
        assert_int_equal(pg_ready(racers[i].pg), OK);
        assert_int_equal(pthread_create(&racers[i].thread, NULL, race, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static size_t count_of(const struct racer *racers, enum error error)
{
    size_t count = 0;

    for (size_t i = 0; i < RACERS; i++) {
        count += racers[i].error == error ? 1 : 0;
    }
    return count;
}

static void make_racers(struct racer *racers)
{
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){
            .pg = pg_new(&test_options),
            .hasher = password_hasher_new(auth_cheap()),
            .password = good_password,
        };
    }
}

static void free_racers(struct racer *racers)
{
    for (size_t i = 0; i < RACERS; i++) {
        pg_free(racers[i].pg);
        password_hasher_free(racers[i].hasher);
    }
}

static void a_confirmation_that_races_itself_happens_once(void **state)
{
    static struct racer racers[RACERS];
    struct str token;

    (void)state;
    make_racers(racers);
    for (unsigned round = 0; round < 20; round++) {
        account_reset();
        token =
            token_of(ONETIME_REGISTRATION, start_registration("ada@example.com", good_password));
        for (size_t i = 0; i < RACERS; i++) {
            racers[i].token = &token;
        }
        run_race(racers);
        assert_int_equal(count_of(racers, OK), 1);
        assert_int_equal(count_of(racers, ERR_INVALID_TOKEN), RACERS - 1);
        assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                         " 'user.registered'"),
                         1);
    }
    free_racers(racers);
}

/* Different attempts of one address at once: one account, and the others are told as ever. */
static void attempts_that_race_make_one_account(void **state)
{
    static struct racer racers[RACERS];
    static char texts[RACERS][ONETIME_TOKEN_BYTES_MAX];
    struct str tokens[RACERS];

    (void)state;
    make_racers(racers);
    for (unsigned round = 0; round < 20; round++) {
        account_reset();
        for (size_t i = 0; i < RACERS; i++) {
            tokens[i] = token_of(ONETIME_REGISTRATION,
                                 start_registration("ada@example.com", good_password));
            memcpy(texts[i], tokens[i].ptr, tokens[i].len);
            tokens[i].ptr = texts[i];
            racers[i].token = &tokens[i];
        }
        run_race(racers);
        assert_int_equal(count_of(racers, OK), 1);
        assert_int_equal(count_of(racers, ERR_INVALID_TOKEN), RACERS - 1);
        assert_int_equal(database_number("SELECT count(*) FROM users"), 1);
        assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
        assert_int_equal(database_number("SELECT count(*) FROM outbox WHERE type ="
                                         " 'user.registered'"),
                         1);
    }
    free_racers(racers);
}

static void *change_credentials(void *context)
{
    return pg_execute(context, "SELECT change_credentials()") == OK ? NULL : context;
}

/* The password is changed between the look-up and the session. The change holds the user's row until
 * the login has to wait for it, which it does with its last statement. */
static void a_login_that_meets_a_change_of_credentials_fails(void **state)
{
    struct pg *pg = pg_new(&test_options);
    void *failed = NULL;
    pthread_t change;

    (void)state;
    make_account("ada@example.com", good_password);
    database_do("DELETE FROM sessions");
    database_do("CREATE OR REPLACE FUNCTION change_credentials() RETURNS void LANGUAGE plpgsql AS"
                " $$ BEGIN"
                " UPDATE users SET auth_ver = auth_ver + 1;"
                " FOR i IN 1 .. 800 LOOP"
                "  EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
                "  PERFORM pg_sleep(0.01);"
                " END LOOP; END $$");
    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_ready(pg), OK);
    assert_int_equal(pthread_create(&change, NULL, change_credentials, pg), 0);
    database_await("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1);
    assert_int_equal(login("ada@example.com", good_password), ERR_INVALID_CREDENTIALS);
    assert_int_equal(pthread_join(change, &failed), 0);
    assert_null(failed);
    pg_free(pg);
    assert_int_equal(database_number("SELECT auth_ver FROM users"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(a_confirmation_that_races_itself_happens_once),
        JOURNEY(attempts_that_race_make_one_account),
        JOURNEY(a_login_that_meets_a_change_of_credentials_fails),
    };

    return cmocka_run_group_tests_name("account_race", tests, journey_start, journey_stop);
}
