/* SPDX-License-Identifier: Apache-2.0 */
/* The brake on guessing passwords. */
#include "support/journey.h"

#include <pthread.h>

#include "throttle.h"

static int64_t waited_s;

static enum error login_from(const char *ip, const char *email, struct str password)
{
    struct account_login in = {address(email), password, origin};
    struct work work = account_work();
    struct session_grant grant;
    enum error error;

    in.origin.ip = str_from(ip);
    error = account_login(&account_service, &work, &in, &grant);
    waited_s = work.retry_after_s;
    return error;
}

/* One more network each time. */
static const char *new_network(void)
{
    static char text[32];
    static unsigned count;

    count++;
    (void)snprintf(text, sizeof(text), "10.%u.%u.9", count >> 8 & 0xff, count & 0xff);
    return text;
}

static void fail_from(const char *ip, const char *email, unsigned times)
{
    for (unsigned i = 0; i < times; i++) {
        assert_int_equal(login_from(ip, email, other_password), ERR_INVALID_CREDENTIALS);
    }
}

/* 100 from 20 networks. */
static void attack(const char *email)
{
    for (unsigned i = 0; i < 20; i++) {
        fail_from(new_network(), email, 5);
    }
}

static void five_from_a_network_are_enough(void **state)
{
    static const char *const emails[] = {"ada@example.com", "nobody@example.com"};

    (void)state;
    make_account("ada@example.com", good_password);
    for (size_t i = 0; i < 2; i++) {
        fail_from("198.51.100.1", emails[i], 3);
        fail_from("198.51.100.77", emails[i], 2); /* the same /24 */
        assert_int_equal(login_from("198.51.100.1", emails[i], good_password),
                         ERR_TOO_MANY_ATTEMPTS);
        assert_int_equal(waited_s, 900);
        assert_int_equal(login_from("::ffff:198.51.100.9", emails[i], other_password),
                         ERR_TOO_MANY_ATTEMPTS);
        assert_int_equal(database_number("SELECT sum(fails) FROM throttle WHERE"
                                         " octet_length(key) = 32"),
                         5 * ((int64_t)i + 1)); /* who is refused is not counted */
    }
    assert_int_equal(login_from("198.51.101.1", "ada@example.com", good_password), OK);
    /* The time runs from the last one. */
    database_do("UPDATE throttle SET until = until - interval '14 min'"
                " WHERE octet_length(key) = 32");
    assert_int_equal(login_from("198.51.100.1", "ada@example.com", good_password),
                     ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(waited_s, 60);
    database_do("UPDATE throttle SET until = until - interval '1 min'"
                " WHERE octet_length(key) = 32");
    fail_from("198.51.100.1", "ada@example.com", 1);
    assert_int_equal(login_from("198.51.100.1", "ada@example.com", good_password), OK);
}

static void disabled_accounts_count_alike(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    database_do("UPDATE users SET status = 'disabled'");
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(login_from("198.51.100.1", "ada@example.com", good_password),
                         ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(login_from("198.51.100.1", "ada@example.com", good_password),
                     ERR_TOO_MANY_ATTEMPTS);
}

static void ipv6_goes_by_the_64(void **state)
{
    (void)state;
    fail_from("2001:db8:0:1::1", "ada@example.com", 5);
    assert_int_equal(login_from("2001:db8:0:1:ffff::9", "ada@example.com", other_password),
                     ERR_TOO_MANY_ATTEMPTS);
    fail_from("2001:db8:0:2::1", "ada@example.com", 1);
}

static void a_success_ends_the_counts(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    fail_from("198.51.100.1", "ada@example.com", 4);
    fail_from("198.51.100.1", "eve@example.com", 1);
    assert_int_equal(database_number("SELECT count(*) FROM throttle"), 4);
    assert_int_equal(login_from("198.51.100.1", "ada@example.com", good_password), OK);
    assert_int_equal(database_number("SELECT count(*) FROM throttle"), 2); /* the other address */
    fail_from("198.51.100.1", "ada@example.com", 4);
    assert_int_equal(login_from("198.51.100.1", "ada@example.com", good_password), OK);
}

/* Where nothing was counted, and the network was noted within the day. */
static void a_usual_login_writes_nothing_here(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    assert_int_equal(login("ada@example.com", good_password), OK);
    database_do("CREATE TABLE kept AS SELECT xmin::text AS x, key FROM known_networks");
    assert_int_equal(login("ada@example.com", good_password), OK);
    assert_int_equal(database_number("SELECT count(*) FROM known_networks n JOIN kept k ON"
                                     " n.key = k.key AND n.xmin::text = k.x"),
                     1);
    database_do("DROP TABLE kept");
    database_do("UPDATE known_networks SET until = now() + interval '28 days'");
    assert_int_equal(login("ada@example.com", good_password), OK);
    assert_int_equal(database_number("SELECT count(*) FROM known_networks WHERE until >"
                                     " now() + interval '29 days'"),
                     1);
}

static void after_a_hundred_only_known_networks_may_try(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password); /* from the network of `origin` */
    attack("ada@example.com");
    attack("nobody@example.com");
    assert_int_equal(login_from(new_network(), "ada@example.com", good_password),
                     ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(login_from(new_network(), "nobody@example.com", good_password),
                     ERR_TOO_MANY_ATTEMPTS);
    fail_from(new_network(), "eve@example.com", 1); /* another address */
    fail_from("192.0.2.200", "ada@example.com", 4); /* known, and counted there all the same */
    assert_int_equal(login_from("192.0.2.200", "ada@example.com", good_password), OK);
    fail_from(new_network(), "ada@example.com", 1); /* the count began anew */
}

static void a_network_is_known_for_thirty_days(void **state)
{
    (void)state;
    make_account("ada@example.com", good_password);
    attack("ada@example.com");
    database_do("UPDATE known_networks SET until = now() - interval '1 s'");
    assert_int_equal(login("ada@example.com", good_password), ERR_TOO_MANY_ATTEMPTS);
}

/* One failure is kept for a day, thirty and more for thirty. */
static void failures_of_an_address_are_kept_the_longer_the_more_they_are(void **state)
{
    (void)state;
    fail_from("198.51.100.1", "ada@example.com", 2);
    assert_int_equal(database_number("SELECT round(extract(epoch FROM until - now()) / 3600)"
                                     "::bigint FROM throttle WHERE octet_length(key) = 16"),
                     48);
    database_do("UPDATE throttle SET fails = 60 WHERE octet_length(key) = 16");
    fail_from("198.51.100.1", "ada@example.com", 1);
    assert_int_equal(database_number("SELECT round(extract(epoch FROM until - now()) / 3600)"
                                     "::bigint FROM throttle WHERE octet_length(key) = 16"),
                     720);
    database_do("UPDATE throttle SET until = now() - interval '1 s'");
    fail_from("198.51.100.1", "ada@example.com", 1);
    assert_int_equal(database_number("SELECT sum(fails) FROM throttle"), 2);
}

static void a_rotation_forgets_nothing(void **state)
{
    struct keyring *one = account_keyring;

    (void)state;
    account_keyring = auth_keyring("{\"current\":\"k1\",\"keys\":{" AUTH_K1 "," AUTH_K2 "}}");
    account_service.keyring = account_keyring;
    fail_from("198.51.100.1", "ada@example.com", 3);
    keyring_use(account_keyring, STR("k2"));
    fail_from("198.51.100.1", "ada@example.com", 2);
    assert_int_equal(login_from("198.51.100.1", "ada@example.com", other_password),
                     ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(database_number("SELECT count(*) FROM throttle"), 4);
    keyring_free(account_keyring);
    account_keyring = one;
    account_service.keyring = one;
}

static struct throttle_case case_of(const char *email, bool owns_mailbox)
{
    return (struct throttle_case){
        .keyring = account_keyring,
        .email_canonical = str_from(email),
        .ip = origin.ip,
        .owns_mailbox = owns_mailbox,
    };
}

/* A guess that was under way while others failed is none that counts. */
static void a_right_one_too_late_is_refused(void **state)
{
    struct throttle_case late = case_of("ada@example.com", false);
    struct work work;

    (void)state;
    work = account_work();
    database_must(throttle_open(&late, &work));
    for (unsigned i = 0; i < 5; i++) {
        struct throttle_case other = case_of("ada@example.com", false);

        database_must(throttle_open(&other, &work));
        assert_int_equal(throttle_fail(&other, &work), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(throttle_succeed(&late, &work), ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(throttle_fail(&late, &work), ERR_TOO_MANY_ATTEMPTS);
    assert_int_equal(database_number("SELECT count(*) FROM throttle WHERE fails = 5"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM known_networks"), 0);
}

static void a_mailbox_s_owner_is_not_held_up_by_others(void **state)
{
    struct throttle_case owner = case_of("ada@example.com", true);
    struct uuid id = start_registration("ada@example.com", good_password);
    struct work work;

    (void)state;
    attack("ada@example.com");
    work = account_work();
    database_must(throttle_open(&owner, &work));
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), other_password),
                         ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), good_password),
                     ERR_TOO_MANY_ATTEMPTS);
    database_do("DELETE FROM throttle WHERE octet_length(key) = 32");
    assert_int_equal(confirm(token_of(ONETIME_REGISTRATION, id), good_password), OK);
    assert_int_equal(login("ada@example.com", good_password), OK);
}

enum { RACERS = 8, EACH = 4 };

struct racer {
    pthread_t thread;
    struct pg *pg;
    struct password_hasher *hasher;
    struct email email;
    unsigned char memory[65536];
    unsigned counts[ERROR_COUNT];
};

static void *hammer(void *context)
{
    struct racer *self = context;
    struct account_login in = {self->email, other_password, origin};

    for (unsigned i = 0; i < EACH; i++) {
        struct arena arena;
        struct work work = {.pg = self->pg, .hasher = self->hasher, .arena = &arena};
        struct session_grant grant;

        arena_init(&arena, self->memory, sizeof(self->memory));
        pg_deadline(self->pg, clock_mono_ms() + POSTGRES_CALL_MS);
        self->counts[account_login(&account_service, &work, &in, &grant)]++;
    }
    return NULL;
}

static void the_count_is_exact_however_many_try_at_once(void **state)
{
    static struct racer racers[RACERS];
    unsigned refused = 0;
    unsigned failed = 0;

    (void)state;
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].pg = pg_new(&test_options);
        racers[i].hasher = password_hasher_new(auth_cheap());
        racers[i].email = address("ada@example.com");
    }
    for (size_t i = 0; i < RACERS; i++) {
        racers[i].email = racers[RACERS - 1].email;
        pg_deadline(racers[i].pg, clock_mono_ms() + POSTGRES_CALL_MS);
        assert_int_equal(pg_ready(racers[i].pg), OK);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_create(&racers[i].thread, NULL, hammer, &racers[i]), 0);
    }
    for (size_t i = 0; i < RACERS; i++) {
        assert_int_equal(pthread_join(racers[i].thread, NULL), 0);
        failed += racers[i].counts[ERR_INVALID_CREDENTIALS];
        refused += racers[i].counts[ERR_TOO_MANY_ATTEMPTS];
        pg_free(racers[i].pg);
        password_hasher_free(racers[i].hasher);
    }
    assert_int_equal(failed, 5);
    assert_int_equal(refused, RACERS * EACH - 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        JOURNEY(five_from_a_network_are_enough),
        JOURNEY(disabled_accounts_count_alike),
        JOURNEY(ipv6_goes_by_the_64),
        JOURNEY(a_success_ends_the_counts),
        JOURNEY(a_usual_login_writes_nothing_here),
        JOURNEY(after_a_hundred_only_known_networks_may_try),
        JOURNEY(a_network_is_known_for_thirty_days),
        JOURNEY(failures_of_an_address_are_kept_the_longer_the_more_they_are),
        JOURNEY(a_rotation_forgets_nothing),
        JOURNEY(a_right_one_too_late_is_refused),
        JOURNEY(a_mailbox_s_owner_is_not_held_up_by_others),
        JOURNEY(the_count_is_exact_however_many_try_at_once),
    };

    return cmocka_run_group_tests(tests, journey_start, journey_stop);
}
