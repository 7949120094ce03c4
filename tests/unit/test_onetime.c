/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "json_in.h"
#include "onetime.h"

static const struct str two_keys =
    STR("{\"current\":\"k2\",\"keys\":{\"k1\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\","
        "\"k2\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\"}}");
static const struct str other_k1 =
    STR("{\"current\":\"k1\",\"keys\":{\"k1\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\"}}");

static unsigned char memory[65536];
static struct keyring *keyring;

static struct keyring *load(struct str json)
{
    struct arena arena;
    struct keyring *loaded = NULL;
    const char *why = "";

    arena_init(&arena, memory, sizeof(memory));
    if (keyring_load(&arena, json, &loaded, &why) != OK) {
        fail_msg("%s", why);
    }
    return loaded;
}

static struct uuid row_id(void)
{
    struct uuid id;

    assert_int_equal(codec_uuid_parse(STR("01890a5d-ac96-774b-bcce-b302099a8057"), &id), OK);
    return id;
}

static struct str make(char *text, struct str kid, enum onetime_purpose purpose)
{
    struct buf buf = buf_over(text, ONETIME_TOKEN_BYTES_MAX);

    assert_int_equal(onetime_token(keyring, kid, purpose, row_id(), &buf), OK);
    return buf_str(&buf);
}

static enum error check(struct str token)
{
    enum onetime_purpose purpose;
    struct uuid id;

    return onetime_check(keyring, token, &purpose, &id);
}

static void a_token_says_purpose_and_row(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];

    (void)state;
    for (unsigned i = 0; i < ONETIME_PURPOSE_COUNT; i++) {
        const struct str token = make(text, STR("k1"), (enum onetime_purpose)i);
        enum onetime_purpose purpose = ONETIME_PURPOSE_COUNT;
        struct uuid id = {0};

        assert_int_equal(onetime_check(keyring, token, &purpose, &id), OK);
        assert_int_equal(purpose, i);
        assert_true(uuid_equal(id, row_id()));
        assert_true(str_starts(token, STR("ot1.k1.")));
    }
}

static void it_is_the_same_each_time_it_is_derived(void **state)
{
    char a[ONETIME_TOKEN_BYTES_MAX];
    char b[ONETIME_TOKEN_BYTES_MAX];

    (void)state;
    assert_str_equal(make(a, STR("k1"), ONETIME_REGISTRATION),
                     make(b, STR("k1"), ONETIME_REGISTRATION));
}

/* A token of one purpose, with the name of another put in, is a token of none. */
static void no_purpose_passes_for_another(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    char forged[ONETIME_TOKEN_BYTES_MAX * 2];

    (void)state;
    for (unsigned from = 0; from < ONETIME_PURPOSE_COUNT; from++) {
        for (unsigned to = 0; to < ONETIME_PURPOSE_COUNT; to++) {
            const struct str token = make(text, STR("k1"), (enum onetime_purpose)from);
            const size_t skip =
                strlen("ot1.k1.") + strlen(onetime_purpose_name((enum onetime_purpose)from));
            struct buf buf = buf_over(forged, sizeof(forged));

            buf_printf(&buf, "ot1.k1.%s%.*s", onetime_purpose_name((enum onetime_purpose)to),
                       (int)(token.len - skip), token.ptr + skip);
            assert_int_equal(check(buf_str(&buf)), from == to ? OK : ERR_INVALID_TOKEN);
        }
    }
}

static void every_flipped_bit_is_noticed(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    const struct str token = make(text, STR("k2"), ONETIME_VERIFICATION);

    (void)state;
    for (size_t bit = 0; bit < token.len * 8; bit++) {
        const char was = text[bit / 8];

        text[bit / 8] = (char)(was ^ (1 << (bit % 8)));
        if (check(token) != ERR_INVALID_TOKEN) {
            fail_msg("bit %zu of byte %zu (%c) may be flipped", bit % 8, bit / 8, was);
        }
        text[bit / 8] = was;
    }
    assert_int_equal(check(token), OK);
}

static void every_other_length_is_refused(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX + 1];
    const struct str token = make(text, STR("k2"), ONETIME_VERIFICATION);

    (void)state;
    for (size_t len = 0; len < token.len; len++) {
        assert_int_equal(check(str_sub(token, 0, len)), ERR_INVALID_TOKEN);
        assert_int_equal(check(str_sub(token, len + 1, token.len)), ERR_INVALID_TOKEN);
    }
    text[token.len] = 'A';
    assert_int_equal(check((struct str){text, token.len + 1}), ERR_INVALID_TOKEN);
    text[token.len] = '=';
    assert_int_equal(check((struct str){text, token.len + 1}), ERR_INVALID_TOKEN);
}

static void what_is_no_token_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        ".",
        "....",
        "ot1....",
        "ot1.k1.registration..",
        "ot2.k1.registration.01890a5d-ac96-774b-bcce-b302099a8057.AAAA",
        "ot1.k1.registration.01890a5d-ac96-774b-bcce-b302099a8057.",
        "ot1.k1.registration.01890a5d-ac96-774b-bcce-b302099a8057.a.b",
        "eyJhbGciOiJFUzI1NiJ9.e30.AAAA",
        "rt1.k1.x.0.y.z"};
    char long_text[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(check(str_from(bad[i])), ERR_INVALID_TOKEN);
    }
    memset(long_text, 'A', sizeof(long_text));
    assert_int_equal(check((struct str){long_text, sizeof(long_text)}), ERR_INVALID_TOKEN);
}

/* The same id in capitals would be a second text of one token. */
static void an_id_in_capitals_is_refused(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    const struct str token = make(text, STR("k1"), ONETIME_REGISTRATION);
    char *digit = memchr(text + strlen("ot1.k1.registration."), 'a', UUID_TEXT_BYTES);

    (void)state;
    assert_non_null(digit);
    *digit = 'A';
    assert_int_equal(check(token), ERR_INVALID_TOKEN);
}

static void a_kid_that_is_unknown_is_refused(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    struct buf buf = buf_over(text, sizeof(text));
    struct str token = make(text, STR("k2"), ONETIME_REGISTRATION);
    struct keyring *rotated = load(other_k1);
    enum onetime_purpose purpose;
    struct uuid id;

    (void)state;
    assert_int_equal(onetime_check(rotated, token, &purpose, &id), ERR_INVALID_TOKEN);
    assert_int_equal(onetime_token(keyring, STR("k3"), ONETIME_REGISTRATION, row_id(), &buf),
                     ERR_INVALID);
    assert_int_equal(buf.len, 0);
    keyring_free(rotated);
}

/* Same key id, other key. */
static void another_keyrings_token_is_refused(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    const struct str token = make(text, STR("k1"), ONETIME_REGISTRATION);
    struct keyring *other = load(other_k1);
    enum onetime_purpose purpose;
    struct uuid id;

    (void)state;
    assert_int_equal(onetime_check(other, token, &purpose, &id), ERR_INVALID_TOKEN);
    keyring_free(other);
}

static void a_buffer_that_is_too_small_says_so(void **state)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    struct buf buf = buf_over(text, 20);

    (void)state;
    assert_int_equal(onetime_token(keyring, STR("k1"), ONETIME_REGISTRATION, row_id(), &buf),
                     ERR_NO_SPACE);
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    keyring = load(two_keys);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    keyring_free(keyring);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_says_purpose_and_row),
        cmocka_unit_test(it_is_the_same_each_time_it_is_derived),
        cmocka_unit_test(no_purpose_passes_for_another),
        cmocka_unit_test(every_flipped_bit_is_noticed),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(what_is_no_token_is_refused),
        cmocka_unit_test(an_id_in_capitals_is_refused),
        cmocka_unit_test(a_kid_that_is_unknown_is_refused),
        cmocka_unit_test(another_keyrings_token_is_refused),
        cmocka_unit_test(a_buffer_that_is_too_small_says_so),
    };

    return cmocka_run_group_tests_name("onetime", tests, set_up, tear_down);
}
