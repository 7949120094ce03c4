/* SPDX-License-Identifier: Apache-2.0 */
/* The cache of verified tokens: what it gives back, what it must not give back, threads, memory. */
#include "support/tokens.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>

#include "token_cache.h"

enum { THREADS = 4, ROUNDS = 20000, TOKENS = 32 };

static unsigned char memory[64 * 1024];
static struct arena arena;

static struct arena *fresh(void)
{
    arena_init(&arena, memory, sizeof(memory));
    return &arena;
}

static struct token_claims claims_of(const char *sub)
{
    return (struct token_claims){
        .sub = str_from(sub),
        .client_id = STR("first-party"),
        .sid = crypto_uuid4(),
        .auth_ver = 3,
        .auth_time_s = 5,
        .iat_s = 6,
        .exp_s = clock_wall_s() + 300,
        .jti = STR("j"),
        .roles = STR("admin support"),
        .scope = STR(""),
        .aud = {.items = {STR("shop"), STR("stock")}, .count = 2},
    };
}

static struct token_cache_key key_of(const char *text, uint64_t generation)
{
    return token_cache_key_of(str_from(text), generation);
}

static bool has(struct token_cache *cache, const char *text, uint64_t generation)
{
    struct token_cache_key wanted = key_of(text, generation);
    struct token_claims out = {.auth_ver = -1};
    bool found = token_cache_find(cache, fresh(), &wanted, &out);

    assert_int_equal(found, out.auth_ver != -1); /* untouched where there is nothing */
    return found;
}

static void put(struct token_cache *cache, const char *text, uint64_t generation,
                const struct token_claims *claims)
{
    struct token_cache_key place = key_of(text, generation);

    token_cache_store(cache, &place, claims);
}

static void all_claims_come_back(void **state)
{
    struct token_cache *cache = token_cache_new(64);
    struct token_claims in = claims_of("somebody");
    struct token_cache_key wanted = key_of("a.b.c", 1);
    struct token_claims out = {0};

    (void)state;
    assert_false(has(cache, "a.b.c", 1));
    put(cache, "a.b.c", 1, &in);
    assert_true(token_cache_find(cache, fresh(), &wanted, &out));
    assert_str_equal(out.sub, in.sub);
    assert_str_equal(out.client_id, in.client_id);
    assert_str_equal(out.jti, in.jti);
    assert_str_equal(out.roles, in.roles);
    assert_str_equal(out.scope, in.scope);
    assert_true(uuid_equal(out.sid, in.sid));
    assert_int_equal(out.auth_ver, 3);
    assert_int_equal(out.auth_time_s, 5);
    assert_int_equal(out.iat_s, 6);
    assert_int_equal(out.exp_s, in.exp_s);
    assert_false(out.is_client);
    assert_int_equal(out.aud.count, 2);
    assert_str_equal(out.aud.items[0], STR("shop"));
    assert_str_equal(out.aud.items[1], STR("stock"));
    in.is_client = true;
    put(cache, "a.b.d", 1, &in);
    wanted = key_of("a.b.d", 1);
    assert_true(token_cache_find(cache, fresh(), &wanted, &out));
    assert_true(out.is_client);
    token_cache_free(cache);
}

static void another_text_is_another_token(void **state)
{
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");

    (void)state;
    put(cache, "a.b.c", 1, &in);
    assert_false(has(cache, "a.b.cc", 1));
    assert_false(has(cache, "a.b.C", 1));
    assert_false(has(cache, "a.b", 1));
    assert_false(has(cache, "", 1));
    assert_true(has(cache, "a.b.c", 1));
    token_cache_free(cache);
}

/* All bytes of the digest count, not those alone that find the place. */
static void nearly_the_same_digest_is_another_token(void **state)
{
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");
    struct token_claims out;

    (void)state;
    put(cache, "a.b.c", 1, &in);
    for (size_t i = 0; i < CRYPTO_SHA256_BYTES; i++) {
        struct token_cache_key near = key_of("a.b.c", 1);

        near.digest.bytes[i] ^= 0x80;
        assert_false(token_cache_find(cache, fresh(), &near, &out));
    }
    token_cache_free(cache);
}

static void other_keys_end_it(void **state)
{
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");

    (void)state;
    put(cache, "a.b.c", 1, &in);
    assert_false(has(cache, "a.b.c", 2));
    assert_false(has(cache, "a.b.c", 0));
    put(cache, "a.b.c", 2, &in); /* in the same place */
    assert_true(has(cache, "a.b.c", 2));
    assert_false(has(cache, "a.b.c", 1));
    token_cache_free(cache);
}

static void it_ends_with_the_token(void **state)
{
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");

    (void)state;
    in.exp_s = clock_wall_s();
    put(cache, "a.b.c", 1, &in);
    assert_false(has(cache, "a.b.c", 1));
    in.exp_s = INT64_MIN;
    put(cache, "a.b.c", 1, &in);
    assert_false(has(cache, "a.b.c", 1));
    token_cache_free(cache);
}

static void what_is_too_long_is_not_kept(void **state)
{
    static char text[2048];
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    in.scope = str_from(text);
    put(cache, "a.b.c", 1, &in);
    assert_false(has(cache, "a.b.c", 1));
    in = claims_of("somebody");
    for (size_t i = 0; i < JSON_LIST_MAX; i++) {
        in.aud.items[i] = STR("a");
    }
    in.aud.count = JSON_LIST_MAX;
    put(cache, "a.b.c", 1, &in);
    assert_false(has(cache, "a.b.c", 1));
    in = claims_of("somebody");
    for (size_t bytes = 0; bytes < TOKEN_CACHE_SLOT_BYTES; bytes++) { /* up to the last byte */
        struct token_cache_key wanted = key_of("a.b.c", bytes);
        struct token_claims out;

        in.scope = (struct str){text, bytes};
        put(cache, "a.b.c", bytes, &in);
        if (token_cache_find(cache, fresh(), &wanted, &out)) {
            /* with sub, client_id, jti, roles and aud; and there is more in a slot than texts */
            assert_true(8 + 11 + 1 + 13 + 9 + bytes < TOKEN_CACHE_SLOT_BYTES - 120);
            assert_str_equal(out.scope, in.scope);
            assert_str_equal(out.aud.items[1], STR("stock"));
        }
    }
    token_cache_free(cache);
}

/* A full arena is the request's trouble, and no reason to be let in. */
static void a_full_arena_finds_nothing(void **state)
{
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");
    struct token_cache_key wanted = key_of("a.b.c", 1);
    struct token_claims out;
    struct arena small;

    (void)state;
    put(cache, "a.b.c", 1, &in);
    arena_init(&small, memory, 8);
    assert_false(token_cache_find(cache, &small, &wanted, &out));
    token_cache_free(cache);
}

/* Four ways: of five tokens the one that nobody asked for is gone. */
static void the_least_used_makes_place(void **state)
{
    struct token_cache *cache = token_cache_new(4);
    struct token_claims in = claims_of("somebody");
    char text[2] = "a";
    int64_t filled_ms;

    (void)state;
    for (text[0] = 'a'; text[0] < 'e'; text[0]++) {
        put(cache, text, 1, &in);
    }
    filled_ms = clock_mono_ms();
    while (clock_mono_ms() <= filled_ms) {
    }
    assert_true(has(cache, "a", 1));
    assert_true(has(cache, "b", 1));
    assert_true(has(cache, "d", 1));
    put(cache, "e", 1, &in);
    assert_true(has(cache, "a", 1));
    assert_true(has(cache, "b", 1));
    assert_false(has(cache, "c", 1));
    assert_true(has(cache, "d", 1));
    assert_true(has(cache, "e", 1));
    token_cache_free(cache);
}

/* However many come, it holds what it has place for and no more. */
static void it_is_bounded(void **state)
{
    struct token_cache *cache = token_cache_new(64);
    struct token_claims in = claims_of("somebody");
    size_t kept = 0;
    char text[16];

    (void)state;
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(text, sizeof(text), "t%d", i);
        put(cache, text, 1, &in);
    }
    for (int i = 0; i < 10000; i++) {
        (void)snprintf(text, sizeof(text), "t%d", i);
        kept += has(cache, text, 1) ? 1 : 0;
    }
    assert_int_equal(kept, 64);
    token_cache_free(cache);
}

struct crowd {
    struct token_cache *cache;
    _Atomic unsigned found;
};

/* Each token says its own name: what is found must be whole, and of that token. */
static void *ask_and_put(void *context)
{
    struct crowd *crowd = context;
    unsigned char own[4096];
    struct arena own_arena;
    uint64_t seed = (uint64_t)(uintptr_t)&own_arena | 1;
    char name[64];

    for (int i = 0; i < ROUNDS; i++) {
        struct token_claims claims;
        struct token_cache_key wanted;
        uint64_t which = unit_random(&seed) % TOKENS;

        (void)snprintf(name, sizeof(name), "%0*d", (int)which + 1, (int)which);
        wanted = key_of(name, 1);
        arena_init(&own_arena, own, sizeof(own));
        if (token_cache_find(crowd->cache, &own_arena, &wanted, &claims)) {
            atomic_fetch_add(&crowd->found, 1);
            assert(str_equal(claims.sub, str_from(name)));
            assert(str_equal(claims.aud.items[1], str_from(name)));
            continue;
        }
        claims = claims_of(name);
        claims.aud.items[1] = str_from(name);
        token_cache_store(crowd->cache, &wanted, &claims);
    }
    return NULL;
}

static void threads_see_whole_entries(void **state)
{
    struct crowd crowd = {.cache = token_cache_new(8)};
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, ask_and_put, &crowd), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_true(crowd.found > 0);
    token_cache_free(crowd.cache);
}

/* With the checks themselves. */

static void a_token_seen_before_is_taken_again(void **state)
{
    struct token_claims claims;
    struct str token = issue();

    (void)state;
    tokens.cache = token_cache_new(64);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(token_verify(&tokens, fresh(), token, &claims), OK);
        assert_str_equal(claims.sub, subject().sub);
        assert_str_equal(claims.roles, STR("admin support"));
        assert_int_equal(token_check(&tokens, fresh(), token, &claims), OK);
    }
    token_cache_free(tokens.cache);
    tokens.cache = NULL;
}

/* Revoking the key is replacing the set. */
static void a_revoked_key_ends_a_token_seen_before(void **state)
{
    struct token_claims claims;
    struct str token = issue();

    (void)state;
    tokens.cache = token_cache_new(64);
    assert_int_equal(token_verify(&tokens, fresh(), token, &claims), OK);
    use_keys(key, old_key);
    assert_int_equal(token_verify(&tokens, fresh(), token, &claims), OK);
    use_keys(old_key, NULL);
    assert_int_equal(token_verify(&tokens, fresh(), token, &claims), ERR_UNAUTHENTICATED);
    use_keys(key, NULL);
    assert_int_equal(token_verify(&tokens, fresh(), token, &claims), OK);
    token_cache_free(tokens.cache);
    tokens.cache = NULL;
}

/* A wrong one leaves nothing behind, and takes nothing from the right one. */
static void refused_tokens_are_not_kept(void **state)
{
    static char text[TEXT_BYTES_MAX];
    struct token_claims claims;
    struct str token = issue();
    struct buf wrong = buf_over(text, sizeof(text));

    (void)state;
    tokens.cache = token_cache_new(64);
    assert_int_equal(token_verify(&tokens, fresh(), token, &claims), OK);
    buf_append(&wrong, token);
    for (size_t i = 0; i < token.len; i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        for (int again = 0; again < 2; again++) {
            assert_int_equal(token_verify(&tokens, fresh(), buf_str(&wrong), &claims),
                             ERR_UNAUTHENTICATED);
        }
        text[i] = was;
    }
    assert_int_equal(token_verify(&tokens, fresh(), token, &claims), OK);
    token_cache_free(tokens.cache);
    tokens.cache = NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_claims_come_back),
        cmocka_unit_test(another_text_is_another_token),
        cmocka_unit_test(nearly_the_same_digest_is_another_token),
        cmocka_unit_test(other_keys_end_it),
        cmocka_unit_test(it_ends_with_the_token),
        cmocka_unit_test(what_is_too_long_is_not_kept),
        cmocka_unit_test(a_full_arena_finds_nothing),
        cmocka_unit_test(the_least_used_makes_place),
        cmocka_unit_test(it_is_bounded),
        cmocka_unit_test(threads_see_whole_entries),
        cmocka_unit_test(a_token_seen_before_is_taken_again),
        cmocka_unit_test(a_revoked_key_ends_a_token_seen_before),
        cmocka_unit_test(refused_tokens_are_not_kept),
    };

    return cmocka_run_group_tests_name("token_cache", tests, tokens_start, tokens_stop);
}
