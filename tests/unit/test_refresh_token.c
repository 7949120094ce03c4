/* SPDX-License-Identifier: Apache-2.0 */
/* What a refresh token is and what is none. Its successors: test_refresh_chain.c */
#include "support/refresh_tokens.h"

/* rt1.<kid>.<sid>.<generation>.<secret>.<tag>, the tag computed here anew. */
static void the_text_is_of_its_form(void **state)
{
    const struct refresh_token token = known(STR("k1"), 7);

    (void)state;
    assert_str_equal(text_of(&token), sealed(STR("rt1.k1." SID ".7." SECRET ".")));
}

static void what_was_written_is_read(void **state)
{
    static const int64_t generations[] = {0, 1, 9, 10, 4294967296, 999999999999999999};

    (void)state;
    for (size_t i = 0; i < sizeof(generations) / sizeof(generations[0]); i++) {
        const struct refresh_token token = known(STR("k1"), generations[i]);
        struct refresh_token read;

        assert_int_equal(parse_for(text_of(&token), client, &read), OK);
        assert_str_equal(read.kid, token.kid);
        assert_true(uuid_equal(read.sid, token.sid));
        assert_int_equal(read.generation, token.generation);
        assert_str_equal(read.secret, token.secret);
        assert_str_equal(read.client_id, client);
    }
}

static void every_flipped_bit_is_noticed(void **state)
{
    const struct refresh_token token = known(STR("k1"), 123456);
    struct str text = text_of(&token);
    char *bytes = arena_terminated(&auth_arena, text);

    (void)state;
    for (size_t bit = 0; bit < text.len * 8; bit++) {
        unsigned char memory[1024];
        struct arena arena;
        struct refresh_token read = {.generation = -1};

        arena_init(&arena, memory, sizeof(memory));
        bytes[bit / 8] = (char)(text.ptr[bit / 8] ^ (1 << (bit % 8)));
        if (refresh_token_parse(keyring, &arena, (struct str){bytes, text.len}, client, &read) !=
            ERR_INVALID_REFRESH_TOKEN) {
            fail_msg("bit %zu of byte %zu may be flipped", bit % 8, bit / 8);
        }
        assert_int_equal(read.generation, -1); /* untouched */
        bytes[bit / 8] = text.ptr[bit / 8];
    }
    assert_int_equal(parse((struct str){bytes, text.len}), OK);
}

static void every_other_length_is_refused(void **state)
{
    const struct refresh_token token = known(STR("k1"), 1);
    struct str text = text_of(&token);
    static const char more[] = {'A', '=', '.', ' ', '\0', '\n'};

    (void)state;
    for (size_t len = 0; len < text.len; len++) {
        assert_int_equal(parse(str_sub(text, 0, len)), ERR_INVALID_REFRESH_TOKEN);
        assert_int_equal(parse(str_sub(text, len + 1, text.len)), ERR_INVALID_REFRESH_TOKEN);
    }
    for (size_t i = 0; i < sizeof(more); i++) {
        struct str longer = arena_printf(&auth_arena, "%.*s#", STR_ARG(text));
        char *bytes = arena_terminated(&auth_arena, longer);

        bytes[text.len] = more[i];
        assert_int_equal(parse((struct str){bytes, longer.len}), ERR_INVALID_REFRESH_TOKEN);
    }
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        ".....",
        "rt1.....",
        "rt1.k1." SID ".0." SECRET ".",
        "rt1.k1." SID ".0." SECRET ".AAAAAAAAAAAAAAAAAAAAAA",
        "rt1.." SID ".0." SECRET ".AAAAAAAAAAAAAAAAAAAAAA",
        "rt1.../../etc/passwd." SID ".0." SECRET ".AAAAAAAAAAAAAAAAAAAAAA",
        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
        "ot1.k1.registration." SID ".0.AAAAAAAAAAAAAAAAAAAAAA",
    };
    char long_text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(parse(str_from(bad[i])), ERR_INVALID_REFRESH_TOKEN);
    }
    memset(long_text, '.', sizeof(long_text));
    assert_int_equal(parse((struct str){long_text, sizeof(long_text)}), ERR_INVALID_REFRESH_TOKEN);
    memset(long_text, 'A', sizeof(long_text));
    assert_int_equal(parse((struct str){long_text, sizeof(long_text)}), ERR_INVALID_REFRESH_TOKEN);
}

/* The tag alone does not make a token of it. */
static void a_good_tag_over_something_else_is_refused(void **state)
{
    static const char *const heads[] = {
        "rt2.k1." SID ".0." SECRET ".",
        "RT1.k1." SID ".0." SECRET ".",
        ".k1." SID ".0." SECRET ".",
        "rt1.k1.0." SECRET ".",                                  /* too few parts */
        "rt1.k1." SID ".0.0." SECRET ".",                        /* too many */
        "rt1.k1.01890a5dac96774bbcceb302099a8057.0." SECRET ".", /* no UUID */
        "rt1.k1." SID ".." SECRET ".",                           /* no generation */
        "rt1.k1." SID ".-1." SECRET ".",
        "rt1.k1." SID ".+1." SECRET ".",
        "rt1.k1." SID ".01." SECRET ".",
        "rt1.k1." SID ".0x1." SECRET ".",
        "rt1.k1." SID ".1e3." SECRET ".",
        "rt1.k1." SID ".1000000000000000000." SECRET ".",                 /* 19 digits */
        "rt1.k1." SID ".99999999999999999999." SECRET ".",                /* beyond 64 bits */
        "rt1.k1." SID ".0.MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZQ.",   /* 31 bytes */
        "rt1.k1." SID ".0.MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZn.", /* 33 bytes */
        "rt1.k1." SID ".0.MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWZ.",  /* a stray bit */
        "rt1.k1." SID ".0.MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=.", /* padding */
        "rt1.k1." SID ".0..",
    };

    (void)state;
    assert_int_equal(parse(sealed(STR("rt1.k1." SID ".0." SECRET "."))), OK);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        if (parse(sealed(str_from(heads[i]))) != ERR_INVALID_REFRESH_TOKEN) {
            fail_msg("%s is taken", heads[i]);
        }
    }
}

/* The client is part of what the tag covers, and no other split of the text gives the same. */
static void it_is_good_for_its_client_alone(void **state)
{
    const struct refresh_token token = known(STR("k1"), 1);
    struct str text = text_of(&token);
    struct refresh_token dotted = token;
    struct refresh_token read;

    (void)state;
    assert_int_equal(parse_for(text, STR("first-part"), &read), ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(parse_for(text, STR("first-party2"), &read), ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(parse_for(text, STR("First-party"), &read), ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(parse_for(text, STR_EMPTY, &read), ERR_INVALID_REFRESH_TOKEN);
    dotted.client_id = STR("a.b");
    text = text_of(&dotted);
    assert_int_equal(parse_for(text, STR("a.b"), &read), OK);
    assert_int_equal(parse_for(text, STR("b"), &read), ERR_INVALID_REFRESH_TOKEN);
}

static void the_key_is_the_one_that_it_names(void **state)
{
    const struct refresh_token first = known(STR("k1"), 1);
    const struct refresh_token second = known(STR("k2"), 1);
    struct str tag = text_of(&second);
    struct str text = text_of(&first);

    (void)state;
    assert_int_equal(parse(text), OK);
    assert_int_equal(parse(tag), OK);
    while (tag.len > 22) {
        tag = str_sub(tag, 1, tag.len);
    }
    assert_int_equal(
        parse(arena_printf(&auth_arena, "%.*s%.*s", (int)(text.len - 22), text.ptr, STR_ARG(tag))),
        ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(parse(sealed(STR("rt1.k3." SID ".0." SECRET "."))), ERR_INVALID_REFRESH_TOKEN);
    assert_int_equal(parse(sealed(STR("rt1.k2." SID ".0." SECRET "."))), ERR_INVALID_REFRESH_TOKEN);
    for (unsigned purpose = 0; purpose < KEYRING_PURPOSE_COUNT; purpose++) {
        enum error wanted = purpose == KEYRING_REFRESH ? OK : ERR_INVALID_REFRESH_TOKEN;

        assert_int_equal(parse(sealed_with(STR("rt1.k1." SID ".0." SECRET "."), STR("k1"),
                                           (enum keyring_purpose)purpose)),
                         wanted);
    }
}

static void the_longest_fits(void **state)
{
    struct keyring *longest =
        auth_keyring("{\"current\":\"k-45678901234567\",\"keys\":{\"k-45678901234567\":"
                     "\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}}");
    struct refresh_token token = known(STR("k-45678901234567"), 999999999999999999);
    struct refresh_token read;
    struct str text;

    (void)state;
    assert_int_equal(refresh_token_text(longest, &auth_arena, &token, &text), OK);
    assert_true(text.len <= REFRESH_TOKEN_BYTES_MAX);
    assert_int_equal(refresh_token_parse(longest, &auth_arena, text, client, &read), OK);
    keyring_free(longest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_text_is_of_its_form, fresh),
        cmocka_unit_test_setup(what_was_written_is_read, fresh),
        cmocka_unit_test_setup(every_flipped_bit_is_noticed, fresh),
        cmocka_unit_test_setup(every_other_length_is_refused, fresh),
        cmocka_unit_test_setup(what_is_no_token_is_refused, fresh),
        cmocka_unit_test_setup(a_good_tag_over_something_else_is_refused, fresh),
        cmocka_unit_test_setup(it_is_good_for_its_client_alone, fresh),
        cmocka_unit_test_setup(the_key_is_the_one_that_it_names, fresh),
        cmocka_unit_test_setup(the_longest_fits, fresh),
    };

    return cmocka_run_group_tests_name("refresh_token", tests, set_up, tear_down);
}
