/* SPDX-License-Identifier: Apache-2.0 */
/* Keyrings of processes over one table. */
#include "support/auth.h"
#include "support/database.h"

#include <pthread.h>

#include "keyring_rotation.h"
#include "log.h"

#define AUTH_K3 "\"k3\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\""
#define RING(current, keys) "{\"current\":\"" current "\",\"keys\":{" keys "}}"

struct replica {
    struct keyring *keyring;
    struct keyring_rotation rotation;
};

static struct replica self;

static void start(const char *secret)
{
    keyring_free(self.keyring);
    self.keyring = auth_keyring(secret);
    keyring_rotation_init(&self.rotation, &(struct keyring_rotation_options){
                                              .keyring = self.keyring,
                                              .delay_s = 600,
                                              .used_s = 3600,
                                          });
}

static int64_t sync_now(void)
{
    int64_t wait_ms = -2;

    database_must(keyring_rotation_sync(&self.rotation, database(), auth_fresh_arena(), &wait_ms));
    return wait_ms;
}

static enum error take(const char *secret, const char **why)
{
    struct keyring *fresh = auth_keyring(secret);
    enum error error = keyring_rotation_take(&self.rotation, auth_fresh_arena(), fresh, why);

    keyring_free(fresh);
    return error;
}

static void must_take(const char *secret)
{
    const char *why = "";

    if (take(secret, &why) != OK) {
        fail_msg("%s", why);
    }
}

static enum error check(const char **why)
{
    return keyring_rotation_check(&self.rotation, database(), auth_fresh_arena(), why);
}

static void the_first_start_uses_the_secrets_own(void **state)
{
    (void)state;
    start(RING("k2", AUTH_K1 "," AUTH_K2));
    (void)sync_now();
    assert_string_equal(keyring_current(self.keyring), "k2");
    assert_int_equal(database_number("SELECT count(*) FROM keyring_keys"), 2);
    assert_int_equal(database_number("SELECT count(*) FROM keyring_keys"
                                     " WHERE last_current_at IS NOT NULL AND kid = 'k2'"),
                     1);
}

static void a_new_current_id_is_used_when_it_is_due(void **state)
{
    int64_t wait_ms;

    (void)state;
    start(RING("k1", AUTH_K1));
    (void)sync_now();
    database_do("UPDATE keyring_keys SET first_seen_at = now() - interval '1 d'");
    must_take(RING("k2", AUTH_K1 "," AUTH_K2));
    assert_non_null(keyring_key(self.keyring, STR("k2"), KEYRING_REFRESH));
    wait_ms = sync_now();
    assert_true(wait_ms > 590000 && wait_ms <= 600000);
    assert_string_equal(keyring_current(self.keyring), "k1");
    database_do("UPDATE keyring_keys SET first_seen_at = now() - interval '600 s'"
                " WHERE kid = 'k2'");
    assert_int_equal(sync_now(), -1);
    assert_string_equal(keyring_current(self.keyring), "k2");
    must_take(RING("k1", AUTH_K1 "," AUTH_K2));
    (void)sync_now();
    assert_string_equal(keyring_current(self.keyring), "k1"); /* rolled back */
}

static void a_restart_goes_on_with_what_was_current(void **state)
{
    (void)state;
    start(RING("k1", AUTH_K1));
    (void)sync_now();
    database_do("UPDATE keyring_keys SET first_seen_at = now() - interval '1 d'");
    start(RING("k3", AUTH_K1 "," AUTH_K2 "," AUTH_K3));
    (void)sync_now();
    assert_string_equal(keyring_current(self.keyring), "k1");
}

static void ids_stay_until_the_process_ends(void **state)
{
    (void)state;
    start(RING("k1", AUTH_K1 "," AUTH_K2));
    must_take(RING("k3", AUTH_K3));
    assert_non_null(keyring_key(self.keyring, STR("k1"), KEYRING_PEPPER));
    assert_non_null(keyring_key(self.keyring, STR("k2"), KEYRING_PEPPER));
    assert_non_null(keyring_key(self.keyring, STR("k3"), KEYRING_PEPPER));
    assert_string_equal(keyring_current(self.keyring), "k1");
}

static void other_bytes_under_an_id_are_refused_whole(void **state)
{
    const char *why = NULL;

    (void)state;
    start(RING("k1", AUTH_K1));
    (void)sync_now();
    assert_int_equal(take(RING("k2", AUTH_K2 "," AUTH_K1_OTHER), &why), ERR_CONFIG);
    assert_non_null(strstr(why, "\"k1\" has other bytes"));
    assert_null(keyring_key(self.keyring, STR("k2"), KEYRING_PEPPER));
    (void)sync_now();
    assert_string_equal(keyring_current(self.keyring), "k1");
}

static void there_is_room_for_many_ids_and_not_more(void **state)
{
    const char *why = NULL;
    char secret[512];
    int taken = 1;

    (void)state;
    start(RING("k1", AUTH_K1));
    for (;; taken++) {
        (void)snprintf(secret, sizeof(secret),
                       RING("n%d", "\"n%d\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\""),
                       taken, taken);
        if (take(secret, &why) != OK) {
            break;
        }
    }
    assert_int_equal(taken, KEYRING_SLOTS_MAX);
    assert_non_null(strstr(why, "no room"));
    (void)sync_now(); /* in several steps */
    assert_int_equal(database_number("SELECT count(*) FROM keyring_keys"), KEYRING_SLOTS_MAX);
}

static void a_missing_id_that_passwords_need_is_named(void **state)
{
    const char *why = NULL;

    (void)state;
    start(RING("k1", AUTH_K1));
    assert_int_equal(check(&why), OK);
    database_do("INSERT INTO users (id, email, email_canonical, password_hash, pepper_kid)"
                " VALUES (gen_random_uuid(), 'x', 'x', 'x', 'k2')");
    assert_int_equal(check(&why), ERR_CONFIG);
    assert_non_null(strstr(why, "\"k2\""));
    must_take(RING("k1", AUTH_K1 "," AUTH_K2));
    assert_int_equal(check(&why), OK);
}

static void a_missing_id_that_was_current_lately_is_named(void **state)
{
    const char *why = NULL;

    (void)state;
    start(RING("k2", AUTH_K2));
    (void)sync_now();
    start(RING("k1", AUTH_K1));
    assert_int_equal(check(&why), ERR_CONFIG);
    assert_non_null(strstr(why, "\"k2\""));
    database_do("UPDATE keyring_keys SET last_current_at = now() - interval '2 h'");
    assert_int_equal(check(&why), OK);
}

static int told;

static void count_told(void *context)
{
    assert_ptr_equal(context, &self);
    told++;
}

/* Ids come from anybody: what cannot be one is not worth a look at the secret. */
static void an_unknown_id_is_told_once(void **state)
{
    (void)state;
    told = 0;
    start(RING("k1", AUTH_K1));
    keyring_set_watch(self.keyring, (struct keyring_watch){count_told, &self});
    (void)keyring_key(self.keyring, STR("k1"), KEYRING_REFRESH);
    (void)keyring_key(self.keyring, STR(""), KEYRING_REFRESH);
    (void)keyring_key(self.keyring, STR("no id"), KEYRING_REFRESH);
    (void)keyring_key(self.keyring, STR("abcdefghijklmnop1"), KEYRING_REFRESH);
    assert_int_equal(told, 0);
    assert_false(keyring_has_missed(self.keyring));
    (void)keyring_key(self.keyring, STR("k2"), KEYRING_REFRESH);
    (void)keyring_key(self.keyring, STR("k3"), KEYRING_REFRESH);
    assert_int_equal(told, 1);
    assert_true(keyring_has_missed(self.keyring));
    keyring_forget_missed(self.keyring);
    assert_false(keyring_has_missed(self.keyring));
    (void)keyring_key(self.keyring, STR("k3"), KEYRING_REFRESH);
    assert_int_equal(told, 2);
}

static atomic_bool over;

/* What is current can be found, whatever is added meanwhile. */
static void *read_on(void *context)
{
    struct keyring *keyring = context;

    while (!atomic_load(&over)) {
        struct str kid = str_from(keyring_current(keyring));

        if (keyring_key(keyring, kid, KEYRING_REFRESH) == NULL) {
            return context;
        }
    }
    return NULL;
}

static void readers_need_not_wait(void **state)
{
    pthread_t readers[4];
    char secret[512];

    (void)state;
    start(RING("k1", AUTH_K1));
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, self.keyring), 0);
    }
    for (int i = 0; i < KEYRING_SLOTS_MAX - 1; i++) {
        char kid[8];

        (void)snprintf(kid, sizeof(kid), "n%d", i);
        (void)snprintf(secret, sizeof(secret),
                       RING("%s", "\"%s\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\""), kid,
                       kid);
        must_take(secret);
        keyring_use(self.keyring, str_from(kid));
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < 4; i++) {
        void *failed;

        assert_int_equal(pthread_join(readers[i], &failed), 0);
        assert_null(failed);
    }
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE keyring_keys, users CASCADE");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    database_start();
    json_in_start();
    log_to(open("/dev/null", O_WRONLY | O_CLOEXEC));
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyring_free(self.keyring);
    database_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_first_start_uses_the_secrets_own),
        TEST(a_new_current_id_is_used_when_it_is_due),
        TEST(a_restart_goes_on_with_what_was_current),
        TEST(ids_stay_until_the_process_ends),
        TEST(other_bytes_under_an_id_are_refused_whole),
        TEST(there_is_room_for_many_ids_and_not_more),
        TEST(a_missing_id_that_passwords_need_is_named),
        TEST(a_missing_id_that_was_current_lately_is_named),
        TEST(an_unknown_id_is_told_once),
        TEST(readers_need_not_wait),
    };

    return cmocka_run_group_tests_name("keyring_rotation", tests, set_up, tear_down);
}
