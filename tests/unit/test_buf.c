/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "buf.h"

#include <inttypes.h>
#include <stdio.h>

static void appends_fill_to_the_byte(void **state)
{
    char memory[6] = "......";
    struct buf buf = buf_over(memory, 5);
    struct str all = STR("untouched");

    (void)state;
    buf_append(&buf, STR("abc"));
    buf_append(&buf, STR_EMPTY);
    buf_append(&buf, (struct str){NULL, 0});
    buf_append_byte(&buf, 'd');
    buf_append(&buf, STR("e"));
    assert_false(buf.overflowed);
    assert_int_equal(buf_finish(&buf, &all), OK);
    assert_str_equal(all, STR("abcde"));
    assert_int_equal(memory[5], '.');
}

static void what_does_not_fit_is_not_kept(void **state)
{
    char memory[8] = "........";
    struct buf buf = buf_over(memory, 4);
    struct str all = STR("untouched");

    (void)state;
    buf_append(&buf, STR("abc"));
    buf_append(&buf, STR("de"));
    assert_true(buf.overflowed);
    assert_str_equal(buf_str(&buf), STR("abc"));
    buf_append_byte(&buf, 'f'); /* would fit, but the gap before it would not show */
    buf_append_u64(&buf, 1);
    buf_append_i64(&buf, -1);
    buf_printf(&buf, "x");
    assert_str_equal(buf_str(&buf), STR("abc"));
    assert_int_equal(buf_finish(&buf, &all), ERR_NO_SPACE);
    assert_str_equal(all, STR("untouched"));
    assert_memory_equal(memory + 4, "....", 4);
}

static void an_empty_buffer(void **state)
{
    struct buf buf = buf_over(NULL, 0);
    struct str all;

    (void)state;
    assert_int_equal(buf_finish(&buf, &all), OK);
    assert_int_equal(all.len, 0);
    assert_non_null(all.ptr);
    buf_append_byte(&buf, 'a');
    assert_true(buf.overflowed);
    buf = buf_over(NULL, 0);
    buf_printf(&buf, "%s", "");
    assert_true(buf.overflowed);
}

static void unsigned_numbers(void **state)
{
    static const uint64_t values[] = {0, 9, 10, 99, 100, 18446744073709551615U};
    char memory[32];
    char expected[32];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buf buf = buf_over(memory, sizeof(memory));

        buf_append_u64(&buf, values[i]);
        (void)snprintf(expected, sizeof(expected), "%" PRIu64, values[i]);
        assert_str_equal(buf_str(&buf), str_from(expected));
    }
}

static void signed_numbers(void **state)
{
    static const int64_t values[] = {0, 7, -1, -10, 1234, INT64_MAX, INT64_MIN};
    char memory[32];
    char expected[32];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        struct buf buf = buf_over(memory, sizeof(memory));

        buf_append_i64(&buf, values[i]);
        (void)snprintf(expected, sizeof(expected), "%" PRId64, values[i]);
        assert_str_equal(buf_str(&buf), str_from(expected));
    }
}

static void a_number_is_kept_whole_or_not_at_all(void **state)
{
    char memory[3];
    struct buf buf = buf_over(memory, sizeof(memory));

    (void)state;
    buf_append_u64(&buf, 1234);
    assert_true(buf.overflowed);
    assert_int_equal(buf.len, 0);
    buf = buf_over(memory, sizeof(memory));
    buf_append_i64(&buf, -100);
    assert_true(buf.overflowed);
    assert_int_equal(buf.len, 0);
}

static void print_wants_a_byte_for_the_terminator(void **state)
{
    char memory[6];
    struct buf buf = buf_over(memory, 6);

    (void)state;
    buf_printf(&buf, "%d", 12);
    buf_printf(&buf, "%s", "abc");
    assert_str_equal(buf_str(&buf), STR("12abc"));
    assert_false(buf.overflowed);
    buf_append_byte(&buf, 'd'); /* in place of the terminator */
    assert_str_equal(buf_str(&buf), STR("12abcd"));

    buf = buf_over(memory, 6);
    buf_printf(&buf, "%s", "abcdef");
    assert_true(buf.overflowed);
    assert_int_equal(buf.len, 0);
    buf_printf(&buf, "a"); /* would fit, but the gap before it would not show */
    assert_int_equal(buf.len, 0);

    buf = buf_over(memory, 3);
    memset(memory, '.', sizeof(memory));
    buf_append(&buf, STR("ab"));
    buf_printf(&buf, "%s", "");
    assert_false(buf.overflowed);
    buf_printf(&buf, "%s", "c");
    assert_true(buf.overflowed);
    assert_str_equal(buf_str(&buf), STR("ab"));
    assert_memory_equal(memory + 3, "...", 3);
}

static void memory_from_an_arena(void **state)
{
    _Alignas(max_align_t) unsigned char memory[32];
    struct arena arena;
    struct buf buf;
    struct str all;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    buf = buf_in(&arena, 16);
    buf_append(&buf, STR("in the arena"));
    assert_int_equal(buf_finish(&buf, &all), OK);
    assert_str_equal(all, STR("in the arena"));

    buf = buf_in(&arena, 17);
    assert_true(buf.overflowed);
    buf_append(&buf, STR("x"));
    buf_printf(&buf, "x");
    assert_int_equal(buf_str(&buf).len, 0);
    assert_int_equal(buf_finish(&buf, &all), ERR_NO_SPACE);
    assert_str_equal(all, STR("in the arena"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_fill_to_the_byte),
        cmocka_unit_test(what_does_not_fit_is_not_kept),
        cmocka_unit_test(an_empty_buffer),
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(a_number_is_kept_whole_or_not_at_all),
        cmocka_unit_test(print_wants_a_byte_for_the_terminator),
        cmocka_unit_test(memory_from_an_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
