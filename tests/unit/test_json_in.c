/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "json_in.h"
#include "json_shape.h"

enum { ARENA_BYTES = 256 << 10 };

static _Alignas(max_align_t) unsigned char memory[ARENA_BYTES];
static struct arena arena;

struct body {
    struct str email;
    struct str name;
    bool flag;
    int64_t number;
    struct json_text_list list;
    struct json_text_list array;
};

#define FIELD(member_, type_, min_, max_, flags_)                                                  \
    {                                                                                              \
        .name = #member_, .type = (type_), .flags = (flags_),                                      \
        .offset = offsetof(struct body, member_), .codepoints_min = (min_),                        \
        .codepoints_max = (max_)                                                                   \
    }

static const struct json_field fields[] = {
    JSON_TEXT(struct body, email, 3, 8, JSON_REQUIRED),
    JSON_TEXT(struct body, name, 0, 4, JSON_NULLABLE),
    FIELD(flag, JSON_TYPE_BOOL, 0, 0, JSON_OPTIONAL),
    FIELD(number, JSON_TYPE_I64, 0, 0, JSON_OPTIONAL),
    FIELD(list, JSON_TYPE_TEXT_LIST, 1, 5, JSON_OPTIONAL),
    FIELD(array, JSON_TYPE_TEXT_ARRAY, 1, 5, JSON_OPTIONAL),
};
enum { FIELDS = sizeof fields / sizeof *fields };

static int fresh(void **state)
{
    (void)state;
    arena_init(&arena, memory, sizeof memory);
    return 0;
}

static enum error decode(struct str text, struct body *out, struct json_findings *findings)
{
    *findings = (struct json_findings){.count = 0};
    *out = (struct body){.number = 0};
    return json_in_decode(&arena, text, fields, FIELDS, out, findings);
}

static void every_type_decodes(void **state)
{
    struct body body;
    struct json_findings findings;

    (void)state;
    assert_int_equal(decode(STR(" {\"email\":\"a@b.c\",\"name\":\"\\u00fc\\n\",\"flag\":true,"
                                "\"number\":-9223372036854775808,\"list\":[\"one\",\"two\"]}\r\n"),
                            &body, &findings),
                     OK);
    assert_int_equal(findings.count, 0);
    assert_str_equal(body.email, STR("a@b.c"));
    assert_str_equal(body.name, STR("\xc3\xbc\n"));
    assert_true(body.flag);
    assert_true(body.number == INT64_MIN);
    assert_int_equal(body.list.count, 2);
    assert_str_equal(body.list.items[0], STR("one"));
    assert_str_equal(body.list.items[1], STR("two"));
}

static void absent_null_and_empty_differ(void **state)
{
    struct body body;
    struct json_findings findings;

    (void)state;
    assert_int_equal(decode(STR("{\"email\":\"a@b\"}"), &body, &findings), OK);
    assert_null(body.name.ptr);
    assert_int_equal(body.list.count, 0);
    assert_int_equal(decode(STR("{\"email\":\"a@b\",\"name\":null}"), &body, &findings), OK);
    assert_non_null(body.name.ptr);
    assert_int_equal(body.name.len, 0);
    assert_int_equal(decode(STR("{\"email\":\"a@b\",\"name\":\"\"}"), &body, &findings), OK);
    assert_non_null(body.name.ptr);
    assert_int_equal(body.name.len, 0);
}

static void one_text_is_a_list(void **state)
{
    struct body body;
    struct json_findings findings;

    (void)state;
    assert_int_equal(decode(STR("{\"email\":\"a@b\",\"list\":\"one\"}"), &body, &findings), OK);
    assert_int_equal(body.list.count, 1);
    assert_str_equal(body.list.items[0], STR("one"));
}

static void one_text_is_no_array(void **state)
{
    struct body body;
    struct json_findings findings;

    (void)state;
    assert_int_equal(decode(STR("{\"email\":\"a@b\",\"array\":[\"x\",\"y\"]}"), &body, &findings),
                     OK);
    assert_int_equal(body.array.count, 2);
    assert_str_equal(body.array.items[1], STR("y"));
    assert_int_equal(decode(STR("{\"email\":\"a@b\",\"array\":\"x\"}"), &body, &findings),
                     ERR_VALIDATION);
    assert_string_equal(findings.items[0].code, "wrong_type");
    assert_str_equal(findings.items[0].pointer, STR("/array"));
    assert_str_equal(findings.items[0].detail, STR("Must be an array of strings, is a string."));
}

struct finding_row {
    const char *text;
    const char *pointer;
    const char *code;
    const char *detail;
};

/* The first finding of each. */
static const struct finding_row finding_rows[] = {
    {"{}", "/email", "required", "Is missing; must be a string."},
    {"{\"email\":null}", "/email", "wrong_type", "Must be a string, is null."},
    {"{\"email\":1}", "/email", "wrong_type", "Must be a string, is a number."},
    {"{\"email\":[\"a@b\"]}", "/email", "wrong_type", "Must be a string, is an array."},
    {"{\"email\":{}}", "/email", "wrong_type", "Must be a string, is an object."},
    {"{\"email\":true}", "/email", "wrong_type", "Must be a string, is a boolean."},
    {"{\"email\":\"ab\"}", "/email", "too_short", "Must have at least 3 characters, has 2."},
    {"{\"email\":\"123456789\"}", "/email", "too_long", "Must have at most 8 characters, has 9."},
    {"{\"email\":\"a@b\",\"name\":\"\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\"}", "/name",
     "too_long", "Must have at most 4 characters, has 5."},
    {"{\"email\":\"a@b\",\"flag\":\"true\"}", "/flag", "wrong_type",
     "Must be a boolean, is a string."},
    {"{\"email\":\"a@b\",\"flag\":null}", "/flag", "wrong_type", "Must be a boolean, is null."},
    {"{\"email\":\"a@b\",\"number\":1.0}", "/number", "wrong_type",
     "Must be an integer, is a number."},
    {"{\"email\":\"a@b\",\"number\":1e300}", "/number", "wrong_type",
     "Must be an integer, is a number."},
    {"{\"email\":\"a@b\",\"number\":\"1\"}", "/number", "wrong_type",
     "Must be an integer, is a string."},
    {"{\"email\":\"a@b\",\"list\":[\"one\",2]}", "/list/1", "wrong_type",
     "Must be a string, is a number."},
    {"{\"email\":\"a@b\",\"list\":[\"\"]}", "/list/0", "too_short",
     "Must have at least 1 characters, has 0."},
    {"{\"email\":\"a@b\",\"list\":\"sixsix\"}", "/list", "too_long",
     "Must have at most 5 characters, has 6."},
    {"{\"email\":\"a@b\",\"list\":{}}", "/list", "wrong_type",
     "Must be a string or an array of strings, is an object."},
    {"{\"email\":\"a@b\",\"Email\":\"a@b\"}", "/Email", "unknown_member",
     "There is no member \"Email\" here."},
    {"{\"email\":\"a@b\",\"a/b~c\":1}", "/a~1b~0c", "unknown_member",
     "There is no member \"a/b~c\" here."},
    {"{\"email\":\"a@b\",\"\":1}", "/", "unknown_member", "There is no member \"\" here."},
    {"[]", "", "wrong_type", "Must be an object, is an array."},
    {"\"text\"", "", "wrong_type", "Must be an object, is a string."},
    {"12", "", "wrong_type", "Must be an object, is a number."},
    {"null", "", "wrong_type", "Must be an object, is null."},
};

static void findings_name_what_is_wrong(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof finding_rows / sizeof *finding_rows; i++) {
        const struct finding_row *row = &finding_rows[i];
        struct json_findings findings;
        struct body body;

        (void)fresh(NULL);
        assert_int_equal(decode(str_from(row->text), &body, &findings), ERR_VALIDATION);
        assert_int_equal(findings.count, 1);
        assert_str_equal(findings.items[0].pointer, str_from(row->pointer));
        assert_string_equal(findings.items[0].code, row->code);
        assert_str_equal(findings.items[0].detail, str_from(row->detail));
        assert_null(body.email.ptr); /* nothing is stored unless everything is right */
        assert_null(body.name.ptr);
    }
}

static void all_findings_are_reported(void **state)
{
    struct json_findings findings;
    struct body body;

    (void)state;
    assert_int_equal(
        decode(STR("{\"x\":0,\"name\":5,\"flag\":0,\"list\":[1,2]}"), &body, &findings),
        ERR_VALIDATION);
    assert_int_equal(findings.count, 6);
    assert_str_equal(findings.items[0].pointer, STR("/email")); /* in the table's order */
    assert_str_equal(findings.items[3].pointer, STR("/list/0"));
    assert_str_equal(findings.items[5].pointer, STR("/x")); /* then what it does not have */
}

static void findings_are_bounded(void **state)
{
    struct json_findings findings;
    struct body body;
    char text[4096];
    struct buf out = buf_over(text, sizeof text);
    struct str shown;

    (void)state;
    buf_append(&out, STR("{\"email\":\"a@b\""));
    for (int i = 0; i < 100; i++) {
        buf_printf(&out, ",\"%d\":1", i);
    }
    buf_append_byte(&out, '}');
    assert_int_equal(decode(buf_str(&out), &body, &findings), ERR_VALIDATION);
    assert_int_equal(findings.count, JSON_FINDINGS_MAX);

    out = buf_over(text, sizeof text);
    buf_append(&out, STR("{\"email\":\"a@b\",\"x"));
    for (int i = 0; i < 100; i++) {
        buf_append(&out, STR("\xe2\x82\xac"));
    }
    buf_append(&out, STR("\":1}"));
    assert_int_equal(decode(buf_str(&out), &body, &findings), ERR_VALIDATION);
    shown = findings.items[0].pointer;
    assert_int_equal(shown.len, 1 + 1 + 21 * 3); /* whole code points */
    assert_true(str_is_utf8(shown));
}

static void unread_findings_are_no_matter(void **state)
{
    struct body body = {.number = 0};

    (void)state;
    assert_int_equal(json_in_decode(&arena, STR("{}"), fields, FIELDS, &body, NULL),
                     ERR_VALIDATION);
    assert_int_equal(json_in_decode(&arena, STR("{"), fields, FIELDS, &body, NULL),
                     ERR_MALFORMED_JSON);
}

/* RFC 8259 and, for duplicates, surrogates and U+0000, RFC 7493 (I-JSON) and ours. */
static const struct str malformed[] = {
    STR(""),
    STR(" "),
    STR("{"),
    STR("}"),
    STR("{\"email\""),
    STR("{\"email\":}"),
    STR("{\"email\":\"a@b\""),
    STR("{\"email\":\"a@b\",}"),
    STR("{,\"email\":\"a@b\"}"),
    STR("{\"email\":\"a@b\"}}"),
    STR("{\"email\":\"a@b\"} x"),
    STR("{\"email\":\"a@b\"}{}"),
    STR("{'email':'a@b'}"),
    STR("{email:\"a@b\"}"),
    STR("{\"email\":\"a@b\" \"name\":\"x\"}"),
    STR("{\"email\"=\"a@b\"}"),
    STR("{\"email\":\"a@b\"} // comment"),
    STR("/* c */{\"email\":\"a@b\"}"),
    STR("{\"email\":\"a@b\",\"email\":\"c@d\"}"),
    STR("{\"email\":\"a@b\",\"\\u0065mail\":\"c@d\"}"),
    STR("{\"email\":\"a@b\",\"x\":{\"y\":1,\"y\":1}}"),
    STR("{\"email\":\"a\\ud800b\"}"),
    STR("{\"email\":\"a\\udc00b\"}"),
    STR("{\"email\":\"a\\ud800\\ud800\"}"),
    STR("{\"email\":\"a\\udc00\\ud800\"}"),
    STR("{\"email\":\"a\\u0000b\"}"),
    STR("{\"a\\u0000b\":1}"),
    {"{\"email\":\"a\0b\"}", 15},
    {"{\"email\":\"a@b\"}\0", 16},
    STR("{\"email\":\"a\xff\"}"),
    STR("{\"email\":\"a\xc0\xaf\"}"),
    STR("{\"email\":\"a\xed\xa0\x80\"}"),
    STR("{\"email\":\"a\xf4\x90\x80\x80\"}"),
    STR("{\"email\":\"a\xc3\"}"),
    STR("\xef\xbb\xbf{\"email\":\"a@b\"}"),
    STR("{\"email\":\"a\tb\"}"),
    STR("{\"email\":\"a\nb\"}"),
    STR("{\"email\":\"a\\x41\"}"),
    STR("{\"email\":\"a\\u12\"}"),
    STR("{\"email\":\"a\\u12g4\"}"),
    STR("{\"email\":\"a\\\"}"),
    STR("{\"number\":01}"),
    STR("{\"number\":+1}"),
    STR("{\"number\":1.}"),
    STR("{\"number\":.1}"),
    STR("{\"number\":-}"),
    STR("{\"number\":1e}"),
    STR("{\"number\":0x10}"),
    STR("{\"number\":NaN}"),
    STR("{\"number\":Infinity}"),
    STR("{\"number\":9223372036854775808}"),
    STR("{\"number\":1e400}"),
    STR("{\"flag\":True}"),
    STR("{\"flag\":tru}"),
    STR("{\"list\":[1,]}"),
    STR("{\"list\":[1 2]}"),
    STR("{\"list\":[}"),
    STR("\xff\xfe{\0}\0"),
};

static void malformed_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++) {
        struct json_findings findings;
        struct body body;
        enum error error;

        (void)fresh(NULL);
        error = decode(malformed[i], &body, &findings);
        if (error != ERR_MALFORMED_JSON) {
            fail_msg("row %zu: %.*s: %s", i, STR_ARG(malformed[i]), error_code(error));
        }
        assert_int_equal(findings.count, 1);
        assert_string_equal(findings.items[0].code, "malformed");
    }
}

/* Where, and what kind of fault, but never what was there. */
static void malformed_is_explained_without_a_quote(void **state)
{
    static const struct {
        const char *text;
        const char *detail;
    } rows[] = {
        {"{\"email\":\"a\", secret}", "Not valid JSON at line 1, column 20: a value or a "
                                      "punctuation mark was expected, or an escape is wrong."},
        {"{\n\"email\":1,\n\"email\":2}",
         "Not valid JSON at line 3, column 7: a member is there twice."},
        {"{\"email\":\"secret", "Not valid JSON at line 1, column 16: the text ends too early."},
        {"{} secret",
         "Not valid JSON at line 1, column 9: something follows the end of the JSON text."},
        {"{\"email\":\"\\u0000\"}", "Not valid JSON at line 1, column 17: U+0000 is not allowed."},
        {"{\"email\":\"\xff\"}",
         "Not valid JSON at line 1, column 10: a byte sequence is not UTF-8."},
        {"{\"number\":1e999}", "Not valid JSON at line 1, column 15: a number is out of range."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_findings findings;
        struct body body;

        assert_int_equal(decode(str_from(rows[i].text), &body, &findings), ERR_MALFORMED_JSON);
        assert_str_equal(findings.items[0].detail, str_from(rows[i].detail));
    }
}

static struct str nested(char *text, size_t levels)
{
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    return (struct str){text, 2 * levels};
}

static void depth_is_bounded(void **state)
{
    static char text[2 << 20];
    struct json_findings findings;
    struct body body;

    (void)state;
    assert_int_equal(decode(nested(text, JSON_DEPTH_MAX), &body, &findings), ERR_VALIDATION);
    assert_int_equal(decode(nested(text, JSON_DEPTH_MAX + 1), &body, &findings),
                     ERR_MALFORMED_JSON);
    assert_str_equal(
        findings.items[0].detail,
        STR("Not acceptable JSON: at most 32 levels and 256 values are, and this has 33 "
            "and 34."));
    assert_int_equal(decode(nested(text, 1 << 20), &body, &findings), ERR_MALFORMED_JSON);
}

static void shape_counts_no_strings(void **state)
{
    static const struct {
        const char *text;
        struct json_shape shape;
    } rows[] = {
        {"", {0, 1}},
        {"1", {0, 1}},
        {"[", {1, 2}},
        {"[][][]", {1, 4}},
        {"]]]][][]", {1, 3}},
        {"\"\\", {0, 1}},
        {"{\"a\":\"[[[[,,,\"}", {1, 2}},
        {"{\"a\":\"\\\"[[[[,\"}", {1, 2}},
        {"{\"a\":\"\\\\\",\"b\":[]}", {2, 4}},
        {"[[[1,2],[3,4]],5]", {3, 9}},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct json_shape shape = json_shape_of(str_from(rows[i].text));

        assert_int_equal(shape.depth, rows[i].shape.depth);
        assert_int_equal(shape.values, rows[i].shape.values);
    }
}

static void dear_members(struct buf *out)
{
    for (int i = 0; i < 250; i++) {
        buf_printf(out, ",\"%x\":1", i);
    }
}

static void dear_objects(struct buf *out)
{
    buf_append(out, STR(",\"a\":[{}"));
    for (int i = 0; i < 124; i++) {
        buf_append(out, STR(",{}"));
    }
    buf_append_byte(out, ']');
}

static void dear_nesting(struct buf *out)
{
    for (int i = 0; i < 80; i++) {
        buf_printf(out, ",\"%x\":{\"x\":[]}", i);
    }
}

/* 16 KiB of the dearest JSON that there is, and the rest of it one text: decoded within the bound
 * that the header names. */
static void memory_is_bounded(void **state)
{
    static void (*const dear[])(struct buf *) = {dear_members, dear_objects, dear_nesting};
    static char text[16384];
    struct json_findings findings;
    struct body body;

    (void)state;
    for (size_t i = 0; i < sizeof dear / sizeof *dear; i++) {
        struct buf out = buf_over(text, sizeof text);

        (void)fresh(NULL);
        buf_append(&out, STR("{\"email\":\"a@b\""));
        dear[i](&out);
        buf_append(&out, STR(",\"z\":\""));
        while (out.len < sizeof text - 2) {
            buf_append_byte(&out, 'x');
        }
        buf_append(&out, STR("\"}"));
        assert_false(out.overflowed);
        assert_int_equal(decode(buf_str(&out), &body, &findings), ERR_VALIDATION);
        assert_true(arena.used_bytes > 64 << 10);
        assert_true(arena.used_bytes <= (40 << 10) + 4 * out.len);
    }
}

static void values_are_bounded(void **state)
{
    char text[1024] = "{\"email\":\"a@b\",\"x\":[0";
    struct buf out = {.ptr = text, .len = strlen(text), .cap = sizeof text};
    struct json_findings findings;
    struct body body;

    (void)state;
    for (int values = 4; values < JSON_VALUES_MAX; values++) {
        buf_append(&out, STR(",0"));
    }
    buf_append(&out, STR("]}"));
    assert_int_equal(decode(buf_str(&out), &body, &findings), ERR_VALIDATION);
    out.len -= 2;
    buf_append(&out, STR(",0]}"));
    assert_int_equal(decode(buf_str(&out), &body, &findings), ERR_MALFORMED_JSON);
    assert_string_equal(findings.items[0].code, "malformed");
}

static void lenient_ignores_the_unknown_only(void **state)
{
    struct json_findings findings = {.count = 0};
    struct body body = {.number = 0};

    (void)state;
    assert_int_equal(json_in_decode_lenient(&arena,
                                            STR("{\"email\":\"a@b\",\"x\":{\"y\":[1,2.5,null]}}"),
                                            fields, FIELDS, &body, &findings),
                     OK);
    assert_str_equal(body.email, STR("a@b"));
    assert_int_equal(
        json_in_decode_lenient(&arena, STR("{\"x\":1}"), fields, FIELDS, &body, &findings),
        ERR_VALIDATION);
    assert_int_equal(findings.count, 1);
}

static void list_length_is_bounded(void **state)
{
    char text[1024];

    (void)state;
    for (int count = JSON_LIST_MAX; count <= JSON_LIST_MAX + 1; count++) {
        struct buf out = buf_over(text, sizeof text);
        struct json_findings findings;
        struct body body;

        buf_append(&out, STR("{\"email\":\"a@b\",\"list\":["));
        for (int i = 0; i < count; i++) {
            buf_printf(&out, "%s\"%d\"", i == 0 ? "" : ",", i);
        }
        buf_append(&out, STR("]}"));
        assert_int_equal(decode(buf_str(&out), &body, &findings),
                         count == JSON_LIST_MAX ? OK : ERR_VALIDATION);
        assert_int_equal(body.list.count, count == JSON_LIST_MAX ? JSON_LIST_MAX : 0);
    }
}

static void text_map_reads_pairs(void **state)
{
    struct json_pair pairs[2];
    size_t count = 99;

    (void)state;
    assert_int_equal(json_in_text_map(&arena,
                                      STR("{\"current\":\"k2\",\"keys\":{\"k1\":\"one\","
                                          "\"k2\":\"two\"}}"),
                                      "keys", pairs, 2, &count),
                     OK);
    assert_int_equal(count, 2);
    assert_str_equal(pairs[0].name, STR("k1"));
    assert_str_equal(pairs[0].value, STR("one"));
    assert_str_equal(pairs[1].name, STR("k2"));
    assert_str_equal(pairs[1].value, STR("two"));
    assert_int_equal(json_in_text_map(&arena, STR("{\"keys\":{}}"), "keys", pairs, 2, &count), OK);
    assert_int_equal(count, 0);
}

static void text_map_refuses_the_rest(void **state)
{
    static const struct {
        const char *text;
        enum error error;
    } rows[] = {
        {"{}", ERR_NOT_FOUND},
        {"[]", ERR_NOT_FOUND},
        {"{\"keys\":[]}", ERR_VALIDATION},
        {"{\"keys\":\"k1\"}", ERR_VALIDATION},
        {"{\"keys\":{\"a\":1}}", ERR_VALIDATION},
        {"{\"keys\":{\"a\":\"1\",\"b\":\"2\",\"c\":\"3\"}}", ERR_VALIDATION},
        {"{\"keys\":{\"a\":\"1\",\"a\":\"2\"}}", ERR_MALFORMED_JSON},
        {"", ERR_MALFORMED_JSON},
    };
    struct json_pair pairs[2];
    size_t count = 99;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(json_in_text_map(&arena, str_from(rows[i].text), "keys", pairs, 2, &count),
                         rows[i].error);
        assert_int_equal(count, 99);
    }
}

static void elements_are_json_again(void **state)
{
    struct str items[3];
    size_t count = 99;

    (void)state;
    assert_int_equal(
        json_in_elements(&arena,
                         STR("{\"keys\":[ {\"kty\": \"EC\", \"n\": [1, null]} , \"\\u00fc\", 7]}"),
                         "keys", items, 3, &count),
        OK);
    assert_int_equal(count, 3);
    assert_str_equal(items[0], STR("{\"kty\":\"EC\",\"n\":[1,null]}"));
    assert_str_equal(items[1], STR("\"\xc3\xbc\""));
    assert_str_equal(items[2], STR("7"));
    count = 99;
    assert_int_equal(
        json_in_elements(&arena, STR("{\"keys\":[1,2,3,4]}"), "keys", items, 3, &count),
        ERR_VALIDATION);
    assert_int_equal(json_in_elements(&arena, STR("{\"keys\":{}}"), "keys", items, 3, &count),
                     ERR_VALIDATION);
    assert_int_equal(json_in_elements(&arena, STR("{}"), "keys", items, 3, &count), ERR_NOT_FOUND);
    assert_int_equal(count, 99);
}

static enum error decode_in(size_t bytes, const char *text, struct json_findings *findings)
{
    unsigned char *own = malloc(bytes + 1); /* so that AddressSanitizer sees its end */
    struct body body = {.number = 0};
    struct arena small;
    enum error error;

    assert_non_null(own);
    arena_init(&small, own, bytes);
    error = json_in_decode(&small, str_from(text), fields, FIELDS, &body, findings);
    assert_true(error == OK || body.email.ptr == NULL);
    free(own);
    return error;
}

/* Whatever the size of the arena: the right answer, whole, or ERR_NO_SPACE, and nothing outside. */
static void a_member_is_json_again(void **state)
{
    struct str out = STR_EMPTY;

    (void)state;
    assert_int_equal(
        json_in_member(&arena, STR("{\"a\":1,\"data\":{\"b\":[true,\"x\"]}}"), "data", &out), OK);
    assert_str_equal(out, STR("{\"b\":[true,\"x\"]}"));
    assert_int_equal(json_in_member(&arena, STR("{\"a\":{\"data\":1}}"), "data", &out),
                     ERR_NOT_FOUND);
    assert_int_equal(json_in_member(&arena, STR("{\"data\":"), "data", &out), ERR_MALFORMED_JSON);
}

static void small_arenas_are_no_space(void **state)
{
    static const struct {
        const char *text;
        enum error error;
    } rows[] = {
        {"{\"email\":\"a@b.c\",\"name\":\"abc\",\"list\":[\"a\",\"b\"]}", OK},
        {"{\"email\":1,\"name\":\"abcdefghi\",\"x\":[\"a\",\"b\"]}", ERR_VALIDATION},
        {"{\"email\":\"a\",\"email\":\"b\"}", ERR_MALFORMED_JSON},
        {"{", ERR_MALFORMED_JSON},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        enum error last = ERR_NO_SPACE;

        for (size_t bytes = 0; bytes < 4096; bytes += 8) {
            struct json_findings findings = {.count = 0};
            enum error error = decode_in(bytes, rows[i].text, &findings);

            assert_true(error == rows[i].error || error == ERR_NO_SPACE);
            assert_true(last == ERR_NO_SPACE || error != ERR_NO_SPACE); /* once it fits, it fits */
            for (size_t n = 0; error != ERR_NO_SPACE && n < findings.count; n++) {
                assert_true(findings.items[n].detail.len > 0);
            }
            last = error;
        }
        assert_int_equal(last, rows[i].error);
    }
}

/* A copy of a password is nowhere but in the arena, which is wiped. */
static void nothing_stays_behind(void **state)
{
    struct json_findings findings;
    struct body body;

    (void)state;
    assert_int_equal(decode(STR("{\"email\":\"pa\\u0073\\u0073wd\"}"), &body, &findings), OK);
    assert_true((unsigned char *)(uintptr_t)body.email.ptr >= memory &&
                (unsigned char *)(uintptr_t)body.email.ptr < memory + sizeof memory);
    arena_reset(&arena);
    assert_null(memmem(memory, sizeof memory, "passwd", 6));
}

static void *decode_much(void *pointer)
{
    unsigned char *own = malloc(16 << 10);
    char text[64];
    int length = snprintf(text, sizeof text, "{\"email\":\"%p\"}", pointer);

    for (int i = 0; i < 2000 && own != NULL; i++) {
        struct json_findings findings = {.count = 0};
        struct body body = {.number = 0};
        struct arena mine;

        arena_init(&mine, own, 16 << 10);
        if (json_in_decode(&mine, (struct str){text, (size_t)length}, fields, FIELDS, &body,
                           &findings) != OK ||
            !str_equal(body.email, str_sub(str_from(text), 10, (size_t)length - 2))) {
            free(own);
            return pointer;
        }
        arena_reset(&mine);
    }
    free(own);
    return NULL;
}

static void threads_have_their_own_arena(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, decode_much, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static int start(void **state)
{
    (void)state;
    json_in_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(every_type_decodes, fresh),
        cmocka_unit_test_setup(absent_null_and_empty_differ, fresh),
        cmocka_unit_test_setup(one_text_is_a_list, fresh),
        cmocka_unit_test_setup(one_text_is_no_array, fresh),
        cmocka_unit_test_setup(findings_name_what_is_wrong, fresh),
        cmocka_unit_test_setup(all_findings_are_reported, fresh),
        cmocka_unit_test_setup(findings_are_bounded, fresh),
        cmocka_unit_test_setup(unread_findings_are_no_matter, fresh),
        cmocka_unit_test_setup(malformed_is_refused, fresh),
        cmocka_unit_test_setup(malformed_is_explained_without_a_quote, fresh),
        cmocka_unit_test_setup(depth_is_bounded, fresh),
        cmocka_unit_test_setup(shape_counts_no_strings, fresh),
        cmocka_unit_test_setup(values_are_bounded, fresh),
        cmocka_unit_test_setup(memory_is_bounded, fresh),
        cmocka_unit_test_setup(lenient_ignores_the_unknown_only, fresh),
        cmocka_unit_test_setup(list_length_is_bounded, fresh),
        cmocka_unit_test_setup(text_map_reads_pairs, fresh),
        cmocka_unit_test_setup(text_map_refuses_the_rest, fresh),
        cmocka_unit_test_setup(elements_are_json_again, fresh),
        cmocka_unit_test_setup(a_member_is_json_again, fresh),
        cmocka_unit_test_setup(small_arenas_are_no_space, fresh),
        cmocka_unit_test_setup(nothing_stays_behind, fresh),
        cmocka_unit_test_setup(threads_have_their_own_arena, fresh),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
