/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "profile.h"

static struct json_findings check(struct str name, struct str locale)
{
    struct json_findings findings = {0};

    profile_check(&findings, name, locale);
    return findings;
}

static void what_is_absent_is_fine(void **state)
{
    (void)state;
    assert_int_equal(check(STR_EMPTY, STR_EMPTY).count, 0);
    assert_int_equal(check((struct str){NULL, 0}, (struct str){NULL, 0}).count, 0);
}

static void names_may_be_anything_readable(void **state)
{
    static const struct str names[] = {
        STR("Ada Lovelace"),
        STR("O'Brien-\xc3\xad\xc3\xb1igo"),
        STR("\xe5\xb1\xb1\xe7\x94\xb0 \xe5\xa4\xaa\xe9\x83\x8e"),
        STR("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80"),
        STR("\xc2\xa0"), /* the first behind the C1 controls */
        STR("Robert'); DROP TABLE users;--"),
        STR("\xc3\x80"), /* its second byte alone would be a control */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        assert_int_equal(check(names[i], STR_EMPTY).count, 0);
    }
}

static void a_name_has_no_control_characters(void **state)
{
    static const struct str names[] = {
        STR("a\nb"),
        STR("a\r\nb"),
        STR("\t"),
        STR("a\0b"),
        STR("a\x1f"),
        STR("a\x7f"),
        STR("\x1b[2J"),
        STR("\xc2\x80"),
        STR("a\xc2\x9f"),
        STR("a\xc2\x85"
            "b"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct json_findings findings = check(names[i], STR_EMPTY);

        assert_int_equal(findings.count, 1);
        assert_str_equal(findings.items[0].pointer, STR("/name"));
        assert_string_equal(findings.items[0].code, "invalid_format");
    }
}

static void locales_are_language_tags(void **state)
{
    static const char *const good[] = {"en",
                                       "de-AT",
                                       "zh-Hant-TW",
                                       "sl-rozaj-biske",
                                       "es-419",
                                       "EN-us",
                                       "hy-Latn-IT-arevela",
                                       "de-CH-1901",
                                       "en-a-bbb-x-a-ccc"};
    static const char *const bad[] = {"e",           "de_AT", "en-",    "-en",       "en--us",
                                      "en us",       "12",    "e1",     "englishxx", "en-abcdefghi",
                                      "en-\xc3\xa4", "en\n",  "en;q=1", "*",         "en,de",
                                      "../etc",      "x-y"}; /* for private use, no language */

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (check(STR_EMPTY, str_from(good[i])).count != 0) {
            fail_msg("%s", good[i]);
        }
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct json_findings findings = check(STR_EMPTY, str_from(bad[i]));

        if (findings.count != 1) {
            fail_msg("%s", bad[i]);
        }
        assert_str_equal(findings.items[0].pointer, STR("/locale"));
        assert_string_equal(findings.items[0].code, "invalid_format");
    }
}

static void both_are_told_at_once(void **state)
{
    (void)state;
    assert_int_equal(check(STR("a\nb"), STR("!")).count, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_absent_is_fine),
        cmocka_unit_test(names_may_be_anything_readable),
        cmocka_unit_test(a_name_has_no_control_characters),
        cmocka_unit_test(locales_are_language_tags),
        cmocka_unit_test(both_are_told_at_once),
    };

    return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
