/* SPDX-License-Identifier: Apache-2.0 */
#include "support/database.h"

#include "key_store.h"

static unsigned char memory[256 * 1024];
static struct arena arena;

static struct key_rows list_signing(void)
{
    struct key_rows rows;

    arena_init(&arena, memory, sizeof(memory));
    database_must(key_store_list_signing(database(), &arena, &rows));
    return rows;
}

static void register_signing(const char *kid)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    key_store_register_signing(&tx, &(struct key_registration){
                                        .kid = str_from(kid),
                                        .public_jwk = STR("{}"),
                                        .delay_s = 100,
                                        .keep_s = 600,
                                    });
    database_must(pg_tx_commit(&tx));
}

static void register_keyring(const char *kid)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    key_store_register_keyring(&tx, str_from(kid));
    database_must(pg_tx_commit(&tx));
}

static enum error revoked(const char *kid)
{
    struct pg_tx tx;

    pg_tx_begin(&tx, database());
    key_store_revoke(&tx, str_from(kid), 600);
    return pg_tx_commit(&tx);
}

static int64_t told(void)
{
    return database_number("SELECT count(*) FROM revocations WHERE changed = 'keys'"
                           " AND expires_at > clock_timestamp() + interval '590 s'"
                           " AND expires_at < clock_timestamp() + interval '610 s'");
}

static void a_key_is_registered_and_told_once(void **state)
{
    struct key_rows rows;
    int64_t seen_ms;

    (void)state;
    assert_int_equal(list_signing().count, 0);
    register_signing("a");
    assert_int_equal(told(), 1);
    rows = list_signing();
    assert_int_equal(rows.count, 1);
    assert_true(str_equal(rows.items[0].kid, STR("a")));
    assert_true(str_equal(rows.items[0].public_jwk, STR("{}")));
    assert_true(rows.now_ms - rows.items[0].first_seen_ms < 60000);
    assert_int_equal(rows.items[0].last_used_ms, 0);
    assert_int_equal(rows.items[0].revoked_ms, 0);
    seen_ms = rows.items[0].first_seen_ms;
    register_signing("a");
    assert_int_equal(told(), 1);
    assert_int_equal(list_signing().items[0].first_seen_ms, seen_ms);
}

/* Seen, signed, how long ago; and whether it is as good as new then. */
static void a_key_that_nobody_publishes_any_more_is_new(void **state)
{
    static const struct {
        const char *seen, *signed_ago;
        bool is_new;
    } cases[] = {
        {"699 s", NULL, false}, {"701 s", NULL, true},  {"1 d", "599 s", false},
        {"1 d", "601 s", true}, {"10 s", "1 d", false}, {"699 s", "1 d", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char sql[256];
        bool is_new;

        (void)snprintf(sql, sizeof(sql),
                       "TRUNCATE signing_keys; INSERT INTO signing_keys VALUES ('a', '{}',"
                       " now() - interval '%s', now() - interval '%s', NULL)",
                       cases[i].seen, cases[i].signed_ago == NULL ? "1 y" : cases[i].signed_ago);
        database_do(sql);
        register_signing("a");
        is_new = database_number("SELECT count(*) FROM signing_keys"
                                 " WHERE first_seen_at > now() - interval '5 s'") == 1;
        if (is_new != cases[i].is_new) {
            fail_msg("case %zu", i);
        }
    }
    assert_int_equal(told(), 2);
}

static void the_newest_is_first(void **state)
{
    struct key_rows rows;

    (void)state;
    register_signing("a");
    register_signing("b");
    database_must(key_store_mark_signed(database(), STR("a")));
    rows = list_signing();
    assert_int_equal(rows.count, 2);
    assert_true(str_equal(rows.items[0].kid, STR("b")));
    assert_true(rows.items[1].last_used_ms >= rows.items[1].first_seen_ms);
}

static void a_revoked_key_signs_no_more(void **state)
{
    (void)state;
    register_signing("a");
    assert_int_equal(key_store_mark_signed(database(), STR("nobody")), ERR_NOT_FOUND);
    database_must(revoked("a"));
    assert_int_equal(told(), 2);
    assert_true(list_signing().items[0].revoked_ms > 0);
    assert_int_equal(key_store_mark_signed(database(), STR("a")), ERR_NOT_FOUND);
    assert_int_equal(revoked("a"), ERR_NO_MATCH);
    assert_int_equal(revoked("nobody"), ERR_NO_MATCH);
    assert_int_equal(told(), 2);
    register_signing("a"); /* it does not come back */
    assert_true(list_signing().items[0].revoked_ms > 0);
}

static void no_more_are_listed_than_there_is_room_for(void **state)
{
    struct key_rows rows;

    (void)state;
    database_do("INSERT INTO signing_keys (kid, public_jwk, first_seen_at, last_signed_at)"
                " SELECT 'old' || n, '{}', now() - interval '2 d', now() - interval '1 d'"
                " FROM generate_series(1, 300) n");
    register_signing("new");
    rows = list_signing();
    assert_int_equal(rows.count, KEY_STORE_ROWS_MAX);
    assert_true(str_equal(rows.items[0].kid, STR("new")));
}

static void ids_of_the_keyring_are_marked(void **state)
{
    struct key_rows rows;

    (void)state;
    register_keyring("k1");
    register_keyring("k1");
    register_keyring("k2");
    assert_int_equal(key_store_mark_current(database(), STR("k3")), ERR_NOT_FOUND);
    database_must(key_store_mark_current(database(), STR("k1")));
    arena_init(&arena, memory, sizeof(memory));
    database_must(key_store_list_keyring(database(), &arena, &rows));
    assert_int_equal(rows.count, 2);
    assert_true(str_equal(rows.items[0].kid, STR("k2")));
    assert_int_equal(rows.items[0].last_used_ms, 0);
    assert_true(rows.items[1].last_used_ms > 0);
    assert_true(rows.now_ms >= rows.items[1].last_used_ms);
}

static bool is_in_use(const char *kid)
{
    struct key_rows rows;
    bool found = false;

    arena_init(&arena, memory, sizeof(memory));
    database_must(key_store_keyring_in_use(database(), &arena, 3600, &rows));
    for (size_t i = 0; i < rows.count; i++) {
        found = found || str_equal(rows.items[i].kid, str_from(kid));
    }
    return found;
}

static void what_is_stored_and_what_was_current_lately_need_their_ids(void **state)
{
    (void)state;
    database_do("INSERT INTO keyring_keys (kid, last_current_at) VALUES"
                " ('lately', now() - interval '59 min'), ('long-ago', now() - interval '61 min'),"
                " ('never', NULL);"
                "INSERT INTO users (id, email, email_canonical, password_hash, pepper_kid)"
                " SELECT gen_random_uuid(), n::text, n::text, 'x',"
                " (ARRAY['k1', 'k9', '.', NULL, '-dash', 'Z_'])[n % 6 + 1]"
                " FROM generate_series(1, 60) n;"
                "INSERT INTO totp_factors (user_id, kid, nonce, secret)"
                " SELECT id, 'sealed' || (email::integer % 2), '', '' FROM users");
    assert_true(is_in_use("sealed0"));
    assert_true(is_in_use("sealed1"));
    assert_true(is_in_use("lately"));
    assert_false(is_in_use("long-ago"));
    assert_false(is_in_use("never"));
    assert_true(is_in_use("k1"));
    assert_true(is_in_use("k9"));
    assert_true(is_in_use("Z_"));
    assert_true(is_in_use("-dash"));
    assert_false(is_in_use(".")); /* no pepper */
}

static int empty(void **state)
{
    (void)state;
    database_do("TRUNCATE signing_keys, keyring_keys, revocations, users CASCADE");
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    database_start();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    database_stop();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_key_is_registered_and_told_once),
        TEST(a_key_that_nobody_publishes_any_more_is_new),
        TEST(the_newest_is_first),
        TEST(a_revoked_key_signs_no_more),
        TEST(no_more_are_listed_than_there_is_room_for),
        TEST(ids_of_the_keyring_are_marked),
        TEST(what_is_stored_and_what_was_current_lately_need_their_ids),
    };

    return cmocka_run_group_tests_name("key_store", tests, set_up, tear_down);
}
