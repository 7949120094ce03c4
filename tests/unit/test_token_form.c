/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7515: the compact form, its size, and the signature of RFC 7518 section 3.4. */
#include "support/tokens.h"

enum { SIGNATURE_BYTES = 64 };

/* RFC 8725bis: compact serialisation, of the alphabet of base64url and two dots, and nothing else. */
static void every_other_form_is_refused(void **state)
{
    char changed[TEXT_BYTES_MAX + 16];
    struct str token = issue();
    static const char *const around[][2] = {
        {"", "."},  {"", ".x"},   {"", "=="},      {"", "="},  {"", " "},
        {"", "\n"}, {" ", ""},    {".", ""},       {"\t", ""}, {"=", ""},
        {"", "A"},  {"", "AA"},   {"", "AAAA"},    {"", "%"},  {"", "\xff"},
        {"x", ""},  {"xxxx", ""}, {"Bearer ", ""}, {"", ","},  {"", ".."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        struct buf out = buf_over(changed, sizeof(changed));

        buf_append(&out, str_from(around[i][0]));
        buf_append(&out, token);
        buf_append(&out, str_from(around[i][1]));
        assert_refused(buf_str(&out));
    }
    assert_refused(STR(""));
    assert_refused(STR("."));
    assert_refused(STR(".."));
    assert_refused(STR("..."));
    assert_refused(STR("a.b.c"));
    assert_refused(STR("a.b.c.d.e"));
    assert_refused(STR("{\"payload\":\"\",\"signatures\":[]}"));
    assert_refused(STR("rt1.k1.01890a5d-ac96-774b-bcce-b302099a8057.0.x.y"));
}

static void no_part_may_be_missing(void **state)
{
    char changed[TEXT_BYTES_MAX];
    struct str token = issue();

    (void)state;
    for (unsigned missing = 1; missing < 8; missing++) {
        struct buf out = buf_over(changed, sizeof(changed));
        struct str rest = token;

        for (unsigned i = 0; i < 3; i++) {
            struct str cut = str_cut(&rest, '.');

            buf_append(&out, (missing >> i & 1) != 0 ? STR_EMPTY : cut);
            buf_append(&out, i < 2 ? STR(".") : STR_EMPTY);
        }
        assert_refused(buf_str(&out));
    }
}

static void every_truncation_is_refused(void **state)
{
    struct str token = issue();

    (void)state;
    for (size_t len = 0; len < token.len; len++) {
        assert_refused(str_sub(token, 0, len));
        assert_refused(str_sub(token, len + 1, token.len));
    }
}

/* 0 accepted, of each bit of a token that is taken. */
static void every_flipped_bit_is_refused(void **state)
{
    char changed[TOKEN_BYTES_MAX];
    struct str token = issue();

    (void)state;
    memcpy(changed, token.ptr, token.len);
    assert_int_equal(check((struct str){changed, token.len}), OK);
    for (size_t i = 0; i < token.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            changed[i] = (char)(changed[i] ^ (1 << bit));
            assert_refused((struct str){changed, token.len});
            changed[i] = (char)(changed[i] ^ (1 << bit));
        }
    }
    assert_int_equal(check((struct str){changed, token.len}), OK);
}

/* Appends a signature of `bytes` and says what becomes of the token. */
static void assert_signature_refused(struct str signature)
{
    char text[TEXT_BYTES_MAX * 8];
    char header[512];
    char payload[4096];
    struct buf token = unsigned_token(text, good_header(header), good_payload(payload));

    token.cap = sizeof(text);
    buf_append_byte(&token, '.');
    codec_base64url(&token, signature);
    assert_false(token.overflowed);
    assert_refused(buf_str(&token));
}

/* The DER form of r and s (SEQUENCE of two INTEGERs). */
static size_t to_der(const unsigned char *raw, unsigned char *out)
{
    size_t len = 2;

    for (unsigned half = 0; half < 2; half++) {
        const unsigned char *number = raw + (size_t)half * 32;
        size_t skip = 0;
        bool pad;

        while (skip < 31 && number[skip] == 0) {
            skip++;
        }
        pad = number[skip] >= 0x80;
        out[len++] = 0x02;
        out[len++] = (unsigned char)(32 - skip + (pad ? 1 : 0));
        if (pad) {
            out[len++] = 0;
        }
        memcpy(out + len, number + skip, 32 - skip);
        len += 32 - skip;
    }
    out[0] = 0x30;
    out[1] = (unsigned char)(len - 2);
    return len;
}

/* RFC 7518 section 3.4: r and s, 64 bytes; each of both in 1 … n-1. */
static void a_signature_is_r_and_s(void **state)
{
    static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                            0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];
    unsigned char raw[SIGNATURE_BYTES + 2] = {0};
    unsigned char der[80];
    static char huge[TEXT_BYTES_MAX * 2];
    struct buf token = unsigned_token(text, good_header(header), good_payload(payload));
    struct buf signature = buf_over(raw, SIGNATURE_BYTES);

    (void)state;
    assert_int_equal(signing_sign(key, buf_str(&token), &signature), OK);
    assert_int_equal(signature.len, SIGNATURE_BYTES);
    assert_signature_refused((struct str){(const char *)der, to_der(raw, der)});
    for (size_t bytes = 0; bytes < 130; bytes++) {
        assert_signature_refused((struct str){huge, bytes}); /* zeros: CVE-2022-21449 */
    }
    assert_signature_refused((struct str){(const char *)raw, SIGNATURE_BYTES - 1});
    assert_signature_refused((struct str){(const char *)raw + 1, SIGNATURE_BYTES - 1});
    assert_signature_refused((struct str){(const char *)raw, SIGNATURE_BYTES + 1});
    assert_signature_refused((struct str){huge, sizeof(huge)});
    memcpy(huge, order, 32);
    memcpy(huge + 32, order, 32);
    assert_signature_refused((struct str){huge, SIGNATURE_BYTES}); /* r = s = n */
    memcpy(huge, raw, SIGNATURE_BYTES);
    memset(huge + 32, 0, 32);
    assert_signature_refused((struct str){huge, SIGNATURE_BYTES}); /* s = 0 */
    memset(huge, 0xff, SIGNATURE_BYTES);
    assert_signature_refused((struct str){huge, SIGNATURE_BYTES});
    memset(huge, 0, sizeof(huge));
}

/* The parts of two good tokens make no third one. */
static void parts_of_different_tokens_do_not_fit(void **state)
{
    char first[TOKEN_BYTES_MAX];
    char changed[TEXT_BYTES_MAX];
    struct str one = issue();
    struct str two;

    (void)state;
    memcpy(first, one.ptr, one.len);
    one.ptr = first;
    two = issue();
    for (unsigned mix = 1; mix < 7; mix++) {
        struct buf out = buf_over(changed, sizeof(changed));
        struct str rest[2] = {one, two};

        for (unsigned i = 0; i < 3; i++) {
            struct str cut[2] = {str_cut(&rest[0], '.'), str_cut(&rest[1], '.')};

            buf_append(&out, cut[mix >> i & 1]);
            buf_append(&out, i < 2 ? STR(".") : STR_EMPTY);
        }
        if (mix != 1 && mix != 6) { /* the headers are alike: those two are the tokens themselves */
            assert_refused(buf_str(&out));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_other_form_is_refused),
        cmocka_unit_test(no_part_may_be_missing),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_signature_is_r_and_s),
        cmocka_unit_test(parts_of_different_tokens_do_not_fit),
    };

    return cmocka_run_group_tests_name("token_form", tests, tokens_start, tokens_stop);
}
