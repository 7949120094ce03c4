/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "arena.h"

enum { SIZE_BYTES = 256 };

static _Alignas(max_align_t) unsigned char memory[SIZE_BYTES];

static struct arena dirty_arena(size_t size_bytes)
{
    struct arena arena;

    memset(memory, 0xAA, sizeof(memory));
    arena_init(&arena, memory, size_bytes);
    return arena;
}

static bool all_bytes_are(const unsigned char *bytes, size_t count, unsigned char expected)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes[i] != expected) {
            return false;
        }
    }
    return true;
}

static void alloc_is_zeroed_and_aligned(void **state)
{
    struct arena arena = dirty_arena(SIZE_BYTES);
    unsigned char *first = arena_alloc(&arena, 3);
    unsigned char *second = arena_alloc(&arena, 40);

    (void)state;
    assert_non_null(first);
    assert_non_null(second);
    assert_true(all_bytes_are(first, 3, 0));
    assert_true(all_bytes_are(second, 40, 0));
    assert_true(second >= first + 3);
    assert_int_equal((uintptr_t)first % _Alignof(max_align_t), 0);
    assert_int_equal((uintptr_t)second % _Alignof(max_align_t), 0);
    assert_false(arena_overflowed(&arena));
}

static void alloc_is_aligned_in_memory_that_is_not(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, memory + 1, 64);
    for (int i = 0; i < 3; i++) {
        unsigned char *bytes = arena_alloc(&arena, 1);

        assert_non_null(bytes);
        assert_int_equal((uintptr_t)bytes % _Alignof(max_align_t), 0);
        assert_true(bytes > memory && bytes < memory + 65);
    }
}

static void alloc_fits_to_the_byte(void **state)
{
    struct arena arena = dirty_arena(64);

    (void)state;
    assert_non_null(arena_alloc(&arena, 64));
    assert_false(arena_overflowed(&arena));
    assert_null(arena_alloc(&arena, 1));
    assert_true(arena_overflowed(&arena));

    arena = dirty_arena(64);
    assert_null(arena_alloc(&arena, 65));
    assert_true(arena_overflowed(&arena));
    assert_true(all_bytes_are(memory, SIZE_BYTES, 0xAA));
}

static void padding_counts(void **state)
{
    struct arena arena = dirty_arena(64);

    (void)state;
    assert_non_null(arena_alloc(&arena, 3));
    assert_null(arena_alloc(&arena, 49));
    assert_int_equal(arena.used_bytes, 3);
    assert_non_null(arena_alloc(&arena, 48));
    assert_int_equal(arena.used_bytes, 64);
}

static void full_stays_marked_but_gives_what_fits(void **state)
{
    struct arena arena = dirty_arena(64);

    (void)state;
    assert_null(arena_alloc(&arena, 1000));
    assert_non_null(arena_alloc(&arena, 16));
    assert_true(arena_overflowed(&arena));
    arena_reset(&arena);
    assert_false(arena_overflowed(&arena));
    assert_non_null(arena_alloc(&arena, 64));
}

static void huge_sizes_do_not_wrap(void **state)
{
    struct arena arena = dirty_arena(SIZE_BYTES);

    (void)state;
    assert_non_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, SIZE_MAX));
    assert_null(arena_alloc(&arena, SIZE_MAX - 15));
    assert_null(arena_alloc_array(&arena, SIZE_MAX / 2, 4));
    assert_null(arena_alloc_array(&arena, (size_t)1 << 32, (size_t)1 << 32));
    assert_null(arena_terminated(&arena, (struct str){"", SIZE_MAX}));
    assert_true(arena_overflowed(&arena));
    assert_true(all_bytes_are(memory + 1, SIZE_BYTES - 1, 0xAA));
}

static void alloc_array(void **state)
{
    struct arena arena = dirty_arena(SIZE_BYTES);
    uint64_t *numbers = arena_alloc_array(&arena, 8, sizeof(uint64_t));

    (void)state;
    assert_non_null(numbers);
    assert_true(all_bytes_are((unsigned char *)numbers, 64, 0));
    assert_non_null(arena_alloc_array(&arena, 0, 8));
    assert_null(arena_alloc_array(&arena, 32, 8));
    arena_reset(&arena);
    assert_null(arena_alloc_array(&arena, SIZE_MAX, 2));
    assert_true(arena_overflowed(&arena));
}

static void terminated(void **state)
{
    struct arena arena = dirty_arena(4);
    char *text = arena_terminated(&arena, STR("abc"));

    (void)state;
    assert_non_null(text);
    assert_string_equal(text, "abc");
    arena_reset(&arena);
    assert_null(arena_terminated(&arena, STR("abcd"))); /* no place for the terminator */
    assert_true(arena_overflowed(&arena));
    arena_reset(&arena);
    text = arena_terminated(&arena, (struct str){NULL, 0});
    assert_non_null(text);
    assert_string_equal(text, "");
    text = arena_terminated(&arena, STR("x"));
    assert_non_null(text);
    assert_string_equal(text, "x");
}

static void copy(void **state)
{
    struct arena arena = dirty_arena(4);
    char original[] = "abcd";
    struct str copied = arena_copy(&arena, (struct str){original, 4});

    (void)state;
    original[0] = 'X';
    assert_str_equal(copied, STR("abcd"));
    assert_int_equal(arena_copy(&arena, STR_EMPTY).len, 0);
    assert_false(arena_overflowed(&arena));
    assert_int_equal(arena_copy(&arena, STR("e")).len, 0);
    assert_true(arena_overflowed(&arena));
}

static void print(void **state)
{
    struct arena arena = dirty_arena(16);
    struct str first = arena_printf(&arena, "%s-%d", "ab", 12);
    struct str second = arena_printf(&arena, "%s", "123456789");

    (void)state;
    assert_str_equal(first, STR("ab-12"));
    assert_str_equal(second, STR("123456789"));
    assert_str_equal(first, STR("ab-12"));
    assert_int_equal(arena.used_bytes, 16);
    assert_int_equal(arena_printf(&arena, "%s", "").len, 0);
    assert_true(arena_overflowed(&arena));

    arena = dirty_arena(1); /* the terminator fits */
    assert_int_equal(arena_printf(&arena, "%s", "").len, 0);
    assert_false(arena_overflowed(&arena));
    arena = dirty_arena(1);
    assert_int_equal(arena_printf(&arena, "%s", "a").len, 0);
    assert_true(arena_overflowed(&arena));
    assert_int_equal(memory[0], 0);
}

static void print_that_does_not_fit_leaves_no_bytes(void **state)
{
    struct arena arena = dirty_arena(16);

    (void)state;
    assert_int_equal(arena_printf(&arena, "%s", "secret-of-17-byte").len, 0);
    assert_true(arena_overflowed(&arena));
    assert_int_equal(arena.used_bytes, 0);
    assert_true(all_bytes_are(memory, 16, 0));
    assert_true(all_bytes_are(memory + 16, SIZE_BYTES - 16, 0xAA));
}

static void reset_wipes_what_was_used(void **state)
{
    struct arena arena = dirty_arena(SIZE_BYTES);
    struct str secret = arena_copy(&arena, STR("correct horse battery staple"));
    char *also = arena_terminated(&arena, STR("Tr0ub4dor&3"));

    (void)state;
    assert_int_equal(secret.len, 28);
    assert_non_null(also);
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
    assert_true(all_bytes_are(memory, 28 + 12, 0));

    arena = dirty_arena(SIZE_BYTES);
    assert_int_equal(arena_copy(&arena, STR("x")).len, 1);
    arena_reset(&arena);
    assert_int_equal(memory[0], 0);
}

static void an_arena_without_memory_is_full(void **state)
{
    struct arena arena;

    (void)state;
    arena_init(&arena, NULL, 0);
    assert_null(arena_alloc(&arena, 1));
    assert_int_equal(arena_printf(&arena, "x").len, 0);
    assert_int_equal(arena_copy(&arena, STR("x")).len, 0);
    arena_reset(&arena);
    assert_false(arena_overflowed(&arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alloc_is_zeroed_and_aligned),
        cmocka_unit_test(alloc_is_aligned_in_memory_that_is_not),
        cmocka_unit_test(alloc_fits_to_the_byte),
        cmocka_unit_test(padding_counts),
        cmocka_unit_test(full_stays_marked_but_gives_what_fits),
        cmocka_unit_test(huge_sizes_do_not_wrap),
        cmocka_unit_test(alloc_array),
        cmocka_unit_test(terminated),
        cmocka_unit_test(copy),
        cmocka_unit_test(print),
        cmocka_unit_test(print_that_does_not_fit_leaves_no_bytes),
        cmocka_unit_test(reset_wipes_what_was_used),
        cmocka_unit_test(an_arena_without_memory_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
