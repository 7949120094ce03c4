/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "json_in.h"
#include "trust.h"

static unsigned char memory[512 * 1024];
static struct arena arena;
static char folder[32];
static char paths[3][64];
static struct config config;
static char jwk[SIGNING_JWK_BYTES_MAX];
static char second_jwk[SIGNING_JWK_BYTES_MAX];

static const char keyring_json[] =
    "{\"current\":\"k1\",\"keys\":{\"k1\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}}";
static const char webhook_json[] =
    "{\"secrets\":[\"whsec_AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"]}";

enum { JWT, KEYRING, WEBHOOK };

static const char *const variables[] = {"US_JWT_SECRET", "US_KEYRING_SECRET", "US_WEBHOOK_SECRET"};

static void put(unsigned which, const char *text)
{
    FILE *file = fopen(paths[which] + strlen("file:"), "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum error load(struct trust *out, const char **why)
{
    arena_init(&arena, memory, sizeof(memory));
    *out = (struct trust){0};
    return trust_load(&config, &arena, out, why);
}

/* What had been loaded before the fault is freed with the rest. */
static void assert_refused(unsigned which)
{
    struct trust trust;
    const char *why = NULL;

    if (load(&trust, &why) != ERR_CONFIG) {
        fail_msg("%s was taken", variables[which]);
    }
    assert_non_null(why);
    assert_ptr_equal(strstr(why, variables[which]), why);
    assert_int_equal(why[strlen(variables[which])], ':');
    assert_true(strlen(why) > strlen(variables[which]) + 10);
    assert_null(strchr(why, '\n'));
    trust_free(&trust);
}

static void all_three_are_loaded(void **state)
{
    struct trust trust;
    const char *why = "";

    (void)state;
    if (load(&trust, &why) != OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(trust.key_count, 1);
    assert_string_equal(signing_key_alg(trust.keys[0]), "ES256");
    assert_string_equal(keyring_current(trust.keyring), "k1");
    trust_free(&trust);
    assert_int_equal(trust.key_count, 0);
    assert_null(trust.keyring);
}

static void put_set(unsigned count)
{
    char text[4 * SIGNING_JWK_BYTES_MAX];
    struct buf out = buf_over(text, sizeof(text) - 1);

    buf_append(&out, STR("{\"keys\":["));
    for (unsigned i = 0; i < count; i++) {
        buf_append(&out, i > 0 ? STR(",") : STR_EMPTY);
        buf_append(&out, str_from(i % 2 == 0 ? jwk : second_jwk));
    }
    buf_append(&out, STR("]}"));
    assert_false(out.overflowed);
    text[out.len] = '\0';
    put(JWT, text);
}

/* The first of a set signs. */
static void a_jwk_set_is_loaded_in_its_order(void **state)
{
    struct signing_key *first = NULL;
    struct trust trust;
    const char *why = "";

    (void)state;
    put_set(2);
    if (load(&trust, &why) != OK) {
        fail_msg("%s", why);
    }
    assert_int_equal(trust.key_count, 2);
    assert_int_equal(signing_key_load(str_from(jwk), &first, &why), OK);
    assert_string_equal(signing_key_kid(trust.keys[0]), signing_key_kid(first));
    assert_string_not_equal(signing_key_kid(trust.keys[1]), signing_key_kid(first));
    signing_key_free(first);
    trust_free(&trust);
}

static void a_set_has_one_to_four_keys(void **state)
{
    (void)state;
    put_set(0);
    assert_refused(JWT);
    put_set(5);
    assert_refused(JWT);
}

static void what_is_no_key_is_refused(void **state)
{
    static const char *const bad[] = {
        "x",
        "{}",
        "[]",
        "null",
        "{\"keys\":{}}",
        "{\"keys\":[{}]}",
        "{\"keys\":[\"x\"]}",
        "{\"kty\":\"oct\",\"k\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\",\"d\":\"AA\"}",
        /* the public half alone */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}",
        /* a private half of another key */
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
        "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
        "\"d\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(JWT, bad[i]);
        assert_refused(JWT);
    }
}

/* One bad key in a set refuses all of it; those before it are freed. */
static void one_bad_key_refuses_the_set(void **state)
{
    char text[2 * SIGNING_JWK_BYTES_MAX];

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"keys\":[%s,{\"kty\":\"oct\"}]}", jwk);
    put(JWT, text);
    assert_refused(JWT);
}

static void a_kid_names_one_key(void **state)
{
    char text[2 * SIGNING_JWK_BYTES_MAX + 16];

    (void)state;
    (void)snprintf(text, sizeof(text), "{\"keys\":[%s,%s]}", jwk, jwk);
    put(JWT, text);
    assert_refused(JWT);
}

static void a_bad_keyring_is_named(void **state)
{
    (void)state;
    put(KEYRING, "{\"current\":\"k2\",\"keys\":{}}");
    assert_refused(KEYRING);
}

static void bad_webhook_secrets_are_named(void **state)
{
    static const char *const bad[] = {"{}", "{\"secrets\":[]}", "{\"secrets\":[\"AgICAgIC\"]}",
                                      "{\"secrets\":[\"whsec_AAAA\"]}", "{\"secrets\":[7]}"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        put(WEBHOOK, bad[i]);
        assert_refused(WEBHOOK);
    }
}

static void a_file_that_is_not_there_is_named(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(unlink(paths[i] + strlen("file:")), 0);
        assert_refused(i);
        put(i, i == JWT ? jwk : i == KEYRING ? keyring_json : webhook_json);
    }
}

/* What stands in a secret is never repeated, whatever is wrong with it. */
static void a_secret_is_not_repeated(void **state)
{
    static const char *const wrong[] = {
        "{\"current\":\"k1\",\"keys\":{\"k1\":\"hunter2hunter2\"}}",
        "hunter2",
        "{\"current\":\"k1\",\"keys\":{\"k1\":[\"hunter2\"]}}",
        "{\"hunter2\":\"hunter2\" \"hunter2\"}",
    };

    (void)state;
    for (unsigned which = 0; which < 3; which++) {
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
            struct trust trust;
            const char *why = "";

            put(which, wrong[i]);
            assert_int_equal(load(&trust, &why), ERR_CONFIG);
            if (strstr(why, "hunter2") != NULL) {
                fail_msg("%s", why);
            }
            trust_free(&trust);
        }
        put(which, which == JWT ? jwk : which == KEYRING ? keyring_json : webhook_json);
    }
}

static void write_key(char *out)
{
    struct signing_key *key = signing_key_generate();
    struct buf text = buf_over(out, SIGNING_JWK_BYTES_MAX - 1);

    assert_int_equal(signing_key_private_jwk(key, &text), OK);
    out[text.len] = '\0';
    signing_key_free(key);
}

static int good_files(void **state)
{
    (void)state;
    put(JWT, jwk);
    put(KEYRING, keyring_json);
    put(WEBHOOK, webhook_json);
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    write_key(jwk);
    write_key(second_jwk);
    (void)snprintf(folder, sizeof(folder), "/tmp/us-trust-XXXXXX");
    assert_non_null(mkdtemp(folder));
    for (unsigned i = 0; i < 3; i++) {
        (void)snprintf(paths[i], sizeof(paths[i]), "file:%s/%u.json", folder, i);
    }
    config.jwt_secret = str_from(paths[JWT]);
    config.keyring_secret = str_from(paths[KEYRING]);
    config.webhook_secret = str_from(paths[WEBHOOK]);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        (void)unlink(paths[i] + strlen("file:"));
    }
    (void)rmdir(folder);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, good_files)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(all_three_are_loaded),
        TEST(a_jwk_set_is_loaded_in_its_order),
        TEST(a_set_has_one_to_four_keys),
        TEST(what_is_no_key_is_refused),
        TEST(one_bad_key_refuses_the_set),
        TEST(a_kid_names_one_key),
        TEST(a_bad_keyring_is_named),
        TEST(bad_webhook_secrets_are_named),
        TEST(a_file_that_is_not_there_is_named),
        TEST(a_secret_is_not_repeated),
    };

    return cmocka_run_group_tests_name("trust", tests, set_up, tear_down);
}
