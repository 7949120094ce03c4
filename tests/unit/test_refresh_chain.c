/* SPDX-License-Identifier: Apache-2.0 */
/* Where refresh tokens come from: the first of a session, and the successor of each. */
#include "support/refresh_tokens.h"

#include <stdlib.h>

static void the_first_is_random(void **state)
{
    struct refresh_token a;
    struct refresh_token b;

    (void)state;
    assert_int_equal(refresh_token_first(keyring, &auth_arena, sid(), client, &a), OK);
    assert_int_equal(refresh_token_first(keyring, &auth_arena, sid(), client, &b), OK);
    assert_str_equal(a.kid, STR("k2")); /* the current key */
    assert_int_equal(a.generation, 0);
    assert_true(uuid_equal(a.sid, sid()));
    assert_str_equal(a.client_id, client);
    assert_int_equal(a.secret.len, REFRESH_TOKEN_SECRET_BYTES);
    assert_memory_not_equal(a.secret.ptr, b.secret.ptr, REFRESH_TOKEN_SECRET_BYTES);
}

/* secret[g+1] = HMAC(chain key, sid ‖ g ‖ secret[g]), computed here anew. */
static void the_successor_is_a_function_of_it(void **state)
{
    const struct refresh_token token = known(STR("k1"), 0x0102030405060708);
    struct refresh_token next = next_of(&token);
    char link[16 + 8 + 32];
    struct crypto_digest expected;

    (void)state;
    memcpy(link, token.sid.bytes, 16);
    memcpy(link + 16, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
    memcpy(link + 24, token.secret.ptr, 32);
    expected = crypto_hmac(keyring_key(keyring, STR("k1"), KEYRING_CHAIN),
                           (struct str){link, sizeof(link)});
    assert_int_equal(next.generation, token.generation + 1);
    assert_int_equal(next.secret.len, 32);
    assert_memory_equal(next.secret.ptr, expected.bytes, 32);
    assert_str_equal(next.kid, token.kid);
    assert_true(uuid_equal(next.sid, token.sid));
    assert_str_equal(text_of(&next), text_of(&(struct refresh_token){
                                         .kid = token.kid,
                                         .sid = token.sid,
                                         .generation = token.generation + 1,
                                         .secret = {(const char *)expected.bytes, 32},
                                         .client_id = client,
                                     }));
}

static void another_token_has_another_successor(void **state)
{
    struct refresh_token token = known(STR("k1"), 1);
    struct str secret = next_of(&token).secret;
    struct refresh_token other = token;

    (void)state;
    assert_str_equal(next_of(&token).secret, secret); /* however often */
    other.generation = 2;
    assert_false(str_equal(next_of(&other).secret, secret));
    other = token;
    other.kid = STR("k2");
    assert_false(str_equal(next_of(&other).secret, secret));
    other = token;
    other.sid.bytes[15] ^= 1;
    assert_false(str_equal(next_of(&other).secret, secret));
    other = token;
    other.secret = STR("0123456789abcdef0123456789abcdeF");
    assert_false(str_equal(next_of(&other).secret, secret));
}

static int by_bytes(const void *a, const void *b)
{
    return memcmp(a, b, 32);
}

/* A session's kid stays, and no secret comes twice. */
static void a_chain_does_not_repeat_itself(void **state)
{
    static char secrets[2000][32];
    struct refresh_token token = known(STR("k1"), 0);

    (void)state;
    for (size_t i = 0; i < 2000; i++) {
        struct refresh_token kept = token;

        memcpy(secrets[i], token.secret.ptr, 32);
        (void)auth_fresh_arena();
        kept.secret = (struct str){secrets[i], 32};
        token = next_of(&kept);
    }
    assert_int_equal(token.generation, 2000);
    assert_str_equal(token.kid, STR("k1"));
    qsort(secrets, 2000, 32, by_bytes);
    for (size_t i = 1; i < 2000; i++) {
        assert_memory_not_equal(secrets[i], secrets[i - 1], 32);
    }
}

static void the_row_gets_a_digest(void **state)
{
    const struct refresh_token token = known(STR("k1"), 1);
    struct crypto_digest digest = crypto_sha256(token.secret);
    struct str hash = refresh_token_hash(&auth_arena, &token);

    (void)state;
    assert_int_equal(hash.len, 32);
    assert_memory_equal(hash.ptr, digest.bytes, 32);
}

/* A key that is gone takes its tokens with it. */
static void without_its_key_it_is_none(void **state)
{
    const struct refresh_token token = known(STR("k2"), 1);
    struct str text = text_of(&token);
    struct keyring *smaller = auth_keyring("{\"current\":\"k1\",\"keys\":{" AUTH_K1 "}}");
    struct refresh_token read;

    (void)state;
    assert_int_equal(refresh_token_parse(smaller, &auth_arena, text, client, &read),
                     ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(refresh_token_next(smaller, &auth_arena, &token, &read), ERR_INTERNAL);
    assert_int_equal(refresh_token_text(smaller, &auth_arena, &token, &text), ERR_INTERNAL);
    keyring_free(smaller);
}

/* A full arena is no forgery. */
static void a_full_arena_says_so(void **state)
{
    const struct refresh_token token = known(STR("k1"), 1);
    struct str text = text_of(&token);
    unsigned char memory[2048];
    bool fitted = false;

    (void)state;
    for (size_t bytes = 0; bytes <= sizeof(memory); bytes += 16) {
        struct refresh_token read;
        struct arena arena;
        enum error error;

        arena_init(&arena, memory, bytes);
        error = refresh_token_parse(keyring, &arena, text, client, &read);
        if (error == OK) {
            error = refresh_token_next(keyring, &arena, &read, &read);
        }
        assert_true(error == OK || error == ERR_NO_SPACE);
        assert_true(error == OK || !fitted);
        fitted = fitted || error == OK;
    }
    assert_true(fitted);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_first_is_random, fresh),
        cmocka_unit_test_setup(the_successor_is_a_function_of_it, fresh),
        cmocka_unit_test_setup(another_token_has_another_successor, fresh),
        cmocka_unit_test_setup(a_chain_does_not_repeat_itself, fresh),
        cmocka_unit_test_setup(the_row_gets_a_digest, fresh),
        cmocka_unit_test_setup(without_its_key_it_is_none, fresh),
        cmocka_unit_test_setup(a_full_arena_says_so, fresh),
    };

    return cmocka_run_group_tests_name("refresh_chain", tests, set_up, tear_down);
}
