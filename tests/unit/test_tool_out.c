/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "tool_out.h"

enum { TEXT_BYTES_MAX = 4 * 1024 * 1024 };

static struct tool_out out;
static char text[TEXT_BYTES_MAX];

/* What `print` writes to standard output, which is a file meanwhile. */
static enum error captured(bool is_json, void (*print)(void))
{
    int kept = dup(STDOUT_FILENO);
    int file = memfd_create("stdout", 0);
    enum error error;
    ssize_t length;

    (void)fflush(stdout);
    assert_true(dup2(file, STDOUT_FILENO) >= 0);
    tool_out_start(&out, is_json);
    print();
    error = tool_out_end(&out);
    length = pread(file, text, sizeof(text) - 1, 0);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    (void)close(kept);
    (void)close(file);
    assert_true(length >= 0);
    text[length] = '\0';
    return error;
}

static void one_of_each(void)
{
    struct uuid id = {.bytes = {0x01, 0x98}};

    tool_out_row(&out);
    tool_out_uuid(&out, "id", id);
    tool_out_str(&out, "name", STR("Ada"));
    tool_out_str(&out, "locale", STR_EMPTY);
    tool_out_time(&out, "created_at", 1700000000123);
    tool_out_time(&out, "disabled_at", 0);
    tool_out_i64(&out, "auth_ver", -7);
    tool_out_bool(&out, "email_verified", true);
    tool_out_words(&out, "roles", STR("admin support"));
    tool_out_words(&out, "scope", STR_EMPTY);
}

static void an_object(void **state)
{
    (void)state;
    assert_int_equal(captured(true, one_of_each), OK);
    assert_string_equal(
        text, "{\"id\":\"01980000-0000-0000-0000-000000000000\",\"name\":\"Ada\",\"locale\":null,"
              "\"created_at\":\"2023-11-14T22:13:20.123Z\",\"disabled_at\":null,\"auth_ver\":-7,"
              "\"email_verified\":true,\"roles\":[\"admin\",\"support\"],\"scope\":[]}\n");
    assert_int_equal(captured(false, one_of_each), OK);
    assert_string_equal(text, "id              01980000-0000-0000-0000-000000000000\n"
                              "name            Ada\n"
                              "locale          -\n"
                              "created_at      2023-11-14T22:13:20.123Z\n"
                              "disabled_at     -\n"
                              "auth_ver        -7\n"
                              "email_verified  true\n"
                              "roles           admin support\n"
                              "scope           -\n");
}

static void two_rows(void)
{
    tool_out_list(&out);
    tool_out_row(&out);
    tool_out_str(&out, "name", STR("B\xc3\xa9la"));
    tool_out_i64(&out, "n", 1);
    tool_out_row(&out);
    tool_out_str(&out, "name", STR("Christopher"));
    tool_out_i64(&out, "n", 22);
}

static void a_list(void **state)
{
    (void)state;
    assert_int_equal(captured(true, two_rows), OK);
    assert_string_equal(text, "[{\"name\":\"B\xc3\xa9la\",\"n\":1},\n "
                              "{\"name\":\"Christopher\",\"n\":22}]\n");
    assert_int_equal(captured(false, two_rows), OK);
    assert_string_equal(text, "name         n\n"
                              "B\xc3\xa9la         1\n"
                              "Christopher  22\n");
}

static void no_row(void)
{
    tool_out_list(&out);
}

static void nothing(void)
{
}

static void nothing_is_json_too(void **state)
{
    (void)state;
    assert_int_equal(captured(true, no_row), OK);
    assert_string_equal(text, "[]\n");
    assert_int_equal(captured(false, no_row), OK);
    assert_string_equal(text, "");
    assert_int_equal(captured(true, nothing), OK);
    assert_string_equal(text, "{}\n");
    assert_int_equal(captured(false, nothing), OK);
    assert_string_equal(text, "");
}

static void a_hostile_name(void)
{
    tool_out_row(&out);
    tool_out_str(&out, "name",
                 STR("a\x1b[2J\nb\x7f\xc2\x9b"
                     "c\xff\xe2\x82\xac"));
}

static void a_terminal_is_not_steered(void **state)
{
    (void)state;
    assert_int_equal(captured(false, a_hostile_name), OK);
    assert_string_equal(text, "name  a?[2J?b??c?\xe2\x82\xac\n");
    assert_int_equal(captured(true, a_hostile_name), OK);
    assert_true(unit_is_json((struct str){text, strlen(text) - 1}));
}

enum { MANY = 20000 };

static void many_rows(void)
{
    tool_out_list(&out);
    for (int64_t i = 0; i < MANY; i++) {
        tool_out_row(&out);
        tool_out_i64(&out, "n", i);
        tool_out_str(&out, "text", STR("a text of forty characters, or about that"));
    }
}

static size_t count_of(const char *piece)
{
    size_t count = 0;

    for (const char *at = text; (at = strstr(at, piece)) != NULL; at++) {
        count++;
    }
    return count;
}

/* Row by row: the checker of unit.h takes no space between tokens. */
static void a_list_may_be_long(void **state)
{
    (void)state;
    assert_int_equal(captured(true, many_rows), OK);
    assert_int_equal(text[0], '[');
    assert_int_equal(count_of("{\"n\":"), MANY);
    assert_int_equal(count_of("\"},\n {"), MANY - 1);
    assert_non_null(strstr(text, "{\"n\":19999,\"text\":\"a text of forty characters, or about "
                                 "that\"}]\n"));
    assert_int_equal(captured(false, many_rows), OK);
    assert_int_equal(count_of("\n"), MANY + 1);
}

static void a_huge_row(void)
{
    static char value[TOOL_OUT_TEXT_BYTES + 1];

    memset(value, 'x', sizeof(value));
    tool_out_row(&out);
    tool_out_str(&out, "value", (struct str){value, sizeof(value)});
}

static void a_row_has_a_limit(void **state)
{
    (void)state;
    assert_int_equal(captured(true, a_huge_row), ERR_NO_SPACE);
}

static void a_document(void)
{
    tool_out_document(&out, STR("{\"kty\":\"EC\"}"));
}

static void a_document_is_printed_as_it_is(void **state)
{
    (void)state;
    for (int is_json = 0; is_json < 2; is_json++) {
        assert_int_equal(captured(is_json == 1, a_document), OK);
        assert_string_equal(text, "{\"kty\":\"EC\"}\n");
    }
}

static void what_was_kept_is_wiped(void **state)
{
    static const char none[sizeof(out.memory)];

    (void)state;
    assert_int_equal(captured(false, one_of_each), OK);
    assert_memory_equal(out.memory, none, sizeof(none));
}

static void differing_rows(void)
{
    tool_out_start(&out, true);
    two_rows();
    tool_out_row(&out);
    tool_out_str(&out, "name", STR("x"));
    assert_int_equal(tool_out_end(&out), OK);
}

static void rows_that_differ_are_a_mistake(void **state)
{
    (void)state;
    assert_true(unit_aborts(differing_rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_object),
        cmocka_unit_test(a_list),
        cmocka_unit_test(nothing_is_json_too),
        cmocka_unit_test(a_terminal_is_not_steered),
        cmocka_unit_test(a_list_may_be_long),
        cmocka_unit_test(a_row_has_a_limit),
        cmocka_unit_test(a_document_is_printed_as_it_is),
        cmocka_unit_test(what_was_kept_is_wiped),
        cmocka_unit_test(rows_that_differ_are_a_mistake),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
