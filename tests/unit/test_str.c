/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "str.h"

static void from_terminated(void **state)
{
    (void)state;
    assert_str_equal(str_from("abc"), STR("abc"));
    assert_int_equal(str_from("").len, 0);
    assert_int_equal(str_from(NULL).len, 0);
    assert_non_null(str_from(NULL).ptr); /* may be handed to "%.*s" and to libraries */
}

static void equal(void **state)
{
    (void)state;
    assert_true(str_equal(STR("abc"), STR("abc")));
    assert_true(str_equal(STR_EMPTY, STR("")));
    assert_true(str_equal((struct str){NULL, 0}, STR_EMPTY));
    assert_true(str_equal(STR("a\0b"), STR("a\0b")));
    assert_false(str_equal(STR("a\0b"), STR("a\0c")));
    assert_false(str_equal(STR("abc"), STR("abd")));
    assert_false(str_equal(STR("abc"), STR("ab")));
    assert_false(str_equal(STR("abc"), STR("ABC")));
}

static void equal_nocase_folds_ascii_letters_only(void **state)
{
    (void)state;
    assert_true(str_equal_nocase(STR("Content-TYPE"), STR("content-type")));
    assert_true(str_equal_nocase(STR("AZaz"), STR("azAZ")));
    assert_false(str_equal_nocase(STR("abc"), STR("abcd")));
    assert_false(str_equal_nocase(STR("@"), STR("`"))); /* a bit apart, as 'A' and 'a' are */
    assert_false(str_equal_nocase(STR("["), STR("{")));
    assert_false(str_equal_nocase(STR("\xC3\x84"), STR("\xC3\xA4"))); /* A and a with diaeresis */
}

/* Strings that nothing follows, so that a sanitizer sees a step too far. */
static void strings_end_where_their_memory_does(void **state)
{
    static const char blanks[2] = {' ', '\t'};
    static const char digits[2] = {'1', '2'};
    static const char cut_short[2] = {'\xE2', '\x82'};
    struct str s = {digits, sizeof(digits)};
    uint64_t value = 0;

    (void)state;
    assert_true(str_equal_nocase(s, STR("12")));
    assert_true(str_equal(s, STR("12")));
    assert_int_equal(str_trim((struct str){blanks, sizeof(blanks)}).len, 0);
    assert_int_equal(str_to_u64(s, &value), OK);
    assert_int_equal(value, 12);
    assert_false(str_is_utf8((struct str){cut_short, sizeof(cut_short)}));
    assert_int_equal(str_codepoints(s), 2);
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts(STR("/v1/me"), STR("/v1/")));
    assert_true(str_starts(STR("a"), STR_EMPTY));
    assert_true(str_starts(STR_EMPTY, STR_EMPTY));
    assert_false(str_starts(STR("/v1"), STR("/v1/")));
    assert_false(str_starts(STR("/v2/me"), STR("/v1/")));
    assert_true(str_ends(STR("a.json"), STR(".json")));
    assert_true(str_ends(STR("a"), STR_EMPTY));
    assert_true(str_ends(STR(".json"), STR(".json")));
    assert_false(str_ends(STR("json"), STR(".json")));
    assert_false(str_ends(STR("a.jsom"), STR(".json")));
}

static void find(void **state)
{
    size_t at = 99;

    (void)state;
    assert_true(str_find(STR("a.b.c"), '.', &at));
    assert_int_equal(at, 1);
    assert_true(str_find(STR("ab\0"), '\0', &at));
    assert_int_equal(at, 2);
    at = 99;
    assert_false(str_find(STR("abc"), '.', &at));
    assert_false(str_find((struct str){NULL, 0}, '.', &at));
    assert_int_equal(at, 99);
}

static void sub_is_clamped(void **state)
{
    (void)state;
    assert_str_equal(str_sub(STR("abcdef"), 1, 3), STR("bc"));
    assert_str_equal(str_sub(STR("abcdef"), 4, 99), STR("ef"));
    assert_str_equal(str_sub(STR("abcdef"), 0, SIZE_MAX), STR("abcdef"));
    assert_int_equal(str_sub(STR("abcdef"), 3, 3).len, 0);
    assert_int_equal(str_sub(STR("abcdef"), 4, 2).len, 0);
    assert_int_equal(str_sub(STR("abcdef"), SIZE_MAX, SIZE_MAX).len, 0);
    assert_int_equal(str_sub((struct str){NULL, 0}, 0, 1).len, 0);
}

static void trim(void **state)
{
    (void)state;
    assert_str_equal(str_trim(STR(" \t a b\t ")), STR("a b"));
    assert_str_equal(str_trim(STR("ab")), STR("ab"));
    assert_str_equal(str_trim(STR(" \t")), STR_EMPTY);
    assert_str_equal(str_trim(STR_EMPTY), STR_EMPTY);
    assert_str_equal(str_trim(STR("\na\r")), STR("\na\r")); /* no line ends */
}

static void cut(void **state)
{
    struct str rest = STR("a,,b");

    (void)state;
    assert_str_equal(str_cut(&rest, ','), STR("a"));
    assert_str_equal(rest, STR(",b"));
    assert_str_equal(str_cut(&rest, ','), STR_EMPTY);
    assert_str_equal(str_cut(&rest, ','), STR("b"));
    assert_int_equal(rest.len, 0);
    assert_str_equal(str_cut(&rest, ','), STR_EMPTY);

    rest = STR("a,");
    assert_str_equal(str_cut(&rest, ','), STR("a"));
    assert_int_equal(rest.len, 0);
}

static void to_u64(void **state)
{
    uint64_t value = 7;

    (void)state;
    assert_int_equal(str_to_u64(STR("0"), &value), OK);
    assert_int_equal(value, 0);
    assert_int_equal(str_to_u64(STR("1234567890"), &value), OK);
    assert_int_equal(value, 1234567890);
    assert_int_equal(str_to_u64(STR("18446744073709551615"), &value), OK);
    assert_true(value == UINT64_MAX);
}

static void to_u64_refuses(void **state)
{
    static const char *const texts[] = {"",
                                        "00",
                                        "01",
                                        "-1",
                                        "+1",
                                        " 1",
                                        "1 ",
                                        "1.0",
                                        "1e3",
                                        "0x1",
                                        "a",
                                        "1\n",
                                        "\xD9\xA1" /* Arabic-Indic one */,
                                        "18446744073709551616",
                                        "18446744073709551620",
                                        "99999999999999999999",
                                        "184467440737095516150"};
    uint64_t value = 7;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        assert_int_equal(str_to_u64(str_from(texts[i]), &value), ERR_INVALID);
    }
    assert_int_equal(str_to_u64(STR("1\0"), &value), ERR_INVALID);
    assert_int_equal(value, 7);
}

/* The definition by code point, against which the table is checked: decode, then look whether it
 * is the shortest form of a scalar value. */
static size_t reference_step(const unsigned char *bytes, size_t len)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t want = bytes[0] < 0x80             ? 1
                  : (bytes[0] & 0xE0) == 0xC0 ? 2
                  : (bytes[0] & 0xF0) == 0xE0 ? 3
                  : (bytes[0] & 0xF8) == 0xF0 ? 4
                                              : 0;
    uint32_t point;

    if (want <= 1 || want > len) {
        return want > len ? 0 : want;
    }
    point = bytes[0] & (0xFFU >> (want + 1));
    for (size_t i = 1; i < want; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return 0;
        }
        point = point << 6 | (bytes[i] & 0x3F);
    }
    if (point < least[want] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) {
        return 0;
    }
    return want;
}

static void utf8_step_agrees_with_the_definition(void **state)
{
    /* Third and fourth bytes around each border are enough: only their two upper bits matter. */
    static const unsigned char tails[] = {0x00, 0x7F, 0x80, 0xBF, 0xC0, 0xFF};
    enum { TAILS = sizeof(tails) };
    unsigned char bytes[4];

    (void)state;
    for (unsigned n = 0; n < 0x10000U * TAILS * TAILS; n++) {
        bytes[0] = (unsigned char)(n & 0xFF);
        bytes[1] = (unsigned char)(n >> 8 & 0xFF);
        bytes[2] = tails[(n >> 16) % TAILS];
        bytes[3] = tails[(n >> 16) / TAILS];
        for (size_t len = 1; len <= 4; len++) {
            struct str s = {(const char *)bytes, len};

            if (str_utf8_step(s) != reference_step(bytes, len)) {
                fail_msg("%02x %02x %02x %02x of %zu", bytes[0], bytes[1], bytes[2], bytes[3], len);
            }
        }
    }
    assert_int_equal(str_utf8_step(STR_EMPTY), 0);
}

static void is_utf8(void **state)
{
    (void)state;
    assert_true(str_is_utf8(STR_EMPTY));
    assert_true(str_is_utf8(STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82")));
    assert_false(str_is_utf8(STR("a\0b")));
    assert_false(str_is_utf8(STR("\xFF")));
    assert_false(str_is_utf8(STR("ab\xE2\x82")));       /* cut short */
    assert_false(str_is_utf8(STR("\xC0\xAF")));         /* overlong */
    assert_false(str_is_utf8(STR("\xED\xA0\x80")));     /* a surrogate */
    assert_false(str_is_utf8(STR("\xF4\x90\x80\x80"))); /* above U+10FFFF */
    assert_false(str_is_utf8(STR("\x80")));
}

static void codepoints(void **state)
{
    (void)state;
    assert_int_equal(str_codepoints(STR_EMPTY), 0);
    assert_int_equal(str_codepoints(STR("abc")), 3);
    assert_int_equal(str_codepoints(STR("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82")), 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_terminated),
        cmocka_unit_test(equal),
        cmocka_unit_test(equal_nocase_folds_ascii_letters_only),
        cmocka_unit_test(strings_end_where_their_memory_does),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(find),
        cmocka_unit_test(sub_is_clamped),
        cmocka_unit_test(trim),
        cmocka_unit_test(cut),
        cmocka_unit_test(to_u64),
        cmocka_unit_test(to_u64_refuses),
        cmocka_unit_test(utf8_step_agrees_with_the_definition),
        cmocka_unit_test(is_utf8),
        cmocka_unit_test(codepoints),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
