/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "codec.h"

#include <stdio.h>
#include <time.h>

static _Alignas(max_align_t) unsigned char memory[4096];
static char text_memory[1024];

static struct arena new_arena(void)
{
    struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    return arena;
}

static struct buf new_buf(void)
{
    return buf_over(text_memory, sizeof(text_memory));
}

struct pair {
    struct str bytes;
    struct str text;
};

/* RFC 4648 section 10, and the two digits in which the alphabets differ. */
static const struct pair base64_pairs[] = {
    {{"", 0}, {"", 0}},
    {{"f", 1}, {"Zg==", 4}},
    {{"fo", 2}, {"Zm8=", 4}},
    {{"foo", 3}, {"Zm9v", 4}},
    {{"foob", 4}, {"Zm9vYg==", 8}},
    {{"fooba", 5}, {"Zm9vYmE=", 8}},
    {{"foobar", 6}, {"Zm9vYmFy", 8}},
    {{"\xFB\xFF\xFE", 3}, {"+//+", 4}},
};
static const struct pair base64url_pairs[] = {
    {{"", 0}, {"", 0}},
    {{"f", 1}, {"Zg", 2}},
    {{"fo", 2}, {"Zm8", 3}},
    {{"foo", 3}, {"Zm9v", 4}},
    {{"foob", 4}, {"Zm9vYg", 6}},
    {{"fooba", 5}, {"Zm9vYmE", 7}},
    {{"foobar", 6}, {"Zm9vYmFy", 8}},
    {{"\xFB\xFF\xFE", 3}, {"-__-", 4}},
};

static void base64_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(base64_pairs) / sizeof(base64_pairs[0]); i++) {
        struct arena arena = new_arena();
        struct buf buf = new_buf();
        struct str decoded;

        codec_base64(&buf, base64_pairs[i].bytes);
        assert_str_equal(buf_str(&buf), base64_pairs[i].text);
        assert_int_equal(codec_base64_decode(&arena, base64_pairs[i].text, &decoded), OK);
        assert_str_equal(decoded, base64_pairs[i].bytes);
    }
}

static void base64url_vectors(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(base64url_pairs) / sizeof(base64url_pairs[0]); i++) {
        const struct pair *pair = &base64url_pairs[i];
        struct arena arena = new_arena();
        struct buf buf = new_buf();
        struct str decoded;
        char exact[8];

        codec_base64url(&buf, pair->bytes);
        assert_str_equal(buf_str(&buf), pair->text);
        assert_int_equal(CODEC_BASE64URL_LEN(pair->bytes.len), pair->text.len);
        assert_int_equal(codec_base64url_decode(&arena, pair->text, &decoded), OK);
        assert_str_equal(decoded, pair->bytes);
        assert_int_equal(codec_base64url_decode_exact(pair->text, exact, pair->bytes.len), OK);
        assert_str_equal(((struct str){exact, pair->bytes.len}), pair->bytes);
    }
}

static void base64_round_trips(void **state)
{
    uint64_t seed = 88172645463325252U;

    (void)state;
    for (size_t len = 0; len <= 64; len++) {
        char bytes[64];
        struct arena arena = new_arena();
        struct buf buf = new_buf();
        struct str decoded;

        for (size_t i = 0; i < len; i++) {
            bytes[i] = (char)(unit_random(&seed) & 0xFF);
        }
        codec_base64url(&buf, (struct str){bytes, len});
        assert_int_equal(codec_base64url_decode(&arena, buf_str(&buf), &decoded), OK);
        assert_str_equal(decoded, ((struct str){bytes, len}));
        buf = new_buf();
        codec_base64(&buf, (struct str){bytes, len});
        assert_int_equal(codec_base64_decode(&arena, buf_str(&buf), &decoded), OK);
        assert_str_equal(decoded, ((struct str){bytes, len}));
    }
}

/* One value, one text: of all texts of two and three digits, as many are read as there are values. */
static void base64url_has_one_text_a_value(void **state)
{
    unsigned accepted_two = 0;
    unsigned accepted_three = 0;
    unsigned char bytes[2];

    (void)state;
    for (unsigned n = 0; n < 1U << 24; n += 1) {
        char text[3] = {(char)(n & 0xFF), (char)(n >> 8 & 0xFF), (char)(n >> 16 & 0xFF)};

        if (n < 1U << 16) {
            accepted_two += codec_base64url_decode_exact((struct str){text, 2}, bytes, 1) == OK;
        }
        accepted_three += codec_base64url_decode_exact((struct str){text, 3}, bytes, 2) == OK;
    }
    assert_int_equal(accepted_two, 256);
    assert_int_equal(accepted_three, 65536);
}

static void base64_refuses(void **state)
{
    static const char *const texts[] = {
        "Z",        "Zg",           "Zg=",  "Zm8",    "Zg===",     "=",        "==",
        "====",     "Z===",         "=Zg=", "Zg=a",   "Z=g=",      "Zg==Zg==", "Zm9v=",
        "Zm9v====", "Zh==",         "Zm9=", " Zg==",  "Zg== ",     "Zg==\n",   "Zm\n9v",
        "-__-",     "Zm9v\xC3\xA4", "Zm9!", "Zm9vYg", "Zm9vYmE==", "Zm9vYg=\n"};
    struct str out = STR("untouched");

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena arena = new_arena();

        if (codec_base64_decode(&arena, str_from(texts[i]), &out) != ERR_INVALID) {
            fail_msg("accepted \"%s\"", texts[i]);
        }
    }
    assert_str_equal(out, STR("untouched"));
}

static void base64url_refuses(void **state)
{
    static const char *const texts[] = {"Z",   "Zg==",  "Zg=",        "Zm8=",  "Zh",
                                        "Zm9", "+//+",  "Zm9vY",      "Zm 9v", "Zg\n",
                                        " Zg", "Zm9v.", "Zm\xC3\xA4", "Z*"};
    struct str out = STR("untouched");

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct arena arena = new_arena();

        if (codec_base64url_decode(&arena, str_from(texts[i]), &out) != ERR_INVALID) {
            fail_msg("accepted \"%s\"", texts[i]);
        }
    }
    {
        struct arena arena = new_arena();

        assert_int_equal(codec_base64url_decode(&arena, STR("Zg\0A"), &out), ERR_INVALID);
    }
    assert_str_equal(out, STR("untouched"));
}

static void exact_checks_the_length_and_writes_nothing_else(void **state)
{
    char out[4] = "....";

    (void)state;
    assert_int_equal(codec_base64url_decode_exact(STR("Zm9v"), out, 2), ERR_INVALID);
    assert_int_equal(codec_base64url_decode_exact(STR("Zm9v"), out, 4), ERR_INVALID);
    assert_int_equal(codec_base64url_decode_exact(STR("Zm9vYg"), out, 3), ERR_INVALID);
    assert_int_equal(codec_base64url_decode_exact(STR("Zm9!"), out, 3), ERR_INVALID);
    assert_int_equal(codec_base64url_decode_exact(STR_EMPTY, out, 3), ERR_INVALID);
    assert_int_equal(codec_base64url_decode_exact(STR("Zh"), out, 1), ERR_INVALID);
    assert_memory_equal(out, "....", 4);
    assert_int_equal(codec_base64url_decode_exact(STR("Zm9v"), out, 3), OK);
    assert_memory_equal(out, "foo.", 4);
    assert_int_equal(codec_base64url_decode_exact(STR("Zg"), out + 1, 1), OK);
    assert_memory_equal(out, "ffo.", 4);
}

static void decoders_tell_a_full_arena_from_bad_input(void **state)
{
    struct arena arena;
    struct str out = STR("untouched");

    (void)state;
    arena_init(&arena, memory, 2);
    assert_int_equal(codec_base64url_decode(&arena, STR("Zm9v"), &out), ERR_NO_SPACE);
    assert_int_equal(codec_base64_decode(&arena, STR("Zm9v"), &out), ERR_NO_SPACE);
    assert_str_equal(out, STR("untouched"));
}

static void hex(void **state)
{
    struct buf buf = new_buf();

    (void)state;
    codec_hex(&buf, STR("\x00\x01\x9A\xBC\xDE\xFF"));
    assert_str_equal(buf_str(&buf), STR("00019abcdeff"));
    buf = buf_over(text_memory, 3);
    codec_hex(&buf, STR("\x00\x01"));
    assert_true(buf.overflowed);
}

static const struct uuid example = {{0xF8, 0x1D, 0x4F, 0xAE, 0x7D, 0xEC, 0x11, 0xD0, 0xA7, 0x65,
                                     0x00, 0xA0, 0xC9, 0x1E, 0x6B, 0xF6}};

static void uuid_vectors(void **state)
{
    struct buf buf = new_buf();
    struct uuid id;

    (void)state;
    codec_uuid(&buf, example); /* RFC 9562 section 4 */
    assert_str_equal(buf_str(&buf), STR("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    assert_int_equal(codec_uuid_parse(buf_str(&buf), &id), OK);
    assert_true(uuid_equal(id, example));
    assert_int_equal(codec_uuid_parse(STR("F81D4FAE-7DEC-11D0-A765-00A0C91E6BF6"), &id), OK);
    assert_true(uuid_equal(id, example));
    id.bytes[15] ^= 1;
    assert_false(uuid_equal(id, example));
}

static void uuid_in_an_arena(void **state)
{
    struct arena arena = new_arena();

    (void)state;
    assert_str_equal(codec_uuid_in(&arena, example), STR("f81d4fae-7dec-11d0-a765-00a0c91e6bf6"));
    arena_init(&arena, memory, UUID_TEXT_BYTES - 1);
    assert_int_equal(codec_uuid_in(&arena, example).len, 0);
    assert_true(arena_overflowed(&arena));
}

static void uuid_refuses(void **state)
{
    static const char *const texts[] = {"",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bf66",
                                        "f81d4fae7dec11d0a76500a0c91e6bf6",
                                        "f81d4fae-7dec-11d0-a765_00a0c91e6bf6",
                                        "f81d4fae-7dec-11d0-a76500-a0c91e6bf6",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6bg6",
                                        "-81d4fae-7dec-11d0-a765-00a0c91e6bf6",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6b f",
                                        "f81d4fae-7dec-11d0-a765-00a0c91e6b-6",
                                        "{81d4fae-7dec-11d0-a765-00a0c91e6bf}",
                                        " f81d4fae-7dec-11d0-a765-00a0c91e6bf"};
    struct uuid id = example;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (codec_uuid_parse(str_from(texts[i]), &id) != ERR_INVALID) {
            fail_msg("accepted \"%s\"", texts[i]);
        }
    }
    assert_true(uuid_equal(id, example));
}

static struct str rfc3339(int64_t unix_ms)
{
    struct buf buf = new_buf();

    codec_rfc3339(&buf, unix_ms);
    return buf_str(&buf);
}

static void rfc3339_vectors(void **state)
{
    (void)state;
    assert_str_equal(rfc3339(0), STR("1970-01-01T00:00:00.000Z"));
    assert_str_equal(rfc3339(-1), STR("1969-12-31T23:59:59.999Z"));
    assert_str_equal(rfc3339(1769903999123), STR("2026-01-31T23:59:59.123Z"));
    assert_str_equal(rfc3339(951782400000), STR("2000-02-29T00:00:00.000Z"));
    assert_str_equal(rfc3339(4107542400000), STR("2100-03-01T00:00:00.000Z"));
    assert_str_equal(rfc3339(4107542399999), STR("2100-02-28T23:59:59.999Z"));
    assert_str_equal(rfc3339(-62167219200000), STR("0000-01-01T00:00:00.000Z"));
    assert_str_equal(rfc3339(253402300799999), STR("9999-12-31T23:59:59.999Z"));
}

static void rfc3339_is_clamped_to_the_years_that_it_can_write(void **state)
{
    (void)state;
    assert_str_equal(rfc3339(253402300800000), STR("9999-12-31T23:59:59.999Z"));
    assert_str_equal(rfc3339(INT64_MAX), STR("9999-12-31T23:59:59.999Z"));
    assert_str_equal(rfc3339(-62167219200001), STR("0000-01-01T00:00:00.000Z"));
    assert_str_equal(rfc3339(INT64_MIN), STR("0000-01-01T00:00:00.000Z"));
}

static void rfc3339_agrees_with_the_c_library(void **state)
{
    (void)state;
    for (int64_t day = -719528; day <= 2932896; day += 1) {
        time_t at = (time_t)(day * 86400 + 45296);
        struct tm civil;
        char expected[64];

        assert_non_null(gmtime_r(&at, &civil));
        (void)snprintf(expected, sizeof(expected), "%04d-%02d-%02dT%02d:%02d:%02d.007Z",
                       civil.tm_year + 1900, civil.tm_mon + 1, civil.tm_mday, civil.tm_hour,
                       civil.tm_min, civil.tm_sec);
        assert_str_equal(rfc3339((int64_t)at * 1000 + 7), str_from(expected));
    }
}

static void rfc3339_with_nanoseconds(void **state)
{
    struct buf buf = new_buf();

    (void)state;
    codec_rfc3339_ns(&buf, 1769903999000000042);
    buf_append_byte(&buf, ' ');
    codec_rfc3339_ns(&buf, -1);
    assert_str_equal(buf_str(&buf),
                     STR("2026-01-31T23:59:59.000000042Z 1969-12-31T23:59:59.999999999Z"));
    buf = new_buf();
    codec_rfc3339_ns(&buf, INT64_MAX);
    assert_int_equal(buf.len, RFC3339_BYTES_MAX);
    buf = new_buf();
    codec_rfc3339_ns(&buf, INT64_MIN);
    assert_str_equal(buf_str(&buf), STR("1677-09-21T00:12:43.145224192Z"));
}

static void rfc3339_in_an_arena(void **state)
{
    struct arena arena = new_arena();

    (void)state;
    assert_str_equal(codec_rfc3339_in(&arena, 0), STR("1970-01-01T00:00:00.000Z"));
    assert_int_equal(arena.used_bytes, 24);
    arena_init(&arena, memory, 23);
    assert_int_equal(codec_rfc3339_in(&arena, 0).len, 0);
    assert_true(arena_overflowed(&arena));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_vectors),
        cmocka_unit_test(base64url_vectors),
        cmocka_unit_test(base64_round_trips),
        cmocka_unit_test(base64url_has_one_text_a_value),
        cmocka_unit_test(base64_refuses),
        cmocka_unit_test(base64url_refuses),
        cmocka_unit_test(exact_checks_the_length_and_writes_nothing_else),
        cmocka_unit_test(decoders_tell_a_full_arena_from_bad_input),
        cmocka_unit_test(hex),
        cmocka_unit_test(uuid_vectors),
        cmocka_unit_test(uuid_in_an_arena),
        cmocka_unit_test(uuid_refuses),
        cmocka_unit_test(rfc3339_vectors),
        cmocka_unit_test(rfc3339_is_clamped_to_the_years_that_it_can_write),
        cmocka_unit_test(rfc3339_agrees_with_the_c_library),
        cmocka_unit_test(rfc3339_with_nanoseconds),
        cmocka_unit_test(rfc3339_in_an_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
