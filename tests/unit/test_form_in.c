/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "form_in.h"

static _Alignas(max_align_t) unsigned char memory[160 * 1024];
static struct arena arena;

struct form {
    struct str grant_type;
    struct str token;
    struct str note;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct form, grant_type, 1, 16, JSON_REQUIRED),
    JSON_TEXT(struct form, token, 3, 8, JSON_OPTIONAL),
    JSON_TEXT(struct form, note, 0, 64, JSON_OPTIONAL),
};
enum { FIELDS = sizeof(fields) / sizeof(fields[0]) };

static enum error decode(struct str body, struct form *out)
{
    arena_init(&arena, memory, sizeof(memory));
    *out = (struct form){.token = {NULL, 0}};
    return form_in_decode(&arena, body, fields, FIELDS, out);
}

static void parameters_are_read(void **state)
{
    struct form form;

    (void)state;
    assert_int_equal(decode(STR("grant_type=refresh_token&token=abc&note=x"), &form), OK);
    assert_str_equal(form.grant_type, STR("refresh_token"));
    assert_str_equal(form.token, STR("abc"));
    assert_str_equal(form.note, STR("x"));
    assert_int_equal(decode(STR("note=y&grant_type=a"), &form), OK); /* in any order */
    assert_str_equal(form.grant_type, STR("a"));
    assert_null(form.token.ptr);
}

/* The whole of application/x-www-form-urlencoded: '+' is a space, %XX a byte, of either case. */
static void escapes_are_undone(void **state)
{
    static const struct {
        struct str written;
        struct str meant;
    } rows[] = {
        {STR("a+b"), STR("a b")},
        {STR("a%20b"), STR("a b")},
        {STR("%2B%2b"), STR("++")},
        {STR("%25"), STR("%")},
        {STR("%2525"), STR("%25")}, /* once */
        {STR("a=b=c"), STR("a=b=c")},
        {STR("%26"), STR("&")},
        {STR("%3d"), STR("=")},
        {STR("%C3%A9"), STR("\xc3\xa9")},
        {STR("\xc3\xa9"), STR("\xc3\xa9")},
        {STR("%F0%9F%98%80"), STR("\xf0\x9f\x98\x80")},
        {STR("%0d%0A"), STR("\r\n")},
        {STR(";"), STR(";")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char body[128];
        struct form form;

        (void)snprintf(body, sizeof(body), "grant_type=a&note=%.*s", STR_ARG(rows[i].written));
        assert_int_equal(decode(str_from(body), &form), OK);
        assert_str_equal(form.note, rows[i].meant);
    }
}

static void names_are_escaped_too(void **state)
{
    struct form form;

    (void)state;
    assert_int_equal(decode(STR("grant%5Ftype=a&%74oken=abc"), &form), OK);
    assert_str_equal(form.grant_type, STR("a"));
    assert_str_equal(form.token, STR("abc"));
}

static void broken_bytes_are_refused(void **state)
{
    static const struct str bodies[] = {
        STR("grant_type=a&note=%"),         STR("grant_type=a&note=%2"),
        STR("grant_type=a&note=x%2"),       STR("grant_type=a&note=%g0"),
        STR("grant_type=a&note=%0g"),       STR("grant_type=a&note=% 1"),
        STR("grant_type=a&note=%+1"),       STR("grant_type=a&note=%%"),
        STR("grant_type=a&note=%u0041"),    STR("grant_type=a&note=%00"),
        STR("grant_type=a&note=x\0y"),      STR("grant_type=a&note=%ff"),
        STR("grant_type=a&note=%C3"),       STR("grant_type=a&note=%C0%80"),
        STR("grant_type=a&note=%ED%A0%80"), STR("grant_type=a&no%te=x"),
        STR("grant_type=a&unknown=%"), /* also where nobody would look */
        STR("grant_type=a&%ff=x"),
    };
    struct form form;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (decode(bodies[i], &form) != ERR_MALFORMED_REQUEST) {
            fail_msg("%.*s is taken", STR_ARG(bodies[i]));
        }
    }
}

/* RFC 6749 section 3.2. */
static void a_repeated_parameter_is_refused(void **state)
{
    struct form form;

    (void)state;
    assert_int_equal(decode(STR("grant_type=a&grant_type=a"), &form), ERR_MALFORMED_REQUEST);
    assert_int_equal(decode(STR("grant_type=a&token=abc&token=abd"), &form), ERR_MALFORMED_REQUEST);
    assert_int_equal(decode(STR("grant_type=a&token=abc&to%6ben=abd"), &form),
                     ERR_MALFORMED_REQUEST);
}

static void unknown_parameters_are_ignored(void **state)
{
    struct form form;

    (void)state;
    assert_int_equal(decode(STR("x=1&grant_type=a&Grant_Type=b&x=2&grant_type =c&&=&y"), &form),
                     OK);
    assert_str_equal(form.grant_type, STR("a"));
}

/* RFC 6749 section 3.2: as if it were left out. */
static void no_value_is_no_parameter(void **state)
{
    struct form form;

    (void)state;
    assert_int_equal(decode(STR("grant_type=a&token=&note"), &form), OK);
    assert_null(form.token.ptr);
    assert_null(form.note.ptr);
    assert_int_equal(decode(STR("grant_type=a&token=&token=abc"), &form), OK);
    assert_str_equal(form.token, STR("abc"));
    assert_int_equal(decode(STR("grant_type="), &form), ERR_MALFORMED_REQUEST);
}

static void what_is_required_must_be_there(void **state)
{
    static const struct str bodies[] = {STR(""), STR("&"), STR("token=abc"), STR("=a"),
                                        STR("{\"grant_type\":\"a\"}")};
    struct form form;

    (void)state;
    for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        assert_int_equal(decode(bodies[i], &form), ERR_MALFORMED_REQUEST);
    }
}

/* Code points, after the escapes. */
static void lengths_are_held(void **state)
{
    struct form form;

    (void)state;
    assert_int_equal(decode(STR("grant_type=1234567890123456"), &form), OK);
    assert_int_equal(decode(STR("grant_type=12345678901234567"), &form), ERR_MALFORMED_REQUEST);
    assert_int_equal(decode(STR("grant_type=a&token=ab"), &form), ERR_MALFORMED_REQUEST);
    assert_int_equal(decode(STR("grant_type=a&token=%61bcdefgh"), &form), OK);
    assert_int_equal(decode(STR("grant_type=a&token=abcdefghi"), &form), ERR_MALFORMED_REQUEST);
    assert_int_equal(decode(STR("grant_type=a&token=%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9%C3%A9"), &form),
                     OK);
    assert_int_equal(decode(STR("grant_type=a&token=%C3%A9%C3%A9"), &form), ERR_MALFORMED_REQUEST);
}

static void the_arena_can_be_full(void **state)
{
    struct str body = STR("grant_type=refresh_token&token=abcdef&note=something+longer");
    bool fitted = false;

    (void)state;
    for (size_t bytes = 0; bytes <= 512; bytes += 8) {
        struct form form = {.token = {NULL, 0}};
        enum error error;

        arena_init(&arena, memory, bytes);
        error = form_in_decode(&arena, body, fields, FIELDS, &form);
        assert_true(error == OK || error == ERR_NO_SPACE);
        assert_true(error == OK || !fitted);
        fitted = fitted || error == OK;
    }
    assert_true(fitted);
}

/* The largest body that there is, of as many parameters as can be: eight times its size will do. */
static void the_largest_body_fits(void **state)
{
    static char body[16384];
    struct form form;

    (void)state;
    memset(body, '&', sizeof(body));
    assert_int_equal(decode((struct str){body, sizeof(body)}, &form), ERR_MALFORMED_REQUEST);
    for (size_t i = 0; i < sizeof(body); i += 2) {
        body[i] = 'a';
    }
    assert_int_equal(decode((struct str){body, sizeof(body)}, &form), ERR_MALFORMED_REQUEST);
    for (size_t i = 0; i < sizeof(body); i += 4) {
        memcpy(body + i, "a=b&", 4);
    }
    assert_int_equal(decode((struct str){body, sizeof(body)}, &form), ERR_MALFORMED_REQUEST);
    memset(body, 'a', sizeof(body));
    assert_int_equal(decode((struct str){body, sizeof(body)}, &form), ERR_MALFORMED_REQUEST);
}

/* Whatever comes: an answer, and no byte beyond (the sanitizers look). */
static void noise_is_survived(void **state)
{
    static const char alphabet[] = "grant_ype=a&%+20fF\xc3\xa9\0;";
    uint64_t seed = 7;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        size_t len = unit_random(&seed) % 48;
        char *bytes = malloc(len + 1); /* of its exact size, for the sanitizer */
        struct form form;
        enum error error;

        assert_non_null(bytes);
        for (size_t i = 0; i < len; i++) {
            bytes[i] = alphabet[unit_random(&seed) % (sizeof(alphabet) - 1)];
        }
        error = decode((struct str){bytes, len}, &form);
        assert_true(error == OK || error == ERR_MALFORMED_REQUEST);
        free(bytes);
    }
}

/* A parameter that may be repeated, and be a list itself. */
static void lists_are_joined(void **state)
{
    static const struct {
        struct str query;
        struct str list;
    } rows[] = {
        {STR("id=a&id=b,c"), STR("a,b,c")},
        {STR("id=a%2Cb&x=1&id=c+d"), STR("a,b,c d")},
        {STR("id=&id=a&id"), STR("a")},
        {STR("i%64=a"), STR("a")},
        {STR("x=1"), STR("")},
        {STR(""), STR("")},
        {STR("&&id=a&"), STR("a")},
        {STR("ids=a&ID=b"), STR("")},
    };
    struct str list;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        arena_init(&arena, memory, sizeof(memory));
        assert_int_equal(form_in_list(&arena, rows[i].query, STR("id"), &list), OK);
        assert_str_equal(list, rows[i].list);
    }
    assert_int_equal(form_in_list(&arena, STR("id=a&x=%zz"), STR("id"), &list),
                     ERR_MALFORMED_REQUEST);
    assert_int_equal(form_in_list(&arena, STR("id=%ff"), STR("id"), &list), ERR_MALFORMED_REQUEST);
    arena_init(&arena, memory, 16);
    assert_int_equal(form_in_list(&arena, STR("id=0123456789abcdef"), STR("id"), &list),
                     ERR_NO_SPACE);
}

static void without_a_value_is_not_left_out(void **state)
{
    (void)state;
    assert_true(form_in_is_empty(STR("a=1&limit="), STR("limit")));
    assert_true(form_in_is_empty(STR("limit&a=1"), STR("limit")));
    assert_false(form_in_is_empty(STR("limit=5&limits="), STR("limit")));
    assert_false(form_in_is_empty(STR(""), STR("limit")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_read),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(names_are_escaped_too),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(a_repeated_parameter_is_refused),
        cmocka_unit_test(unknown_parameters_are_ignored),
        cmocka_unit_test(no_value_is_no_parameter),
        cmocka_unit_test(what_is_required_must_be_there),
        cmocka_unit_test(lengths_are_held),
        cmocka_unit_test(the_arena_can_be_full),
        cmocka_unit_test(the_largest_body_fits),
        cmocka_unit_test(noise_is_survived),
        cmocka_unit_test(lists_are_joined),
        cmocka_unit_test(without_a_value_is_not_left_out),
    };

    return cmocka_run_group_tests_name("form_in", tests, NULL, NULL);
}
