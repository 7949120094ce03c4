/* SPDX-License-Identifier: Apache-2.0 */
#include "support/auth.h"

#include <stdio.h>

#include "crypto_seal.h"
#include "totp.h"

static const struct uuid user = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
static const struct uuid other = {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17}};

/* RFC 6238 appendix B: the ASCII text "12345678901234567890". */
static struct totp_secret vector_secret(void)
{
    struct totp_secret secret;

    memcpy(secret.bytes, "12345678901234567890", sizeof(secret.bytes));
    return secret;
}

/* The last six of the eight digits that the RFC prints. */
static void codes_are_those_of_rfc_6238(void **state)
{
    static const struct {
        int64_t time_s;
        uint32_t code;
    } vectors[] = {
        {59, 287082},       {1111111109, 81804},  {1111111111, 50471},
        {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130},
    };
    const struct totp_secret secret = vector_secret();

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        assert_int_equal(totp_code(&secret, vectors[i].time_s / TOTP_STEP_S), vectors[i].code);
    }
}

static enum error check_at(int64_t now_s, const char *code, int64_t last_step, int64_t *step)
{
    const struct totp_moment moment = {now_s, last_step};
    const struct totp_secret secret = vector_secret();

    return totp_check(&secret, str_from(code), &moment, step);
}

/* 081804 is of the step from 1111111080 to 1111111109. */
static void a_code_counts_one_step_around(void **state)
{
    static const int64_t good[] = {1111111050, 1111111079, 1111111080, 1111111109, 1111111139};
    static const int64_t bad[] = {1111111049, 1111111140, 0, 59};
    int64_t step = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(check_at(good[i], "081804", 0, &step), OK);
        assert_int_equal(step, 1111111080 / TOTP_STEP_S);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(check_at(bad[i], "081804", 0, &step), ERR_INVALID_CODE);
    }
}

static void a_step_that_was_used_counts_no_more(void **state)
{
    const int64_t own = 1111111080 / TOTP_STEP_S;
    int64_t step = 0;

    (void)state;
    assert_int_equal(check_at(1111111109, "081804", own - 1, &step), OK);
    assert_int_equal(check_at(1111111109, "081804", own, &step), ERR_INVALID_CODE);
    assert_int_equal(check_at(1111111109, "081804", own + 1, &step), ERR_INVALID_CODE);
    assert_int_equal(check_at(1111111109, "050471", own, &step), OK); /* the next one */
    assert_int_equal(step, own + 1);
}

static void only_six_digits_are_a_code(void **state)
{
    static const char *const bad[] = {"",       "81804",   "0818040", "08180a", " 81804",
                                      "-81804", "+081804", "08180\n", "081805", "０81804"};
    int64_t step = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(check_at(1111111109, bad[i], 0, &step), ERR_INVALID_CODE);
    }
    assert_int_equal(step, 0);
}

/* RFC 4648 section 10, without the padding. */
static void base32_is_that_of_rfc_4648(void **state)
{
    static const char *const vectors[][2] = {
        {"", ""},
        {"f", "MY"},
        {"fo", "MZXQ"},
        {"foo", "MZXW6"},
        {"foob", "MZXW6YQ"},
        {"fooba", "MZXW6YTB"},
        {"foobar", "MZXW6YTBOI"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        char text[32];
        struct buf out = buf_over(text, sizeof(text));

        codec_base32(&out, str_from(vectors[i][0]));
        assert_str_equal(buf_str(&out), str_from(vectors[i][1]));
    }
}

static void the_uri_says_all(void **state)
{
    const struct totp_secret secret = vector_secret();
    struct arena *arena = auth_fresh_arena();

    (void)state;
    assert_str_equal(totp_secret_text(arena, &secret), STR("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
    assert_str_equal(
        totp_uri(arena, &secret, STR("user.example.com"), STR("a+b?&%c\xc3\xa9@x.org")),
        STR("otpauth://totp/user.example.com:a%2Bb%3F%26%25c%C3%A9%40x.org"
            "?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=user.example.com"
            "&algorithm=SHA1&digits=6&period=30"));
}

static struct keyring *ring(const char *current)
{
    char json[512];

    (void)snprintf(json, sizeof(json), "{\"current\":\"%s\",\"keys\":{" AUTH_K1 "," AUTH_K2 "}}",
                   current);
    return auth_keyring(json);
}

static void a_sealed_secret_opens_for_its_user(void **state)
{
    struct totp_secret secret;
    struct totp_secret opened;
    struct mfa_secret first;
    struct mfa_secret second;
    struct keyring *keys = ring("k1");

    (void)state;
    totp_secret_new(&secret);
    assert_int_equal(totp_seal(keys, auth_fresh_arena(), user, &secret, &first), OK);
    assert_int_equal(totp_seal(keys, &auth_arena, user, &secret, &second), OK);
    assert_str_equal(first.kid, STR("k1"));
    assert_false(str_equal(first.nonce, second.nonce));
    assert_false(str_equal(first.sealed, second.sealed));
    assert_null(memmem(first.sealed.ptr, first.sealed.len, secret.bytes, 8));
    assert_int_equal(totp_open(keys, user, &first, &opened), OK);
    assert_memory_equal(opened.bytes, secret.bytes, sizeof(secret.bytes));
    assert_int_equal(totp_open(keys, other, &first, &opened), ERR_INTERNAL);
    first.kid = STR("k2");
    assert_int_equal(totp_open(keys, user, &first, &opened), ERR_INTERNAL);
    first.kid = STR("k3");
    assert_int_equal(totp_open(keys, user, &first, &opened), ERR_INTERNAL);
    keyring_free(keys);
}

/* Every bit of nonce, ciphertext and tag, and every length. */
static void nothing_altered_opens(void **state)
{
    struct keyring *keys = ring("k2");
    struct totp_secret secret;
    struct totp_secret opened;
    struct mfa_secret sealed;
    struct str *const parts[] = {&sealed.nonce, &sealed.sealed};

    (void)state;
    totp_secret_new(&secret);
    assert_int_equal(totp_seal(keys, auth_fresh_arena(), user, &secret, &sealed), OK);
    assert_int_equal(sealed.sealed.len, TOTP_SECRET_BYTES + CRYPTO_SEAL_TAG_BYTES);
    for (size_t part = 0; part < 2; part++) {
        const struct str whole = *parts[part];

        for (size_t bit = 0; bit < whole.len * 8; bit++) {
            char altered[64];

            memcpy(altered, whole.ptr, whole.len);
            altered[bit / 8] = (char)(altered[bit / 8] ^ (1 << bit % 8));
            *parts[part] = (struct str){altered, whole.len};
            assert_int_equal(totp_open(keys, user, &sealed, &opened), ERR_INTERNAL);
        }
        for (size_t len = 0; len < whole.len; len++) {
            *parts[part] = (struct str){whole.ptr, len};
            assert_int_equal(totp_open(keys, user, &sealed, &opened), ERR_INTERNAL);
        }
        *parts[part] = whole;
    }
    assert_int_equal(totp_open(keys, user, &sealed, &opened), OK);
    keyring_free(keys);
}

/* NIST's GCM test case 16 (AES-256, 20 bytes of AAD), from the paper of McGrew and Viega. */
static void sealing_is_aes_256_gcm(void **state)
{
    static const uint8_t text[60] = {
        0xd9, 0x31, 0x32, 0x25, 0xf8, 0x84, 0x06, 0xe5, 0xa5, 0x59, 0x09, 0xc5, 0xaf, 0xf5, 0x26,
        0x9a, 0x86, 0xa7, 0xa9, 0x53, 0x15, 0x34, 0xf7, 0xda, 0x2e, 0x4c, 0x30, 0x3d, 0x8a, 0x31,
        0x8a, 0x72, 0x1c, 0x3c, 0x0c, 0x95, 0x95, 0x68, 0x09, 0x53, 0x2f, 0xcf, 0x0e, 0x24, 0x49,
        0xa6, 0xb5, 0x25, 0xb1, 0x6a, 0xed, 0xf5, 0xaa, 0x0d, 0xe6, 0x57, 0xba, 0x63, 0x7b, 0x39};
    static const uint8_t tag[16] = {0x76, 0xfc, 0x6e, 0xce, 0x0f, 0x4e, 0x17, 0x68,
                                    0xcd, 0xdf, 0x88, 0x53, 0xbb, 0x2d, 0x55, 0x1b};
    static const struct crypto_key key = {{0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                           0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08,
                                           0xfe, 0xff, 0xe9, 0x92, 0x86, 0x65, 0x73, 0x1c,
                                           0x6d, 0x6a, 0x8f, 0x94, 0x67, 0x30, 0x83, 0x08}};
    static const uint8_t bound[20] = {0xfe, 0xed, 0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xfe, 0xed,
                                      0xfa, 0xce, 0xde, 0xad, 0xbe, 0xef, 0xab, 0xad, 0xda, 0xd2};
    const struct crypto_seal seal = {
        .key = &key,
        .nonce = {{0xca, 0xfe, 0xba, 0xbe, 0xfa, 0xce, 0xdb, 0xad, 0xde, 0xca, 0xf8, 0x88}},
        .bound = {(const char *)bound, sizeof(bound)},
    };
    uint8_t out[sizeof(text) + CRYPTO_SEAL_TAG_BYTES];

    (void)state;
    crypto_seal_close(&seal, (struct str){(const char *)text, sizeof(text)}, out);
    assert_int_equal(out[0], 0x52);
    assert_int_equal(out[1], 0x2d);
    assert_memory_equal(out + sizeof(text), tag, sizeof(tag));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_rfc_6238),
        cmocka_unit_test(a_code_counts_one_step_around),
        cmocka_unit_test(a_step_that_was_used_counts_no_more),
        cmocka_unit_test(only_six_digits_are_a_code),
        cmocka_unit_test(base32_is_that_of_rfc_4648),
        cmocka_unit_test(the_uri_says_all),
        cmocka_unit_test(a_sealed_secret_opens_for_its_user),
        cmocka_unit_test(nothing_altered_opens),
        cmocka_unit_test(sealing_is_aes_256_gcm),
    };

    crypto_start();
    json_in_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
