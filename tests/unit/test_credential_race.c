/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens to a password at once. One of two transactions is paused at each border between its
 * statements (and within them, and at its commit), the other one runs as far as it can, then the first
 * goes on: whatever the order, no session of the old password is left.
 */
#include "support/credentials.h"

#include <pthread.h>
#include <stdatomic.h>

#include "refresh.h"

enum action { LOGIN, CHANGE, RESET, REFRESH };

static const char *const action_names[] = {"login", "change", "reset", "refresh"};

/* Who takes part has for itself what a worker has. */
struct actor {
    pthread_t thread;
    struct pg_options options;
    struct pg *pg;
    struct password_hasher *hasher;
    unsigned char memory[256 * 1024];
    enum action action;
    struct token_claims claims; /* of a change */
    struct str token;           /* of a reset, or a refresh token */
    pthread_barrier_t *start;   /* NULL: at once */
    _Atomic bool done;
    enum error error;
};

static enum error act(struct actor *self, struct work *work)
{
    struct account_login login_in = {.password = good_password, .origin = origin};
    const struct credential_password_change change = {&self->claims, good_password, new_password,
                                                      origin};
    const struct credential_password_reset reset = {self->token, new_password, origin};
    const struct refresh_request refresh = {.token = self->token, .client_id = origin.client_id};
    struct json_findings findings = {0};
    struct session_grant grant;
    const char *why = "";

    TRY(email_parse(work->arena, STR("ada@example.com"), &login_in.email, &why));
    switch (self->action) {
    case LOGIN:
        return account_login(&account_service, work, &login_in, &grant);
    case CHANGE:
        return credential_change(&account_service, work, &change, &findings, &grant);
    case RESET:
        return credential_reset(&account_service, work, &reset, &findings);
    case REFRESH:
        return refresh_rotate(&account_sessions, work, &refresh, &grant);
    }
    return ERR_INTERNAL;
}

static void *actor_main(void *context)
{
    struct actor *self = context;
    struct arena arena;
    struct work work = {.pg = self->pg, .hasher = self->hasher, .arena = &arena};

    arena_init(&arena, self->memory, sizeof(self->memory));
    if (self->start != NULL) {
        (void)pthread_barrier_wait(self->start);
    }
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    self->error = act(self, &work);
    atomic_store(&self->done, true);
    return NULL;
}

static void actor_open(struct actor *self, const char *name)
{
    self->options = test_options;
    self->options.application_name = name;
    self->pg = pg_new(&self->options);
    self->hasher = password_hasher_new(auth_cheap());
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_ready(self->pg), OK);
}

static void actor_close(struct actor *self)
{
    pg_free(self->pg);
    password_hasher_free(self->hasher);
}

static void actor_start(struct actor *self)
{
    atomic_store(&self->done, false);
    assert_int_equal(pthread_create(&self->thread, NULL, actor_main, self), 0);
}

static void actor_join(struct actor *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
}

/* Where a transaction can be stopped, and whose has that place. */
static const struct border {
    const char *place;
    unsigned actions; /* a bit each */
} borders[] = {
    {"BEFORE UPDATE ON users", 1U << CHANGE | 1U << RESET},
    {"AFTER UPDATE ON users", 1U << CHANGE | 1U << RESET},
    {"BEFORE UPDATE ON sessions", 1U << CHANGE | 1U << RESET | 1U << REFRESH},
    {"AFTER UPDATE ON sessions", 1U << CHANGE | 1U << RESET | 1U << REFRESH},
    {"AFTER INSERT ON outbox", 1U << CHANGE | 1U << RESET},
    {"BEFORE INSERT ON sessions", 1U << CHANGE | 1U << LOGIN},
    {"AFTER INSERT ON sessions", 1U << CHANGE | 1U << LOGIN},
    {"BEFORE DELETE ON one_time_tokens", 1U << RESET},
    {"AFTER DELETE ON one_time_tokens", 1U << RESET},
};

static void set_border(const struct border *border, bool at_commit)
{
    if (at_commit) {
        database_do("CREATE CONSTRAINT TRIGGER pause AFTER INSERT OR UPDATE ON sessions"
                    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()");
        return;
    }
    account_do("CREATE TRIGGER pause %s FOR EACH STATEMENT EXECUTE FUNCTION pause()",
               border->place);
}

static void remove_borders(void)
{
    database_do("DROP TRIGGER IF EXISTS pause ON users; DROP TRIGGER IF EXISTS pause ON sessions;"
                "DROP TRIGGER IF EXISTS pause ON outbox;"
                "DROP TRIGGER IF EXISTS pause ON one_time_tokens");
}

/* Until it is done, or waits for the paused one. */
static void run_as_far_as_it_can(struct actor *other)
{
    const int64_t until_ms = clock_mono_ms() + 10000;

    actor_start(other);
    while (!atomic_load(&other->done) &&
           database_number("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'other'"
                           " AND wait_event_type = 'Lock'") == 0) {
        assert_true(clock_mono_ms() < until_ms);
    }
}

/* One user with two sessions, one of them the acting one, and a reset mail under way. */
static void set_up(struct actor *first, struct actor *second)
{
    static char refresh_token[512];
    static char reset_token[ONETIME_TOKEN_BYTES_MAX];
    struct session_grant grant;
    struct str token;

    account_reset();
    /* As by default: then a login takes no lock but the user's row. */
    account_sessions.published = ~EVENT_BIT(EVENT_SESSION_CREATED);
    make_account("ada@example.com", good_password);
    database_must(try_login("ada@example.com", good_password, &grant));
    memcpy(refresh_token, grant.refresh_token.ptr, grant.refresh_token.len);
    first->claims = second->claims = claims_of(&grant);
    grant.refresh_token.ptr = refresh_token;
    token = token_of(ONETIME_RESET, mailed_reset(1));
    memcpy(reset_token, token.ptr, token.len);
    token.ptr = reset_token;
    first->token = first->action == REFRESH ? grant.refresh_token : token;
    second->token = second->action == REFRESH ? grant.refresh_token : token;
}

static bool sets_password(const struct actor *self)
{
    return self->action == CHANGE || self->action == RESET;
}

static void check_outcome(const struct actor *paused, const struct actor *other, const char *place)
{
    const int set = (sets_password(paused) && paused->error == OK ? 1 : 0) +
                    (sets_password(other) && other->error == OK ? 1 : 0);
    const bool changed = (paused->action == CHANGE && paused->error == OK) ||
                         (other->action == CHANGE && other->error == OK);

    if (set != 1 || outdated_sessions() != 0 || live_sessions() != (changed ? 1 : 0) ||
        events_of("user.password_changed") != 1) {
        fail_msg("%s paused at %s (%s), %s (%s): %lld sessions live, %lld outdated",
                 action_names[paused->action], place, error_code(paused->error),
                 action_names[other->action], error_code(other->error), (long long)live_sessions(),
                 (long long)outdated_sessions());
    }
}

static void meet_at(struct actor *paused, struct actor *other, const struct border *border,
                    bool at_commit)
{
    set_up(paused, other);
    set_border(border, at_commit);
    database_do("SELECT pg_advisory_lock(4711)");
    actor_start(paused);
    database_await("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711"
                   " AND NOT granted",
                   1);
    run_as_far_as_it_can(other);
    database_do("SELECT pg_advisory_unlock(4711)");
    actor_join(paused);
    actor_join(other);
    remove_borders();
    check_outcome(paused, other, at_commit ? "its commit" : border->place);
}

static void meet(enum action first, enum action second)
{
    static struct actor paused;
    static struct actor other;

    paused = (struct actor){.action = first};
    other = (struct actor){.action = second};
    actor_open(&paused, "paused");
    actor_open(&other, "other");
    database_do("CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
                " IF current_setting('application_name') = 'paused' THEN"
                " PERFORM pg_advisory_lock(4711); PERFORM pg_advisory_unlock(4711);"
                " END IF; RETURN NULL; END $$");
    for (size_t i = 0; i < sizeof(borders) / sizeof(borders[0]); i++) {
        if ((borders[i].actions & 1U << first) != 0) {
            meet_at(&paused, &other, &borders[i], false);
        }
    }
    meet_at(&paused, &other, &borders[0], true);
    actor_close(&paused);
    actor_close(&other);
}

static void a_login_meets_a_change(void **state)
{
    (void)state;
    meet(CHANGE, LOGIN);
    meet(LOGIN, CHANGE);
}

static void a_login_meets_a_reset(void **state)
{
    (void)state;
    meet(RESET, LOGIN);
    meet(LOGIN, RESET);
}

static void a_refresh_meets_a_change_or_reset(void **state)
{
    (void)state;
    meet(CHANGE, REFRESH);
    meet(REFRESH, CHANGE);
    meet(RESET, REFRESH);
    meet(REFRESH, RESET);
}

static void of_two_that_set_a_password_one_wins(void **state)
{
    (void)state;
    meet(CHANGE, CHANGE);
    meet(CHANGE, RESET);
    meet(RESET, CHANGE);
    meet(RESET, RESET);
}

enum { RACERS = 4, ROUNDS = 20 };

static struct actor racers[RACERS];

static void race(enum action action)
{
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].action = action;
        racers[i].start = &start;
        actor_start(&racers[i]);
    }
    for (size_t i = 0; i < RACERS; i++) {
        actor_join(&racers[i]);
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static size_t winners(void)
{
    size_t count = 0;

    for (size_t i = 0; i < RACERS; i++) {
        count += racers[i].error == OK ? 1 : 0;
    }
    return count;
}

static void open_racers(void)
{
    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct actor){0};
        actor_open(&racers[i], "racer");
    }
}

static void close_racers(void)
{
    for (size_t i = 0; i < RACERS; i++) {
        actor_close(&racers[i]);
    }
}

/* By one token, and by one each. */
static void of_resets_at_once_one_wins(void **state)
{
    static char texts[RACERS][ONETIME_TOKEN_BYTES_MAX];

    (void)state;
    open_racers();
    for (unsigned round = 0; round < ROUNDS; round++) {
        account_reset();
        make_account("ada@example.com", good_password);
        for (unsigned i = 0; i < RACERS; i++) {
            const struct uuid id = mailed_reset(i + 1);
            const struct str token = token_of(ONETIME_RESET, id);

            memcpy(texts[i], token.ptr, token.len);
            racers[i].token = (struct str){texts[round % 2 == 0 ? i : 0], token.len};
        }
        race(RESET);
        assert_int_equal(winners(), 1);
        assert_int_equal(database_number("SELECT auth_ver FROM users"), 2);
        assert_int_equal(events_of("user.password_changed"), 1);
        assert_int_equal(live_sessions(), 0);
    }
    close_racers();
}

/* Each hashes anew; none waits for another in a circle, and all get in. */
static void logins_at_once_with_an_imported_hash_get_in(void **state)
{
    (void)state;
    open_racers();
    account_reset();
    make_account("ada@example.com", good_password);
    for (unsigned round = 0; round < ROUNDS; round++) {
        database_do("UPDATE users SET pepper_kid = NULL, password_hash ="
                    " '$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS'");
        race(LOGIN);
        assert_int_equal(winners(), RACERS);
        assert_int_equal(database_number("SELECT count(*) FROM users WHERE pepper_kid = 'k1'"), 1);
    }
    assert_int_equal(database_number("SELECT deadlocks FROM pg_stat_database"
                                     " WHERE datname = current_database()"),
                     0);
    close_racers();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(a_login_meets_a_change),
        JOURNEY(a_login_meets_a_reset),
        JOURNEY(a_refresh_meets_a_change_or_reset),
        JOURNEY(of_two_that_set_a_password_one_wins),
        JOURNEY(of_resets_at_once_one_wins),
        JOURNEY(logins_at_once_with_an_imported_hash_get_in),
    };

    return cmocka_run_group_tests_name("credential_race", tests, journey_start, journey_stop);
}
