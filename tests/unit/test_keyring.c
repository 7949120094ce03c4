/* SPDX-License-Identifier: Apache-2.0 */
#include "support/auth.h"

#include <stdio.h>

static const char two_keys[] = "{\"current\":\"k2\",\"keys\":{" AUTH_K1 "," AUTH_K2 "}}";

static const char *refused(struct str json)
{
    struct keyring *keyring = NULL;
    const char *why = NULL;

    if (keyring_load(auth_fresh_arena(), json, &keyring, &why) != ERR_CONFIG) {
        fail_msg("taken: %.*s", STR_ARG(json));
    }
    assert_null(keyring);
    assert_non_null(why);
    assert_ptr_equal(strstr(why, "keyring"), why); /* says what it speaks of */
    assert_null(strchr(why, '\n'));
    return why;
}

static void it_finds_its_keys_by_their_ids(void **state)
{
    struct keyring *keyring = auth_keyring(two_keys);

    (void)state;
    assert_string_equal(keyring_current(keyring), "k2");
    assert_non_null(keyring_key(keyring, STR("k1"), KEYRING_PEPPER));
    assert_ptr_equal(keyring_key(keyring, STR("k1"), KEYRING_PEPPER),
                     keyring_key(keyring, STR("k1"), KEYRING_PEPPER));
    keyring_free(keyring);
}

static void it_knows_no_other_ids(void **state)
{
    static const struct str ids[] = {STR(""),    STR("k"),    STR("k11"),   STR("K1"), STR("k3"),
                                     STR("k1 "), STR("k1\0"), STR("k1\0x"), STR("..")};
    struct keyring *keyring = auth_keyring(two_keys);

    (void)state;
    for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_null(keyring_key(keyring, ids[i], KEYRING_REFRESH));
        for (unsigned purpose = 0; purpose < KEYRING_PURPOSE_COUNT; purpose++) {
            assert_null(keyring_key(keyring, ids[i], (enum keyring_purpose)purpose));
        }
    }
    keyring_free(keyring);
}

/* The sub-keys are what the stored hashes and tokens were made with: labels must never change. */
static void sub_keys_are_hkdf_of_the_root(void **state)
{
    static const char *const labels[KEYRING_PURPOSE_COUNT] = {
        [KEYRING_PEPPER] = "pepper", [KEYRING_REFRESH] = "refresh",
        [KEYRING_CHAIN] = "chain",   [KEYRING_ONE_TIME] = "one-time",
        [KEYRING_CURSOR] = "cursor", [KEYRING_THROTTLE] = "throttle",
        [KEYRING_TOTP] = "totp",
    };
    struct keyring *keyring = auth_keyring(two_keys);
    struct crypto_key root;

    (void)state;
    memset(root.bytes, 1, sizeof(root.bytes)); /* what AUTH_K1 is the base64 of */
    for (unsigned i = 0; i < KEYRING_PURPOSE_COUNT; i++) {
        struct crypto_key wanted = crypto_hkdf(&root, str_from(labels[i]));
        const struct crypto_key *got = keyring_key(keyring, STR("k1"), (enum keyring_purpose)i);

        assert_memory_equal(got->bytes, wanted.bytes, sizeof(wanted.bytes));
    }
    keyring_free(keyring);
}

static void no_two_sub_keys_are_alike(void **state)
{
    struct keyring *keyring = auth_keyring(two_keys);
    const struct crypto_key *keys[2 * KEYRING_PURPOSE_COUNT];
    size_t count = 0;

    (void)state;
    for (unsigned i = 0; i < KEYRING_PURPOSE_COUNT; i++) {
        keys[count++] = keyring_key(keyring, STR("k1"), (enum keyring_purpose)i);
        keys[count++] = keyring_key(keyring, STR("k2"), (enum keyring_purpose)i);
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            assert_memory_not_equal(keys[i]->bytes, keys[j]->bytes, CRYPTO_KEY_BYTES);
        }
    }
    keyring_free(keyring);
}

static void what_others_write_beside_it_is_no_matter(void **state)
{
    struct keyring *keyring = auth_keyring("{\"note\":\"rotated in May\",\"keys\":{" AUTH_K1
                                           "},\"version\":3,\"current\":\"k1\"}");

    (void)state;
    assert_string_equal(keyring_current(keyring), "k1");
    keyring_free(keyring);
}

static void what_is_no_keyring_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "k1",
        "null",
        "[]",
        "{}",
        "{\"current\":\"k1\"}",
        "{\"keys\":{" AUTH_K1 "}}",
        "{\"current\":\"k1\",\"keys\":{}}",
        "{\"current\":\"k1\",\"keys\":[]}",
        "{\"current\":\"k1\",\"keys\":null}",
        "{\"current\":\"k1\",\"keys\":\"k1\"}",
        "{\"current\":1,\"keys\":{" AUTH_K1 "}}",
        "{\"current\":null,\"keys\":{" AUTH_K1 "}}",
        "{\"current\":\"\",\"keys\":{" AUTH_K1 "}}",
        "{\"current\":\"k1\",\"keys\":{\"k1\":7}}",
        "{\"current\":\"k1\",\"keys\":{\"k1\":null}}",
        "{\"current\":\"k1\",\"current\":\"k1\",\"keys\":{" AUTH_K1 "}}",
        "{\"current\":\"k1\",\"keys\":{" AUTH_K1 "," AUTH_K1 "}}", /* a key twice */
        "{\"current\":\"k1\",\"keys\":{" AUTH_K1 "}} {}",
        "{\"current\":\"k1\",\"keys\":{" AUTH_K1,
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_non_null(strstr(refused(str_from(bad[i])), "\"current\""));
    }
}

static void a_current_key_that_is_not_there_is_named(void **state)
{
    (void)state;
    assert_non_null(strstr(refused(STR("{\"current\":\"k7\",\"keys\":{\"k1\":"
                                       "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}}")),
                           "\"k7\""));
}

/* The sentence names the id and never repeats the key. */
static void a_key_that_is_not_32_bytes_is_named(void **state)
{
    static const char *const keys[] = {
        "",
        "AQEBAQ==",
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ==",  /* 31 */
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB",  /* 33 */
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE",   /* no padding */
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= ", /* something behind it */
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=",  /* stray bits */
        "_-EBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=",  /* the alphabet of URLs */
        "0101010101010101010101010101010101010101010101010101010101010101",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
        char json[256];
        const char *why;

        (void)snprintf(json, sizeof(json),
                       "{\"current\":\"bad-one\",\"keys\":{\"bad-one\":\"%s\"}}", keys[i]);
        why = refused(str_from(json));
        assert_non_null(strstr(why, "\"bad-one\""));
        assert_true(keys[i][0] == '\0' || strstr(why, keys[i]) == NULL);
    }
}

/* Ids stand between dots in tokens. */
static void an_id_is_of_a_narrow_alphabet(void **state)
{
    static const char *const good[] = {"k", "0", "K-2_x", "abcdefghijklmno1"};
    static const char *const bad[] = {"",    "a.b",     "a b", "a/b", "a\\u0001",
                                      "a=b", "\\u00e4", "a,b", "a:b", "abcdefghijklmnop1"};
    static const char form[] = "{\"current\":\"%s\",\"keys\":{\"%s\":"
                               "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}}";
    char json[256];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        (void)snprintf(json, sizeof(json), form, good[i], good[i]);
        keyring_free(auth_keyring(json));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        (void)snprintf(json, sizeof(json), form, bad[i], bad[i]);
        (void)refused(str_from(json));
    }
}

static struct str of_keys(char *text, size_t bytes, unsigned keys)
{
    struct buf out = buf_over(text, bytes);

    buf_append(&out, STR("{\"current\":\"key0\",\"keys\":{"));
    for (unsigned i = 0; i < keys; i++) {
        buf_printf(&out, "%s\"key%u\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"",
                   i == 0 ? "" : ",", i);
    }
    buf_append(&out, STR("}}"));
    assert_false(out.overflowed);
    return buf_str(&out);
}

static void so_many_keys_are_the_most(void **state)
{
    char text[4096];
    struct str json = of_keys(text, sizeof(text), KEYRING_KEYS_MAX);
    struct keyring *keyring = NULL;
    const char *why = "";

    (void)state;
    assert_int_equal(keyring_load(auth_fresh_arena(), json, &keyring, &why), OK);
    assert_non_null(keyring_key(keyring, STR("key7"), KEYRING_REFRESH));
    keyring_free(keyring);
    (void)refused(of_keys(text, sizeof(text), KEYRING_KEYS_MAX + 1));
}

static void an_arena_that_is_full_leaves_a_sentence(void **state)
{
    struct keyring *keyring = NULL;
    unsigned char memory[32];
    const char *why = NULL;
    struct arena arena;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(keyring_load(&arena, str_from(two_keys), &keyring, &why), ERR_CONFIG);
    assert_null(keyring);
    assert_non_null(why);
}

static void nothing_is_freed_of_none(void **state)
{
    (void)state;
    keyring_free(NULL);
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_finds_its_keys_by_their_ids),
        cmocka_unit_test(it_knows_no_other_ids),
        cmocka_unit_test(sub_keys_are_hkdf_of_the_root),
        cmocka_unit_test(no_two_sub_keys_are_alike),
        cmocka_unit_test(what_others_write_beside_it_is_no_matter),
        cmocka_unit_test(what_is_no_keyring_is_refused),
        cmocka_unit_test(a_current_key_that_is_not_there_is_named),
        cmocka_unit_test(a_key_that_is_not_32_bytes_is_named),
        cmocka_unit_test(an_id_is_of_a_narrow_alphabet),
        cmocka_unit_test(so_many_keys_are_the_most),
        cmocka_unit_test(an_arena_that_is_full_leaves_a_sentence),
        cmocka_unit_test(nothing_is_freed_of_none),
    };

    return cmocka_run_group_tests_name("keyring", tests, set_up, NULL);
}
