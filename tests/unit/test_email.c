/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "email.h"

static unsigned char memory[65536];

static enum error parse(struct str text, struct email *out)
{
    static struct arena arena;
    const char *why = NULL;
    enum error error;

    arena_init(&arena, memory, sizeof(memory));
    error = email_parse(&arena, text, out, &why);
    assert_true(error == OK || error == ERR_INVALID);
    if (error != OK) {
        assert_non_null(why);
        assert_true(strlen(why) > 0);
    }
    return error;
}

/* The canonical form; a copy, since the next parse takes the memory. */
static struct str canonical(struct str text, char *copy)
{
    struct email email;

    if (parse(text, &email) != OK) {
        fail_msg("refused: %.*s", STR_ARG(text));
    }
    assert_true(email.canonical.len <= EMAIL_CANONICAL_BYTES_MAX);
    memcpy(copy, email.canonical.ptr, email.canonical.len);
    return (struct str){copy, email.canonical.len};
}

static void assert_stable(struct str text)
{
    char first[EMAIL_CANONICAL_BYTES_MAX];
    char second[EMAIL_CANONICAL_BYTES_MAX];
    struct str once = canonical(text, first);

    assert_str_equal(canonical(once, second), once);
}

/* Each row is one owner: all its texts have the first one as their canonical form. */
static const char *const same[][6] = {
    {"ada@example.com", "ADA@EXAMPLE.COM", "Ada@Example.Com"},
    {"a@xn--mnchen-3ya.de", "a@m\xc3\xbcnchen.de", "A@M\xc3\x9cNCHEN.DE", "a@mu\xcc\x88nchen.de",
     "a@XN--MNCHEN-3YA.de"},
    {"a@xn--fa-hia.de", "a@fa\xc3\x9f.de"}, /* IDNA 2008: no ss */
    {"a@example.com",
     "a@example\xe3\x80\x82"
     "com",
     "a@\xef\xbd\x85xample.com"},
    {"a@xn--wgv71a119e.jp", "a@\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e.jp"},
    {"a.b+c@sub.example.co.uk", "A.B+C@Sub.Example.Co.Uk"},
    {"!#$%&'*+-/=?^_`{|}~@example.com"},
    {"a@1.example.com"},
    {"a@example.c0m"},
    {"a@a--b.example.com"},
};

static void one_owner_has_one_canonical_form(void **state)
{
    char copy[EMAIL_CANONICAL_BYTES_MAX];

    (void)state;
    for (size_t row = 0; row < sizeof(same) / sizeof(same[0]); row++) {
        for (size_t i = 0; i < 6 && same[row][i] != NULL; i++) {
            assert_str_equal(canonical(str_from(same[row][i]), copy), str_from(same[row][0]));
            assert_stable(str_from(same[row][i]));
        }
    }
}

static void owners_stay_apart(void **state)
{
    static const char *const pairs[][2] = {
        {"a.b@example.com", "ab@example.com"},
        {"a+b@example.com", "a@example.com"},
        {"a@fa\xc3\x9f.de", "a@fass.de"},
        {"a@example.com", "a@example.org"},
        {"a@example.com", "a@www.example.com"},
        {"a@m\xc3\xbcnchen.de", "a@muenchen.de"},
        {"a@m\xc3\xbcnchen.de", "a@munchen.de"},
        {"a@\xd0\xb5xample.com", "a@example.com"}, /* Cyrillic ie */
    };
    char first[EMAIL_CANONICAL_BYTES_MAX];
    char second[EMAIL_CANONICAL_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        struct str one = canonical(str_from(pairs[i][0]), first);

        if (str_equal(one, canonical(str_from(pairs[i][1]), second))) {
            fail_msg("%s and %s are one owner", pairs[i][0], pairs[i][1]);
        }
    }
}

static void it_is_kept_as_it_was_written(void **state)
{
    struct email email;

    (void)state;
    assert_int_equal(parse(STR("Ada.Lovelace@M\xc3\xbcnchen.DE"), &email), OK);
    assert_str_equal(email.written, STR("Ada.Lovelace@M\xc3\xbcnchen.DE"));
}

static void what_is_no_address_is_refused(void **state)
{
    static const struct str bad[] = {
        STR(""),
        STR("@"),
        STR("a"),
        STR("a@"),
        STR("@example.com"),
        STR("example.com"),
        STR("a@b@example.com"),
        STR("a@@example.com"),
        STR(".a@example.com"),
        STR("a.@example.com"),
        STR("a..b@example.com"),
        STR("a b@example.com"),
        STR(" a@example.com"),
        STR("a@example.com "),
        STR("a@ example.com"),
        STR("a\t@example.com"),
        STR("a@example.com\r\nBcc: x@example.org"),
        STR("a\r\nBcc: x@example.org"),
        STR("a\0b@example.com"),
        STR("a@example.com\0.example.org"),
        STR("a@exam\0ple.com"),
        STR("a\x7f@example.com"),
        STR("a@exam\x7fple.com"),
        STR("a@exam\x01ple.com"),
        STR("\"a b\"@example.com"),
        STR("\"a\"@example.com"),
        STR("a(comment)@example.com"),
        STR("Ada <ada@example.com>"),
        STR("<ada@example.com>"),
        STR("a,b@example.com"),
        STR("a;b@example.com"),
        STR("a:b@example.com"),
        STR("a\\b@example.com"),
        STR("a[b]@example.com"),
        STR("mailto:a@example.com"),
        STR("a@localhost"),
        STR("a@com"),
        STR("a@.example.com"),
        STR("a@example..com"),
        STR("a@example.com."),
        STR("a@example.com\xe3\x80\x82"), /* an ideographic full stop is a dot, too */
        STR("a@-example.com"),
        STR("a@example-.com"),
        STR("a@example.com-"),
        STR("a@exa_mple.com"),
        STR("a@exam!ple.com"),
        STR("a@exam/ple.com"),
        STR("a@example.com:25"),
        STR("a@127.0.0.1"),
        STR("a@[127.0.0.1]"),
        STR("a@[IPv6:::1]"),
        STR("a@example.123"),
        STR("a@example.com/.."),
        STR("a@\xef\xbc\xa0"
            "b.com"),                /* a full-width @ */
        STR("\xc3\xbc@example.com"), /* a local part beyond ASCII */
        STR("\xe2\x84\xaa@example.com"),
        STR("a@\xff\xfe.com"),
        STR("a@ex\xc3mple.com"),
        STR("a@\xed\xa0\x80.com"),
        STR("a@xn--.com"),
        STR("a@xn--a\x80.com"),
        STR("a@\xe2\x80\xae"
            "example.com"), /* right-to-left override */
        STR("a@ex\xe2\x80\x8b"
            ".\xe2\x80\x8b.com"),
    };
    struct email email = {.written = STR("untouched"), .canonical = STR("untouched")};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i], &email) == OK) {
            fail_msg("row %zu is taken: %.*s as %.*s", i, STR_ARG(bad[i]),
                     STR_ARG(email.canonical));
        }
        assert_str_equal(email.written, STR("untouched"));
        assert_str_equal(email.canonical, STR("untouched"));
    }
}

/* A local part of `local` letters, '@', and labels of 63 letters and less that fill `domain`. */
static struct str of_length(char *text, size_t local, size_t domain)
{
    memset(text, 'a', local + 1 + domain);
    text[local] = '@';
    for (size_t i = 63; i + 1 < domain; i += 64) {
        text[local + 1 + i] = '.';
    }
    return (struct str){text, local + 1 + domain};
}

static void lengths_have_limits(void **state)
{
    char text[512];
    struct email email;

    (void)state;
    assert_int_equal(parse(of_length(text, 64, 189), &email), OK);
    assert_int_equal(email.canonical.len, 254);
    assert_int_equal(parse(of_length(text, 64, 190), &email), ERR_INVALID);
    assert_int_equal(parse(of_length(text, 1, 252), &email), OK);
    assert_int_equal(parse(of_length(text, 1, 253), &email), ERR_INVALID);
    assert_int_equal(parse(of_length(text, 65, 10), &email), ERR_INVALID);
    assert_int_equal(parse(of_length(text, 64, 400), &email), ERR_INVALID);
    memset(text, 'a', 70); /* a label of 64 */
    text[1] = '@';
    text[66] = '.';
    assert_int_equal(parse((struct str){text, 70}, &email), ERR_INVALID);
    text[65] = '.';
    assert_int_equal(parse((struct str){text, 70}, &email), ERR_INVALID); /* two dots */
    text[66] = 'a';
    assert_int_equal(parse((struct str){text, 70}, &email), OK);
}

/* Its canonical form may be longer than what was written: the limit is of the canonical one. */
static void the_limit_is_of_the_canonical_form(void **state)
{
    char text[320] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@";
    struct str label = STR("\xe6\x97\xa5\xe6\x9c\xac.");
    size_t len = strlen(text);
    size_t codepoints = len;
    struct email email;

    (void)state;
    while (codepoints < 150) {
        memcpy(text + len, label.ptr, label.len);
        len += label.len;
        codepoints += 3;
    }
    memcpy(text + len, "jp", 2);
    assert_int_equal(parse((struct str){text, len + 2}, &email), ERR_INVALID);
}

static size_t append_utf8(char *out, uint32_t point)
{
    if (point < 0x80) {
        out[0] = (char)point;
        return 1;
    }
    if (point < 0x800) {
        out[0] = (char)(0xc0 | point >> 6);
        out[1] = (char)(0x80 | (point & 0x3f));
        return 2;
    }
    if (point < 0x10000) {
        out[0] = (char)(0xe0 | point >> 12);
        out[1] = (char)(0x80 | (point >> 6 & 0x3f));
        out[2] = (char)(0x80 | (point & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | point >> 18);
    out[1] = (char)(0x80 | (point >> 12 & 0x3f));
    out[2] = (char)(0x80 | (point >> 6 & 0x3f));
    out[3] = (char)(0x80 | (point & 0x3f));
    return 4;
}

/* Any code point, surrogates excepted. */
static uint32_t random_point(uint64_t *seed)
{
    static const uint32_t blocks[][2] = {{0x20, 0x7f},     {0x80, 0x2af},    {0x300, 0x36f},
                                         {0x370, 0x52f},   {0x590, 0x6ff},   {0x1e00, 0x1fff},
                                         {0x2000, 0x215f}, {0x3000, 0x30ff}, {0x4e00, 0x9fff},
                                         {0xac00, 0xd7a3}, {0xff00, 0xffef}, {0x10400, 0x1044f}};
    const uint32_t *block = blocks[unit_random(seed) % (sizeof(blocks) / sizeof(blocks[0]))];

    return block[0] + (uint32_t)(unit_random(seed) % (block[1] - block[0] + 1));
}

/* canon(canon(x)) == canon(x), for every address that is taken. */
static void a_canonical_form_is_its_own(void **state)
{
    uint64_t seed = 20260131;
    unsigned taken = 0;

    (void)state;
    for (unsigned round = 0; round < 30000; round++) {
        char text[128] = "Ada@";
        size_t len = 4;
        struct email email;
        size_t points = 1 + unit_random(&seed) % 4;

        for (size_t i = 0; i < points; i++) {
            len += append_utf8(text + len, random_point(&seed));
        }
        memcpy(text + len, ".ExAmple", 8);
        len += 8;
        if (parse((struct str){text, len}, &email) == OK) {
            assert_stable((struct str){text, len});
            taken++;
        }
    }
    assert_true(taken > 1000);
}

static void a_full_arena_takes_nothing(void **state)
{
    unsigned char small[64];
    struct arena arena;
    struct email email = {.canonical = STR("untouched")};
    const char *why = "";

    (void)state;
    arena_init(&arena, small, sizeof(small));
    assert_int_equal(email_parse(&arena, STR("ada@example.com"), &email, &why), ERR_NO_SPACE);
    assert_str_equal(email.canonical, STR("untouched"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_owner_has_one_canonical_form),
        cmocka_unit_test(owners_stay_apart),
        cmocka_unit_test(it_is_kept_as_it_was_written),
        cmocka_unit_test(what_is_no_address_is_refused),
        cmocka_unit_test(lengths_have_limits),
        cmocka_unit_test(the_limit_is_of_the_canonical_form),
        cmocka_unit_test(a_canonical_form_is_its_own),
        cmocka_unit_test(a_full_arena_takes_nothing),
    };

    return cmocka_run_group_tests_name("email", tests, NULL, NULL);
}
