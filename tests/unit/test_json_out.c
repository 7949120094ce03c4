/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "json_out.h"

#include <float.h>
#include <math.h>

static char memory[4096];
static struct buf buf;

static struct json_out begin(void)
{
    buf = buf_over(memory, sizeof(memory));
    return json_out_to(&buf);
}

static struct str string(struct str value)
{
    struct json_out json = begin();

    json_str(&json, value);
    return buf_str(&buf);
}

static void commas_are_its_affair(void **state)
{
    struct json_out json = begin();

    (void)state;
    json_object(&json);
    json_member_str(&json, "id", STR("u1"));
    json_key(&json, "roles");
    json_array(&json);
    json_str(&json, STR("a"));
    json_str(&json, STR("b"));
    json_array_end(&json);
    json_key(&json, "none");
    json_array(&json);
    json_array_end(&json);
    json_key(&json, "deep");
    json_array(&json);
    json_object(&json);
    json_object_end(&json);
    json_object(&json);
    json_member_bool(&json, "yes", true);
    json_member_bool(&json, "no", false);
    json_object_end(&json);
    json_array(&json);
    json_i64(&json, -1);
    json_null(&json);
    json_array_end(&json);
    json_array_end(&json);
    json_member_i64(&json, "n", INT64_MIN);
    json_member_raw(&json, "raw", STR("{\"a\":[1]}"));
    json_object_end(&json);
    assert_str_equal(buf_str(&buf),
                     STR("{\"id\":\"u1\",\"roles\":[\"a\",\"b\"],\"none\":[],\"deep\":[{},"
                         "{\"yes\":true,\"no\":false},[-1,null]],\"n\":-9223372036854775808,"
                         "\"raw\":{\"a\":[1]}}"));
    assert_true(unit_is_json(buf_str(&buf)));
}

static void str_or_null(void **state)
{
    struct json_out json = begin();

    (void)state;
    json_object(&json);
    json_member_str_or_null(&json, "a", STR_EMPTY);
    json_member_str_or_null(&json, "b", STR("x"));
    json_member_str(&json, "c", (struct str){NULL, 0});
    json_object_end(&json);
    assert_str_equal(buf_str(&buf), STR("{\"a\":null,\"b\":\"x\",\"c\":\"\"}"));
}

static void times_are_rfc3339(void **state)
{
    struct json_out json = begin();

    (void)state;
    json_object(&json);
    json_member_time(&json, "at", 1700000000123);
    json_object_end(&json);
    assert_str_equal(buf_str(&buf), STR("{\"at\":\"2023-11-14T22:13:20.123Z\"}"));
}

static void words_are_an_array(void **state)
{
    struct json_out json = begin();

    (void)state;
    json_object(&json);
    json_member_words(&json, "none", STR_EMPTY);
    json_member_words(&json, "two", STR("admin support"));
    json_object_end(&json);
    assert_str_equal(buf_str(&buf), STR("{\"none\":[],\"two\":[\"admin\",\"support\"]}"));
}

static void strings_are_escaped(void **state)
{
    static const char not_terminated[3] = {'a', ' ', 'b'};

    (void)state;
    assert_str_equal(string(STR_EMPTY), STR("\"\""));
    assert_str_equal(string((struct str){not_terminated, sizeof(not_terminated)}), STR("\"a b\""));
    assert_str_equal(string(STR("a\"b\\c/d")), STR("\"a\\\"b\\\\c/d\""));
    assert_str_equal(string(STR("\b\f\n\r\t")), STR("\"\\b\\f\\n\\r\\t\""));
    assert_str_equal(string(STR("\0\x01\x1f\x7f")), STR("\"\\u0000\\u0001\\u001f\x7f\""));
    assert_str_equal(string(STR("\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82")),
                     STR("\"\xC3\xA4\xE2\x82\xAC\xF0\x9F\x99\x82\""));
}

static void keys_are_escaped(void **state)
{
    struct json_out json = begin();

    (void)state;
    json_object(&json);
    json_member_i64(&json, "a\"\xFF", 1);
    json_object_end(&json);
    assert_str_equal(buf_str(&buf), STR("{\"a\\\"\xEF\xBF\xBD\":1}"));
}

static void what_is_not_utf8_is_replaced(void **state)
{
    (void)state;
    assert_str_equal(string(STR("a\xFFz")), STR("\"a\xEF\xBF\xBDz\""));
    assert_str_equal(string(STR("\xC3")), STR("\"\xEF\xBF\xBD\""));
    assert_str_equal(string(STR("\xC3\"")), STR("\"\xEF\xBF\xBD\\\"\""));
    assert_str_equal(string(STR("\xED\xA0\x80")), STR("\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""));
    assert_str_equal(string(STR("\xE2\x82")), STR("\"\xEF\xBF\xBD\xEF\xBF\xBD\""));
}

static void any_bytes_give_valid_json(void **state)
{
    uint64_t seed = 88172645463325252U;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        char bytes[40];
        size_t len = unit_random(&seed) % sizeof(bytes);

        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(unit_random(&seed) >> 11 & 0xFF);
        }
        assert_true(unit_is_json(string((struct str){bytes, len})));
    }
}

static void what_does_not_fit_marks_the_buffer(void **state)
{
    struct json_out json;
    struct str all;

    (void)state;
    for (size_t cap = 0; cap <= 20; cap++) {
        buf = buf_over(memory, cap);
        json = json_out_to(&buf);
        json_object(&json);
        json_member_str(&json, "name", STR("a\xFF\"b"));
        json_object_end(&json);
        assert_int_equal(buf_finish(&buf, &all), cap < 18 ? ERR_NO_SPACE : OK);
    }
}

static void nest_too_deep(void)
{
    struct json_out json = begin();

    for (int i = 0; i <= JSON_OUT_DEPTH_MAX; i++) {
        json_array(&json);
    }
}

static void end_what_was_not_begun(void)
{
    struct json_out json = begin();

    json_object_end(&json);
}

static void a_key_outside_of_an_object(void)
{
    struct json_out json = begin();

    json_key(&json, "a");
}

static void programmers_errors_abort(void **state)
{
    (void)state;
    assert_true(unit_aborts(nest_too_deep));
    assert_true(unit_aborts(end_what_was_not_begun));
    assert_true(unit_aborts(a_key_outside_of_an_object));
}

static void nesting_up_to_the_limit(void **state)
{
    struct json_out json = begin();

    (void)state;
    for (int i = 0; i < JSON_OUT_DEPTH_MAX; i++) {
        json_array(&json);
    }
    for (int i = 0; i < JSON_OUT_DEPTH_MAX; i++) {
        json_array_end(&json);
    }
    assert_str_equal(buf_str(&buf), STR("[[[[[[[[]]]]]]]]"));
}

/* The checker that the other tests rest on must refuse. */
static void the_checker_refuses(void **state)
{
    static const char *const texts[] = {
        "",         "{",       "}",           "[1,]",       "{\"a\":1,}", "{a:1}", "{\"a\"}",
        "[1 2]",    "01",      "1.",          "-",          ".5",         "1e",    "nul",
        "\"a",      "\"\\x\"", "\"\n\"",      "\"\\u12\"",  "1 ",         "[1]]",  "\"\xFF\"",
        "{\"a\":}", "[,1]",    "\"\\u123g\"", "{\"a\":1 }", "'a'",        "NaN"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (unit_is_json(str_from(texts[i]))) {
            fail_msg("accepted \"%s\"", texts[i]);
        }
    }
    assert_true(unit_is_json(STR("{\"a\":[1,-2.5e+10,null,true,\"\\u00e4\\n\"],\"b\":{}}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_refuses),
        cmocka_unit_test(commas_are_its_affair),
        cmocka_unit_test(str_or_null),
        cmocka_unit_test(times_are_rfc3339),
        cmocka_unit_test(words_are_an_array),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(keys_are_escaped),
        cmocka_unit_test(what_is_not_utf8_is_replaced),
        cmocka_unit_test(any_bytes_give_valid_json),
        cmocka_unit_test(what_does_not_fit_marks_the_buffer),
        cmocka_unit_test(programmers_errors_abort),
        cmocka_unit_test(nesting_up_to_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
