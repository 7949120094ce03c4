/* SPDX-License-Identifier: Apache-2.0 */
/* What administrators do at once with each other, and with the user's own logins and refreshes. */
#include "support/administered.h"

#include <pthread.h>

#include "client_registry.h"

enum { RACERS = 4, ROUNDS = 20 };

/* What a racing worker has for itself. */
struct racer {
    pthread_t thread;
    struct pg *pg;
    unsigned char memory[65536];
    struct arena arena;
    pthread_barrier_t *start;
    enum error (*act)(struct racer *self, struct work *work);
    struct str role;
    struct kept token;
    struct boss boss;   /* who does it */
    struct boss *other; /* to whom */
    enum error error;
};

static void *run(void *context)
{
    struct racer *self = context;
    struct work work = {.pg = self->pg, .arena = &self->arena};

    arena_init(&self->arena, self->memory, sizeof(self->memory));
    if (self->start != NULL) {
        (void)pthread_barrier_wait(self->start);
    }
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    self->error = self->act(self, &work);
    return NULL;
}

static void begin(struct racer *self)
{
    pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
    assert_int_equal(pg_ready(self->pg), OK);
    assert_int_equal(pthread_create(&self->thread, NULL, run, self), 0);
}

static void end(struct racer *self)
{
    assert_int_equal(pthread_join(self->thread, NULL), 0);
}

static enum error act_disable(struct racer *self, struct work *work)
{
    (void)self;
    return administration_disable(&administered_rules, work, &administered_by, refresh_user);
}

static enum error act_disable_other(struct racer *self, struct work *work)
{
    return administration_disable(&administered_rules, work, &self->boss.by,
                                  self->other->claims.sub);
}

static enum error act_disable_other_client(struct racer *self, struct work *work)
{
    return client_registry_disable(NULL, work, &self->boss.by.audit, self->other->uuid);
}

/* By an administrator, for somebody who shall be one. */
static enum error act_appoint(struct racer *self, struct work *work)
{
    return roles_grant(&administered_rules, work, &self->boss.by, refresh_user, ROLES_ADMIN);
}

static enum error act_end_sessions(struct racer *self, struct work *work)
{
    (void)self;
    return administration_end_sessions(&administered_rules, work, &administered_by, refresh_user);
}

static enum error act_grant(struct racer *self, struct work *work)
{
    return roles_grant(&administered_rules, work, &administered_by, refresh_user, self->role);
}

static enum error act_refresh(struct racer *self, struct work *work)
{
    const struct refresh_request request = request_of(&self->token, STR_EMPTY);
    struct session_grant grant;

    return refresh_rotate(&account_sessions, work, &request, &grant);
}

/* As the last step of a login does: the password was right. */
static enum error act_login(struct racer *self, struct work *work)
{
    struct session_request in = {
        .sub = refresh_user,
        .auth_ver = 1,
        .roles = STR_EMPTY,
        .client_id = refresh_client,
        .ip = STR_EMPTY,
        .user_agent = STR_EMPTY,
    };
    struct session_grant grant;
    struct pg_tx tx;

    (void)self;
    TRY(codec_uuid_parse(refresh_user, &in.user_id));
    pg_tx_begin(&tx, work->pg);
    TRY(session_open(&account_sessions, work, &tx, &in, &grant));
    return pg_tx_commit(&tx);
}

static void race(struct racer *racers)
{
    pthread_barrier_t start;

    assert_int_equal(pthread_barrier_init(&start, NULL, RACERS), 0);
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].start = &start;
        begin(&racers[i]);
    }
    for (size_t i = 0; i < RACERS; i++) {
        end(&racers[i]);
        assert_int_equal(racers[i].error, OK);
    }
    assert_int_equal(pthread_barrier_destroy(&start), 0);
}

static void of_those_who_disable_one_does_it(void **state)
{
    static struct racer racers[RACERS];

    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.pg = pg_new(&test_options), .act = act_disable};
    }
    for (int round = 0; round < ROUNDS; round++) {
        (void)administered_afresh(state);
        (void)open_session();
        race(racers);
        assert_int_equal(database_number("SELECT auth_ver FROM users"), 2);
        assert_int_equal(events_of("user.disabled"), 1);
        assert_int_equal(events_of("session.revoked"), 1);
        assert_int_equal(audits_of("user.disabled"), 1);
    }
    for (size_t i = 0; i < RACERS; i++) {
        pg_free(racers[i].pg);
    }
}

static void no_role_given_at_once_is_lost(void **state)
{
    static const struct str roles[RACERS] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
    static struct racer racers[RACERS];

    for (size_t i = 0; i < RACERS; i++) {
        racers[i] = (struct racer){.pg = pg_new(&test_options), .act = act_grant, .role = roles[i]};
    }
    for (int round = 0; round < ROUNDS; round++) {
        (void)administered_afresh(state);
        race(racers);
        assert_int_equal(database_number("SELECT count(*) FROM users WHERE roles @> '{a,b,c,d}'"
                                         " AND cardinality(roles) = 4 AND auth_ver = 1"),
                         1);
        assert_int_equal(audits_of("user.roles_changed"), 4);
    }
    for (size_t i = 0; i < RACERS; i++) {
        pg_free(racers[i].pg);
    }
}

/* Whoever fires it goes on when somebody waits for a lock that it holds. */
static void pause_at(const char *event, const char *when)
{
    account_do("CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$"
               " BEGIN FOR i IN 1 .. 400 LOOP"
               "  EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
               "  PERFORM pg_sleep(0.01);"
               " END LOOP; RETURN NULL; END $$;"
               "CREATE OR REPLACE TRIGGER pause AFTER %s FOR EACH ROW %s"
               " EXECUTE FUNCTION pause()",
               event, when);
}

static void pause_no_more(void)
{
    database_do("DROP TRIGGER IF EXISTS pause ON sessions; DROP TRIGGER IF EXISTS pause ON users;"
                "DROP TRIGGER IF EXISTS pause ON clients");
}

static void await_pause(void)
{
    database_await("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1);
}

/* The first one is paused with what it holds until the second one waits for it. */
static void meet(struct racer *first, struct racer *second)
{
    first->pg = pg_new(&test_options);
    second->pg = pg_new(&test_options);
    begin(first);
    await_pause();
    begin(second);
    end(first);
    end(second);
    pause_no_more();
    pg_free(first->pg);
    pg_free(second->pg);
}

/* A login that tells nobody takes no lock of its subject: the two meet at the user's row. */
static void a_login_that_is_being_written_is_ended(void **state)
{
    static struct racer login = {.act = act_login};
    static struct racer disable = {.act = act_disable};

    (void)state;
    account_sessions.published = 0;
    pause_at("INSERT ON sessions", "");
    meet(&login, &disable);
    assert_int_equal(login.error, OK);
    assert_int_equal(disable.error, OK);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 1);
    assert_int_equal(live_sessions(), 0);
    assert_int_equal(events_of("session.revoked"), 1);
}

static void a_login_that_comes_too_late_is_refused(void **state)
{
    static struct racer login = {.act = act_login};
    static struct racer disable = {.act = act_disable};

    (void)state;
    account_sessions.published = 0;
    pause_at("UPDATE ON users", "");
    meet(&disable, &login);
    assert_int_equal(disable.error, OK);
    assert_int_equal(login.error, ERR_NO_MATCH);
    assert_int_equal(database_number("SELECT count(*) FROM sessions"), 0);
}

static void a_refresh_that_is_being_written_is_ended(void **state)
{
    static struct racer refresh = {.act = act_refresh};
    static struct racer disable = {.act = act_disable};

    (void)state;
    refresh.token = open_session();
    pause_at("UPDATE ON sessions", "WHEN (NEW.revoked_at IS NULL)");
    meet(&refresh, &disable);
    assert_int_equal(refresh.error, OK);
    assert_int_equal(disable.error, OK);
    assert_int_equal(live_sessions(), 0);
    assert_int_equal(events_of("session.revoked"), 1);
}

static void a_refresh_that_comes_too_late_is_refused(void **state)
{
    static struct racer refresh = {.act = act_refresh};
    static struct racer disable = {.act = act_disable};

    (void)state;
    refresh.token = open_session();
    pause_at("UPDATE ON sessions", "WHEN (NEW.revoked_at IS NOT NULL)");
    meet(&disable, &refresh);
    assert_int_equal(disable.error, OK);
    assert_int_equal(refresh.error, ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(live_sessions(), 0);
    assert_int_equal(database_number("SELECT generation FROM sessions"), 0);
    assert_int_equal(events_of("session.reuse_detected"), 0);
}

static void assert_not_appointed(const struct racer *ending, const struct racer *appointing)
{
    assert_int_equal(ending->error, OK);
    assert_int_equal(appointing->error, ERR_UNAUTHENTICATED);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE roles <> '{}'"
                                     " AND email = 'a@example.com'"),
                     0);
    assert_int_equal(audits_of("user.roles_changed"), 0);
}

/* The token counted when the change was begun, and its holder was being disabled. */
static void an_administrator_who_is_being_disabled_appoints_nobody(void **state)
{
    static struct racer ending = {.act = act_disable_other};
    static struct racer appointing = {.act = act_appoint};

    (void)state;
    boss_user(&ending.boss, 1);
    boss_user(&appointing.boss, 2);
    ending.other = &appointing.boss;
    pause_at("UPDATE ON users", "WHEN (NEW.status = 'disabled')");
    meet(&ending, &appointing);
    assert_not_appointed(&ending, &appointing);
}

static void a_client_that_is_being_disabled_appoints_nobody(void **state)
{
    static struct racer ending = {.act = act_disable_other_client};
    static struct racer appointing = {.act = act_appoint};

    (void)state;
    boss_client(&ending.boss, 1);
    boss_client(&appointing.boss, 2);
    ending.other = &appointing.boss;
    pause_at("UPDATE ON clients", "WHEN (NEW.disabled_at IS NOT NULL)");
    meet(&ending, &appointing);
    assert_not_appointed(&ending, &appointing);
}

/* Disabled while the change waits for its subject: it was begun long before. */
static void a_wait_for_the_subject_outlives_no_administrator(void **state)
{
    static struct racer holding = {.act = act_end_sessions};
    static struct racer appointing = {.act = act_appoint};

    (void)state;
    (void)open_session();
    boss_user(&appointing.boss, 2);
    holding.pg = pg_new(&test_options);
    appointing.pg = pg_new(&test_options);
    account_do("CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$"
               " BEGIN FOR i IN 1 .. 400 LOOP"
               "  EXIT WHEN pg_try_advisory_xact_lock(77);"
               "  PERFORM pg_sleep(0.01);"
               " END LOOP; RETURN NULL; END $$;"
               "CREATE OR REPLACE TRIGGER pause AFTER UPDATE ON sessions FOR EACH ROW"
               " EXECUTE FUNCTION pause()");
    database_do("SELECT pg_advisory_lock(77)");
    begin(&holding);
    await_pause();
    begin(&appointing);
    database_await("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1);
    account_do("UPDATE users SET status = 'disabled', auth_ver = 2 WHERE id = '%s'",
               appointing.boss.id);
    database_do("SELECT pg_advisory_unlock(77)");
    end(&holding);
    end(&appointing);
    pause_no_more();
    pg_free(holding.pg);
    pg_free(appointing.pg);
    assert_not_appointed(&holding, &appointing);
}

/* Who updates waits until the other one is about to update, too: each holds what the other one wants. */
static void pause_both_at(const char *table)
{
    account_do("CREATE OR REPLACE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$"
               " BEGIN PERFORM pg_advisory_xact_lock_shared(78); FOR i IN 1 .. 400 LOOP"
               "  EXIT WHEN (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
               "   AND objid = 78) > 1 OR EXISTS (SELECT FROM pg_locks WHERE NOT granted);"
               "  PERFORM pg_sleep(0.01);"
               " END LOOP; RETURN NULL; END $$;"
               "CREATE OR REPLACE TRIGGER pause BEFORE UPDATE ON %s FOR EACH STATEMENT"
               " EXECUTE FUNCTION pause()",
               table);
}

static void assert_one_won(struct racer *first, struct racer *second)
{
    first->other = &second->boss;
    second->other = &first->boss;
    first->pg = pg_new(&test_options);
    second->pg = pg_new(&test_options);
    begin(first);
    begin(second);
    end(first);
    end(second);
    pause_no_more();
    pg_free(first->pg);
    pg_free(second->pg);
    assert_true((first->error == OK && second->error == ERR_UNAUTHENTICATED) ||
                (first->error == ERR_UNAUTHENTICATED && second->error == OK));
}

static void of_two_who_disable_each_other_one_is_left(void **state)
{
    static struct racer first = {.act = act_disable_other};
    static struct racer second = {.act = act_disable_other};

    (void)state;
    boss_user(&first.boss, 1);
    boss_user(&second.boss, 2);
    pause_both_at("users");
    assert_one_won(&first, &second);
    assert_int_equal(database_number("SELECT count(*) FROM users WHERE status = 'active'"
                                     " AND roles = '{admin}'"),
                     1);
    assert_int_equal(live_sessions(), 1);
    assert_int_equal(events_of("user.disabled"), 1);
    assert_int_equal(audits_of("user.disabled"), 1);
}

static void of_two_clients_that_disable_each_other_one_is_left(void **state)
{
    static struct racer first = {.act = act_disable_other_client};
    static struct racer second = {.act = act_disable_other_client};

    (void)state;
    boss_client(&first.boss, 1);
    boss_client(&second.boss, 2);
    pause_both_at("clients");
    assert_one_won(&first, &second);
    assert_int_equal(database_number("SELECT count(*) FROM clients WHERE disabled_at IS NULL"), 1);
    assert_int_equal(audits_of("client.disabled"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMINISTERED(of_those_who_disable_one_does_it),
        ADMINISTERED(no_role_given_at_once_is_lost),
        ADMINISTERED(a_login_that_is_being_written_is_ended),
        ADMINISTERED(a_login_that_comes_too_late_is_refused),
        ADMINISTERED(a_refresh_that_is_being_written_is_ended),
        ADMINISTERED(a_refresh_that_comes_too_late_is_refused),
        ADMINISTERED(an_administrator_who_is_being_disabled_appoints_nobody),
        ADMINISTERED(a_client_that_is_being_disabled_appoints_nobody),
        ADMINISTERED(a_wait_for_the_subject_outlives_no_administrator),
        ADMINISTERED(of_two_who_disable_each_other_one_is_left),
        ADMINISTERED(of_two_clients_that_disable_each_other_one_is_left),
    };

    return cmocka_run_group_tests_name("administration_race", tests, refresh_start, refresh_stop);
}
