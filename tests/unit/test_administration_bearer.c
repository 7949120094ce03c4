/* SPDX-License-Identifier: Apache-2.0 */
/* No change of an administrator whose token does not count any more does anything. */
#include "support/administered.h"

#include "client_registry.h"
#include "letters.h"

#define ELSE "5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3f"

/* What the changes are about. */
static struct kept session;
static struct uuid letter;
static struct uuid client;

static enum error do_disable(struct work *work, const struct administrator *by)
{
    return administration_disable(&administered_rules, work, by, refresh_user);
}

static enum error do_enable(struct work *work, const struct administrator *by)
{
    return administration_enable(&administered_rules, work, by, STR(ELSE));
}

static enum error do_end_sessions(struct work *work, const struct administrator *by)
{
    return administration_end_sessions(&administered_rules, work, by, refresh_user);
}

static enum error do_end_session(struct work *work, const struct administrator *by)
{
    return administration_end_session(&administered_rules, work, by, session.sid);
}

static enum error do_end_begun(struct work *work, const struct administrator *by)
{
    int64_t ended;

    return administration_end_begun(&administered_rules, work, by, clock_wall_ms() - 1, &ended);
}

static enum error do_set_roles(struct work *work, const struct administrator *by)
{
    const struct json_text_list roles = {.items = {ROLES_ADMIN}, .count = 1};

    return roles_set(&administered_rules, work, by, refresh_user, &roles);
}

static enum error do_grant(struct work *work, const struct administrator *by)
{
    return roles_grant(&administered_rules, work, by, refresh_user, ROLES_ADMIN);
}

static enum error do_revoke_role(struct work *work, const struct administrator *by)
{
    return roles_revoke(&administered_rules, work, by, STR(ELSE), STR("cook"));
}

static enum error do_create_client(struct work *work, const struct administrator *by)
{
    const struct client_registration in = {.name = STR("spy"), .is_public = true};
    struct client_credentials made;

    return client_registry_create(NULL, work, &by->audit, &in, &made);
}

static enum error do_rotate_client(struct work *work, const struct administrator *by)
{
    struct client_credentials made;

    return client_registry_rotate(NULL, work, &by->audit, client, &made);
}

static enum error do_disable_client(struct work *work, const struct administrator *by)
{
    return client_registry_disable(NULL, work, &by->audit, client);
}

static enum error do_redeliver(struct work *work, const struct administrator *by)
{
    return letters_redeliver(work, &by->audit, letter);
}

static enum error do_redeliver_dead(struct work *work, const struct administrator *by)
{
    int64_t count;

    return letters_redeliver_dead(work, &by->audit, &count);
}

static enum error (*const changes[])(struct work *work, const struct administrator *by) = {
    do_disable,        do_enable,    do_end_sessions,   do_end_session,   do_end_begun,
    do_set_roles,      do_grant,     do_revoke_role,    do_create_client, do_rotate_client,
    do_disable_client, do_redeliver, do_redeliver_dead,
};

enum { CHANGES = sizeof(changes) / sizeof(changes[0]) };

/* The administrator counts, and each change would do something. */
static void arrange(void **state, struct boss *boss, void (*make)(struct boss *, int))
{
    struct boss other;

    (void)administered_afresh(state);
    session = open_session();
    boss_client(&other, 7);
    client = other.uuid;
    letter = other.uuid;
    make(boss, 1);
    database_do("INSERT INTO users (id, email, email_canonical, password_hash, roles, status)"
                " VALUES ('" ELSE "', 'b@example.com', 'b@example.com', 'x', '{cook}',"
                " 'disabled')");
    account_do("INSERT INTO outbox (id, subject, type, is_ordered, data, dead_at)"
               " VALUES ('%s', 's', 'user.verified', true, '{}', now() - interval '1 hour')",
               other.id);
}

/* Everything that a change writes. */
static void seen(char out[65536])
{
    static const struct pg_statement read = {
        .sql = "SELECT (SELECT json_agg(u ORDER BY id) FROM users u)::text"
               " || (SELECT json_agg(s ORDER BY id) FROM sessions s)"
               " || (SELECT json_agg(c ORDER BY id) FROM clients c)"
               " || (SELECT json_agg(o ORDER BY seq) FROM outbox o)"
               " || coalesce((SELECT json_agg(r)::text FROM revocations r), 'none revoked')"
               " || coalesce((SELECT json_agg(a)::text FROM audit a), 'none recorded')"};
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &read, &args, &rows));
    assert_true(pg_text(&rows, 0, 0).len > 500);
    (void)snprintf(out, 65536, "%.*s", STR_ARG(pg_text(&rows, 0, 0)));
}

static void assert_powerless(void **state, void (*make)(struct boss *, int), const char *end)
{
    static char before[65536];
    static char after[65536];

    for (size_t i = 0; i < CHANGES; i++) {
        struct boss boss;
        struct work work;

        arrange(state, &boss, make);
        account_do("%s WHERE id = '%s'", end, boss.id);
        seen(before);
        work = account_work();
        assert_int_equal(changes[i](&work, &boss.by), ERR_UNAUTHENTICATED);
        assert_false(work.has_events);
        seen(after);
        assert_string_equal(after, before);
    }
}

static void assert_powerful(void **state, void (*make)(struct boss *, int))
{
    for (size_t i = 0; i < CHANGES; i++) {
        struct boss boss;
        struct work work;

        arrange(state, &boss, make);
        work = account_work();
        database_must(changes[i](&work, &boss.by));
        assert_int_equal(account_number("SELECT count(*) FROM audit WHERE actor = '%s'", boss.id),
                         1);
    }
}

static void those_who_count_change_things(void **state)
{
    assert_powerful(state, boss_user);
    assert_powerful(state, boss_client);
}

static void a_disabled_user_changes_nothing(void **state)
{
    assert_powerless(state, boss_user, "UPDATE users SET status = 'disabled'");
}

/* As when the role is taken away. */
static void a_user_of_another_version_changes_nothing(void **state)
{
    assert_powerless(state, boss_user, "UPDATE users SET auth_ver = 2");
}

static void a_user_who_logged_out_changes_nothing(void **state)
{
    assert_powerless(state, boss_user, "UPDATE sessions SET revoked_at = now()");
}

static void a_session_that_expired_changes_nothing(void **state)
{
    assert_powerless(state, boss_user, "UPDATE sessions SET idle_expires_at = now()");
}

static void a_session_of_somebody_else_changes_nothing(void **state)
{
    assert_powerless(state, boss_user, "UPDATE users SET subject = 'eve'");
}

static void a_disabled_client_changes_nothing(void **state)
{
    assert_powerless(state, boss_client, "UPDATE clients SET disabled_at = now()");
}

static void a_client_that_is_none_changes_nothing(void **state)
{
    assert_powerless(state, boss_client, "DELETE FROM clients");
}

/* That nothing matched is told as before when it is not the administrator who is at fault. */
static void those_who_count_are_told_what_is_not_there(void **state)
{
    struct boss boss;
    struct work work;

    arrange(state, &boss, boss_user);
    database_do("UPDATE clients SET disabled_at = now(); UPDATE outbox SET dead_at = NULL");
    work = account_work();
    assert_int_equal(do_rotate_client(&work, &boss.by), ERR_CONFLICT);
    database_must(do_disable_client(&work, &boss.by));
    assert_int_equal(do_redeliver(&work, &boss.by), ERR_NOT_FOUND);
    database_must(do_end_session(&work, &boss.by));
    database_must(do_end_session(&work, &boss.by)); /* it has ended */
}

/* What ends the administrator's own sessions ends the one that asks, too. */
static void administrators_end_their_own(void **state)
{
    struct boss boss;
    struct work work;

    arrange(state, &boss, boss_user);
    work = account_work();
    database_must(
        administration_end_sessions(&administered_rules, &work, &boss.by, boss.claims.sub));
    assert_int_equal(
        administration_end_sessions(&administered_rules, &work, &boss.by, boss.claims.sub),
        ERR_UNAUTHENTICATED);
    arrange(state, &boss, boss_client);
    work = account_work();
    database_must(client_registry_disable(NULL, &work, &boss.by.audit, boss.uuid));
    assert_int_equal(client_registry_disable(NULL, &work, &boss.by.audit, boss.uuid),
                     ERR_UNAUTHENTICATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ADMINISTERED(those_who_count_change_things),
        ADMINISTERED(a_disabled_user_changes_nothing),
        ADMINISTERED(a_user_of_another_version_changes_nothing),
        ADMINISTERED(a_user_who_logged_out_changes_nothing),
        ADMINISTERED(a_session_that_expired_changes_nothing),
        ADMINISTERED(a_session_of_somebody_else_changes_nothing),
        ADMINISTERED(a_disabled_client_changes_nothing),
        ADMINISTERED(a_client_that_is_none_changes_nothing),
        ADMINISTERED(those_who_count_are_told_what_is_not_there),
        ADMINISTERED(administrators_end_their_own),
    };

    return cmocka_run_group_tests_name("administration_bearer", tests, refresh_start, refresh_stop);
}
