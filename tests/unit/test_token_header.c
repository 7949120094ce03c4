/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7515, RFC 8725: algorithm, key, type, and what a header may not have. */
#include "support/tokens.h"

/* RFC 8725 sections 3.1 and 3.2; RFC 7515 section 4.1.1. */
static void the_algorithm_is_the_keys(void **state)
{
    static const char *const algs[] = {
        "\"none\"",
        "\"None\"",
        "\"NoNe\"",
        "\"NONE\"",
        "\"\"",
        "\"HS256\"",
        "\"HS384\"",
        "\"HS512\"",
        "\"RS256\"",
        "\"PS256\"",
        "\"ES384\"",
        "\"ES512\"",
        "\"EdDSA\"",
        "\"es256\"",
        "\"ES256 \"",
        "\"ES256\\n\"",
        "[\"ES256\"]",
        "[\"none\"]",
        "null",
        "true",
        "256",
        "{}",
        "{\"alg\":\"ES256\"}",
        "\"ES256,none\"",
        "\"\\u0045S256K\"",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];

    (void)state;
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        assert_refused(with_header(text, header_of(header, algs[i], "\"at+jwt\"", quoted_kid())));
    }
    /* the same letters, written in another way, are the same algorithm */
    assert_int_equal(
        check(with_header(text, header_of(header, "\"\\u0045S256\"", "\"at+jwt\"", quoted_kid()))),
        OK);
}

static void a_token_without_signature_is_refused(void **state)
{
    static const char *const algs[] = {"\"none\"", "\"NoNe\"", "\"ES256\"", "\"HS256\""};
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        struct buf token = unsigned_token(
            text, header_of(header, algs[i], "\"at+jwt\"", quoted_kid()), good_payload(payload));

        assert_refused(buf_str(&token));
        buf_append_byte(&token, '.');
        assert_refused(buf_str(&token));
    }
}

/* The secret of an HMAC, and the token that it makes. */
static void assert_hmac_refused(struct str secret)
{
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];
    struct buf token = unsigned_token(
        text, header_of(header, "\"HS256\"", "\"at+jwt\"", quoted_kid()), good_payload(payload));
    struct crypto_digest mac = crypto_hmac_bytes(secret, buf_str(&token));

    buf_append_byte(&token, '.');
    codec_base64url(&token, (struct str){(const char *)mac.bytes, sizeof(mac.bytes)});
    assert_refused(buf_str(&token));
}

struct point {
    struct str x, y;
};

static struct point public_point(void)
{
    static const struct json_field fields[] = {
        JSON_TEXT(struct point, x, 43, 43, JSON_REQUIRED),
        JSON_TEXT(struct point, y, 43, 43, JSON_REQUIRED),
    };
    static char memory[SIGNING_JWK_BYTES_MAX];
    struct buf jwk = buf_over(memory, sizeof(memory));
    struct point point = {0};

    signing_key_public_jwk(key, &jwk);
    assert_int_equal(
        json_in_decode_lenient(auth_fresh_arena(), buf_str(&jwk), fields, 2, &point, NULL), OK);
    return point;
}

/* The public key as what it is published as, and as what libraries write: RFC 8725 section 2.1. */
static void the_public_key_is_no_secret(void **state)
{
    static const unsigned char spki[27] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    struct point point = public_point();
    char memory[SIGNING_JWK_BYTES_MAX];
    struct buf text = buf_over(memory, sizeof(memory));
    char der[sizeof(spki) + 64];
    char base64[256];
    struct buf body = buf_over(base64, sizeof(base64));

    (void)state;
    memcpy(der, spki, sizeof(spki));
    assert_int_equal(codec_base64url_decode_exact(point.x, der + sizeof(spki), 32), OK);
    assert_int_equal(codec_base64url_decode_exact(point.y, der + sizeof(spki) + 32, 32), OK);
    assert_hmac_refused(STR_EMPTY);
    assert_hmac_refused((struct str){der, sizeof(der)});
    assert_hmac_refused((struct str){der + sizeof(spki), 64});
    assert_hmac_refused((struct str){der + sizeof(spki) - 1, 65});
    signing_key_public_jwk(key, &text);
    assert_hmac_refused(buf_str(&text));
    assert_hmac_refused(str_from(signing_key_kid(key)));
    codec_base64(&body, (struct str){der, sizeof(der)});
    text = buf_over(memory, sizeof(memory));
    buf_printf(&text, "-----BEGIN PUBLIC KEY-----\n%.64s\n%.*s\n-----END PUBLIC KEY-----\n", base64,
               (int)body.len - 64, base64 + 64);
    assert_hmac_refused(buf_str(&text));
    assert_hmac_refused(str_sub(buf_str(&text), 0, text.len - 1));
}

static void another_keys_signature_is_refused(void **state)
{
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];
    struct buf token = unsigned_token(text, good_header(header), good_payload(payload));

    (void)state;
    assert_refused(sign_with(&token, foreign_key));
}

/* The key is found by its id alone; what the header says of keys is not looked at. */
static void a_key_that_is_unknown_is_refused(void **state)
{
    static const char *const kids[] = {
        "\"\"",
        "\"x\"",
        "null",
        "1",
        "[]",
        "\"../../../dev/null\"",
        "\"'; DROP TABLE users; --\"",
        "\"/etc/passwd\"",
        "\"http://attacker.example/\"",
        "\"%00\"",
        "\"*\"",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];
    char long_kid[300];
    char quoted[SIGNING_KID_BYTES_MAX + 8];

    (void)state;
    for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", kids[i])));
    }
    memset(long_kid, 'k', sizeof(long_kid));
    long_kid[0] = long_kid[sizeof(long_kid) - 2] = '"';
    long_kid[sizeof(long_kid) - 1] = '\0';
    assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", long_kid)));
    (void)snprintf(quoted, sizeof(quoted), "\"%sx\"", signing_key_kid(key));
    assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", quoted)));
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", signing_key_kid(foreign_key));
    assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", quoted)));
    assert_refused(with_header(text, STR("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}")));
}

/* RFC 8725 section 3.11. */
static void another_type_is_refused(void **state)
{
    static const char *const types[] = {
        "\"JWT\"",
        "\"jwt\"",
        "\"AT+JWT\"",
        "\"at+jwt \"",
        "\"application/at+jwt\"",
        "\"\"",
        "\"dpop+jwt\"",
        "\"token-introspection+jwt\"",
        "null",
        "[\"at+jwt\"]",
        "7",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_refused(with_header(text, header_of(header, "\"ES256\"", types[i], quoted_kid())));
    }
    (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":%s}", quoted_kid());
    assert_refused(with_header(text, str_from(header)));
}

/* RFC 7515 section 4.1.11: none is understood here, so every `crit` is refused, and so is an empty one. */
static void extensions_are_refused(void **state)
{
    static const char *const crits[] = {
        "[\"exp\"]", "[\"b64\"],\"b64\":false",   "[]", "\"exp\"", "\"\"", "null",
        "{}",        "[\"http://example.com/x\"]"};
    char text[TEXT_BYTES_MAX];
    char header[512];

    (void)state;
    for (size_t i = 0; i < sizeof(crits) / sizeof(crits[0]); i++) {
        (void)snprintf(header, sizeof(header),
                       "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s,\"crit\":%s}",
                       quoted_kid(), crits[i]);
        assert_refused(with_header(text, str_from(header)));
    }
}

/* RFC 7515 section 4, RFC 7519 section 4: a member twice is refused, whichever of the two is right. */
static void a_member_twice_is_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"kid\":\"x\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];
    char value[64];

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct buf out = buf_over(header, sizeof(header));
        struct str form = str_from(headers[i]);
        struct str before = str_cut(&form, '%');

        buf_append(&out, before);
        buf_append(&out, str_from(quoted_kid()));
        buf_append(&out, str_sub(form, 1, form.len));
        assert_refused(with_header(text, buf_str(&out)));
    }
    assert_refused(with_claim(text, "sub", "\"a\",\"sub\":\"a\""));
    assert_refused(with_claim(text, "aud", "\"shop\",\"aud\":\"shop\""));
    (void)snprintf(value, sizeof(value), "1,\"exp\":%" PRId64, clock_wall_s() + 300);
    assert_refused(with_claim(text, "exp", value));
    (void)snprintf(value, sizeof(value), "%" PRId64 ",\"exp\":1", clock_wall_s() + 300);
    assert_refused(with_claim(text, "exp", value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_algorithm_is_the_keys),
        cmocka_unit_test(a_token_without_signature_is_refused),
        cmocka_unit_test(the_public_key_is_no_secret),
        cmocka_unit_test(another_keys_signature_is_refused),
        cmocka_unit_test(a_key_that_is_unknown_is_refused),
        cmocka_unit_test(another_type_is_refused),
        cmocka_unit_test(extensions_are_refused),
        cmocka_unit_test(a_member_twice_is_refused),
    };

    return cmocka_run_group_tests_name("token_header", tests, tokens_start, tokens_stop);
}
