/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdatomic.h>

#include "json_in.h"
#include "signers.h"

static struct signer_set set_of(struct signing_key *first, struct signing_key *second)
{
    struct signer_set set = {.keys = {signing_key_hold(first)}, .count = 1, .signer = first};

    if (second != NULL) {
        set.keys[set.count++] = signing_key_hold(second);
    }
    return set;
}

static void it_begins_with_no_key(void **state)
{
    struct signers *signers = signers_new();
    const struct signer_set *set = signers_now(signers);

    (void)state;
    assert_int_equal(set->count, 0);
    assert_null(set->signer);
    assert_true(str_equal(set->jwks, STR("{\"keys\":[]}")));
    signers_free(signers);
}

static void a_replaced_set_stays_valid(void **state)
{
    struct signing_key *a = signing_key_generate();
    struct signing_key *b = signing_key_generate();
    struct signers *signers = signers_new();
    struct signer_set set = set_of(a, NULL);
    const struct signer_set *old;

    (void)state;
    signers_replace(signers, &set);
    old = signers_now(signers);
    set = set_of(b, a);
    signers_replace(signers, &set);
    assert_ptr_equal(signers_now(signers)->signer, b);
    assert_ptr_equal(signers_find(signers_now(signers), str_from(signing_key_kid(a))), a);
    assert_true(signers_now(signers)->generation > old->generation);
    assert_ptr_equal(old->signer, a);
    assert_null(signers_find(old, str_from(signing_key_kid(b))));
    signing_key_free(a);
    signing_key_free(b);
    assert_true(old->jwks.len > 0 && old->jwks.ptr[0] == '{');
    signers_free(signers);
}

static void the_document_is_of_the_public_halves(void **state)
{
    struct signing_key *a = signing_key_generate();
    struct signing_key *b = signing_key_generate_rsa();
    struct signers *signers = signers_new();
    struct signer_set set = set_of(a, b);
    struct str elements[3];
    unsigned char memory[65536];
    struct arena arena;
    size_t count = 0;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    signers_replace(signers, &set);
    assert_int_equal(
        json_in_elements(&arena, signers_now(signers)->jwks, "keys", elements, 3, &count), OK);
    assert_int_equal(count, 2);
    for (size_t i = 0; i < count; i++) {
        struct signing_key *half = NULL;
        const char *why = "";

        assert_int_equal(signing_key_load_public(elements[i], &half, &why), OK);
        assert_true(signing_key_is_same(half, i == 0 ? a : b));
        signing_key_free(half);
    }
    signing_key_free(a);
    signing_key_free(b);
    signers_free(signers);
}

/* What others cache must not change under one tag. */
static void the_tag_is_of_the_content(void **state)
{
    struct signing_key *a = signing_key_generate();
    struct signing_key *b = signing_key_generate();
    struct signers *signers = signers_new();
    struct signer_set set = set_of(a, NULL);
    struct str first;

    (void)state;
    signers_replace(signers, &set);
    first = signers_now(signers)->jwks_etag;
    assert_int_equal(first.len, SIGNERS_ETAG_BYTES);
    assert_int_equal(first.ptr[0], '"');
    set = set_of(a, NULL);
    signers_replace(signers, &set);
    assert_true(str_equal(first, signers_now(signers)->jwks_etag));
    set = set_of(a, b);
    signers_replace(signers, &set);
    assert_false(str_equal(first, signers_now(signers)->jwks_etag));
    signing_key_free(a);
    signing_key_free(b);
    signers_free(signers);
}

static atomic_bool over;

static void *read_on(void *context)
{
    const struct signers *signers = context;

    while (!atomic_load(&over)) {
        const struct signer_set *set = signers_now(signers);
        char memory[SIGNING_SIGNATURE_BYTES_MAX];
        struct buf signature = buf_over(memory, sizeof(memory));

        if (signing_sign(set->signer, set->jwks, &signature) != OK ||
            signing_verify(set->keys[0], set->jwks, buf_str(&signature)) != OK) {
            return context;
        }
    }
    return NULL;
}

static void readers_need_not_wait(void **state)
{
    struct signing_key *key = signing_key_generate();
    struct signers *signers = signers_new_of(key);
    pthread_t readers[4];

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, signers), 0);
    }
    for (int i = 0; i < 200; i++) {
        struct signing_key *fresh = signing_key_generate();
        const struct signer_set set = {.keys = {fresh}, .count = 1, .signer = fresh};

        signers_replace(signers, &set);
    }
    atomic_store(&over, true);
    for (size_t i = 0; i < 4; i++) {
        void *failed;

        assert_int_equal(pthread_join(readers[i], &failed), 0);
        assert_null(failed);
    }
    signers_free(signers);
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
        cmocka_unit_test(it_begins_with_no_key),
        cmocka_unit_test(a_replaced_set_stays_valid),
        cmocka_unit_test(the_document_is_of_the_public_halves),
        cmocka_unit_test(the_tag_is_of_the_content),
        cmocka_unit_test(readers_need_not_wait),
    };

    return cmocka_run_group_tests_name("signers", tests, set_up, NULL);
}
