/* SPDX-License-Identifier: Apache-2.0 */
#include "support/auth.h"

#include "unicode.h"

#define COMPOSED "caf\xc3\xa9"    /* é as one code point */
#define DECOMPOSED "cafe\xcc\x81" /* e and a combining acute accent */

static void assert_nfc(struct str text, struct str wanted)
{
    struct str got = STR_EMPTY;

    assert_int_equal(unicode_nfc(auth_fresh_arena(), text, &got), OK);
    assert_str_equal(got, wanted);
}

static void assert_fold(struct str text, struct str wanted)
{
    struct str got = STR_EMPTY;

    assert_int_equal(unicode_fold(auth_fresh_arena(), text, &got), OK);
    assert_str_equal(got, wanted);
}

static void composition_is_made_one(void **state)
{
    (void)state;
    assert_nfc(STR(COMPOSED), STR(COMPOSED));
    assert_nfc(STR(DECOMPOSED), STR(COMPOSED));
    assert_nfc(STR("As It Is 12"), STR("As It Is 12"));
    assert_nfc(STR(""), STR(""));
    assert_nfc(STR("\xef\xac\x81"), STR("\xef\xac\x81")); /* a ligature stays: NFC, not NFKC */
}

static void case_is_folded(void **state)
{
    (void)state;
    assert_fold(STR("PassWORD"), STR("password"));
    assert_fold(STR("CAFE\xcc\x81"), STR(COMPOSED));
    assert_fold(STR("CAF\xc3\x89"), STR(COMPOSED));
    assert_fold(STR("Stra\xc3\x9f"
                    "e"),
                STR("strasse"));
    assert_fold(STR("\xce\xa3\xcf\x82"), STR("\xcf\x83\xcf\x83")); /* both sigmas */
}

static void what_is_no_text_is_refused(void **state)
{
    struct str untouched = STR("untouched");

    (void)state;
    assert_int_equal(unicode_nfc(auth_fresh_arena(), STR("a\xff"), &untouched), ERR_INVALID);
    assert_int_equal(unicode_fold(auth_fresh_arena(), STR("\xed\xa0\x80"), &untouched),
                     ERR_INVALID);
    assert_str_equal(untouched, STR("untouched"));
}

static void a_full_arena_is_told(void **state)
{
    unsigned char memory[64];
    struct str untouched = STR("untouched");
    struct arena arena;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(unicode_nfc(&arena, STR("a text that needs more than that"), &untouched),
                     ERR_NO_SPACE);
    assert_str_equal(untouched, STR("untouched"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(composition_is_made_one),
        cmocka_unit_test(case_is_folded),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(a_full_arena_is_told),
    };

    return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
