/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "json_in.h"
#include "signing.h"
#include "signing_jwk.h"
#include "support/rsa_keys.h"

static char text_memory[8192];

/* RFC 7515 appendix A.3 */
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define EC_POINT "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""
#define EC_KEY "{" EC_POINT ",\"d\":\"" EC_D "\"}"

static const char es256_input[] = "eyJhbGciOiJFUzI1NiJ9."
                                  "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                                  "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
static const char es256_signature[] =
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

static struct signing_key *load(struct str jwk)
{
    struct signing_key *key = NULL;
    const char *why = "";

    if (signing_key_load(jwk, &key, &why) != OK) {
        fail_msg("%s", why);
    }
    return key;
}

static void key_free(struct signing_key **key)
{
    signing_key_free(*key);
}

#define KEY __attribute__((cleanup(key_free))) struct signing_key

static struct str decoded(const char *base64url, unsigned char *memory, size_t bytes)
{
    assert_int_equal(codec_base64url_decode_exact(str_from(base64url), memory, bytes), OK);
    return (struct str){(const char *)memory, bytes};
}

struct rsa_parts {
    const char *n, *d, *p, *q, *dp, *dq, *qi;
};

static const struct rsa_parts rsa = {rsa_n, rsa_d, rsa_p, rsa_q, rsa_dp, rsa_dq, rsa_qi};

static struct str rsa_jwk(struct buf *out, const struct rsa_parts *parts, const char *e)
{
    *out = buf_over(text_memory, sizeof text_memory);
    buf_printf(out,
               "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\",\"d\":\"%s\",\"p\":\"%s\",\"q\":\"%s\","
               "\"dp\":\"%s\",\"dq\":\"%s\",\"qi\":\"%s\"}",
               parts->n, e, parts->d, parts->p, parts->q, parts->dp, parts->dq, parts->qi);
    assert_false(out->overflowed);
    return buf_str(out);
}

static void es256_of_rfc_7515_verifies(void **state)
{
    KEY *key = load(STR(EC_KEY));
    unsigned char memory[64];
    struct str signature = decoded(es256_signature, memory, sizeof memory);

    (void)state;
    assert_string_equal(signing_key_alg(key), "ES256");
    assert_int_equal(signing_verify(key, str_from(es256_input), signature), OK);
    assert_int_equal(signing_verify(key, STR("other data"), signature), ERR_INVALID);
}

static void every_bit_of_a_signature_counts(void **state)
{
    KEY *key = load(STR(EC_KEY));
    unsigned char memory[64];
    struct str signature = decoded(es256_signature, memory, sizeof memory);

    (void)state;
    for (size_t i = 0; i < 8 * sizeof memory; i++) {
        memory[i / 8] ^= (unsigned char)(1U << i % 8);
        assert_int_equal(signing_verify(key, str_from(es256_input), signature), ERR_INVALID);
        memory[i / 8] ^= (unsigned char)(1U << i % 8);
    }
    assert_int_equal(signing_verify(key, str_from(es256_input), signature), OK);
}

/* The group's order, FIPS 186-4 appendix D.1.2.3. */
static const unsigned char p256_order[32] = {
    0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
};

/* r and s must be between 1 and the order less one: zeros have been a master key (CVE-2022-21449). */
static void signature_out_of_range_is_refused(void **state)
{
    KEY *key = load(STR(EC_KEY));
    static const unsigned char zero[32];
    unsigned char ones[32];
    unsigned char genuine[64];
    const unsigned char *halves[] = {zero, ones, p256_order, genuine, genuine + 32};

    (void)state;
    (void)decoded(es256_signature, genuine, sizeof genuine);
    memset(ones, 0xff, sizeof ones);
    for (size_t i = 0; i < 25; i++) {
        unsigned char memory[64];

        memcpy(memory, halves[i / 5], 32);
        memcpy(memory + 32, halves[i % 5], 32);
        assert_int_equal(signing_verify(key, str_from(es256_input),
                                        (struct str){(const char *)memory, sizeof memory}),
                         i / 5 == 3 && i % 5 == 4 ? OK : ERR_INVALID);
    }
}

/* RFC 7518 section 3.4: 64 octets. Longer ones have overrun a buffer elsewhere; DER is no JWS. */
static void signature_of_another_length_is_refused(void **state)
{
    KEY *key = load(STR(EC_KEY));
    char *memory = calloc(1, 22000);
    unsigned char raw[64];
    struct str signature = decoded(es256_signature, raw, sizeof raw);

    (void)state;
    assert_non_null(memory);
    memcpy(memory, signature.ptr, signature.len);
    for (size_t bytes = 0; bytes < 200; bytes++) {
        assert_int_equal(signing_verify(key, str_from(es256_input), (struct str){memory, bytes}),
                         bytes == 64 ? OK : ERR_INVALID);
    }
    assert_int_equal(signing_verify(key, str_from(es256_input), (struct str){memory, 22000}),
                     ERR_INVALID);
    assert_int_equal(signing_verify(key, str_from(es256_input), (struct str){NULL, 0}),
                     ERR_INVALID);
    free(memory);
}

/* Small r and s come up once in 256 signatures: each must keep its leading zeros. */
static void made_signatures_verify(void **state)
{
    KEY *key = signing_key_generate();
    KEY *other = signing_key_generate();
    unsigned short_halves = 0;

    (void)state;
    for (int i = 0; i < 600; i++) {
        char memory[SIGNING_SIGNATURE_BYTES_MAX];
        struct buf out = buf_over(memory, sizeof memory);
        struct str data = {(const char *)&i, sizeof i};

        assert_int_equal(signing_sign(key, data, &out), OK);
        assert_int_equal(out.len, 64);
        assert_int_equal(signing_verify(key, data, buf_str(&out)), OK);
        assert_int_equal(signing_verify(other, data, buf_str(&out)), ERR_INVALID);
        short_halves += memory[0] == 0 || memory[32] == 0;
    }
    assert_true(short_halves > 0); /* missed once in a hundred: 0.9922^600 */
}

static void signature_needs_its_space(void **state)
{
    KEY *key = signing_key_generate();
    char memory[63];
    struct buf out = buf_over(memory, sizeof memory);

    (void)state;
    assert_int_equal(signing_sign(key, STR("data"), &out), ERR_NO_SPACE);
}

/* RSASSA-PKCS1-v1_5 has one signature for one message: OpenSSL's command line made the same. */
static void rs256_known_answer(void **state)
{
    struct buf jwk;
    KEY *key = load(rsa_jwk(&jwk, &rsa, "AQAB"));
    unsigned char expected[384];
    char memory[SIGNING_SIGNATURE_BYTES_MAX];
    struct buf out = buf_over(memory, sizeof memory);
    struct str signature = decoded(rsa_signature, expected, sizeof expected);

    (void)state;
    assert_string_equal(signing_key_alg(key), "RS256");
    assert_int_equal(signing_sign(key, STR("payload"), &out), OK);
    assert_str_equal(buf_str(&out), signature);
    assert_int_equal(signing_verify(key, STR("payload"), signature), OK);
    assert_int_equal(signing_verify(key, STR("Payload"), signature), ERR_INVALID);
    signature.len--;
    assert_int_equal(signing_verify(key, STR("payload"), signature), ERR_INVALID);
    expected[200] ^= 1;
    signature.len++;
    assert_int_equal(signing_verify(key, STR("payload"), signature), ERR_INVALID);
}

static void algorithms_do_not_mix(void **state)
{
    struct buf jwk;
    KEY *ec = load(STR(EC_KEY));
    KEY *rs = load(rsa_jwk(&jwk, &rsa, "AQAB"));
    unsigned char of_rsa[384];
    unsigned char of_ec[64];

    (void)state;
    assert_int_equal(
        signing_verify(ec, STR("payload"), decoded(rsa_signature, of_rsa, sizeof of_rsa)),
        ERR_INVALID);
    assert_int_equal(
        signing_verify(rs, str_from(es256_input), decoded(es256_signature, of_ec, sizeof of_ec)),
        ERR_INVALID);
}

/* A public key that signing_key_load would refuse, for the RFCs' examples. */
static EVP_PKEY *public_key(const char *type, const OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM copy[4];

    memcpy(copy, params, sizeof copy);
    assert_int_equal(EVP_PKEY_fromdata_init(context), 1);
    assert_int_equal(EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, copy), 1);
    EVP_PKEY_CTX_free(context);
    return pkey;
}

static void assert_thumbprint(const struct signing_key *key, const char *expected)
{
    char memory[64];
    struct buf out = buf_over(memory, sizeof memory);

    signing_jwk_thumbprint(key, &out);
    assert_str_equal(buf_str(&out), str_from(expected));
}

/* RFC 7638 section 3.1 */
static void rsa_thumbprint(void **state)
{
    static const char n[] = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7"
                            "aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXA"
                            "rwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7"
                            "d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lF"
                            "d2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    unsigned char bytes[256];
    unsigned char little_endian[256];
    unsigned e = 65537;
    struct signing_key key = {.type = &signing_jwk_rsa};

    (void)state;
    (void)decoded(n, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++) {
        little_endian[i] = bytes[sizeof bytes - 1 - i];
    }
    const OSSL_PARAM params[4] = {
        OSSL_PARAM_construct_BN(OSSL_PKEY_PARAM_RSA_N, little_endian, sizeof little_endian),
        OSSL_PARAM_construct_uint(OSSL_PKEY_PARAM_RSA_E, &e),
        OSSL_PARAM_construct_end(),
    };
    key.pkey = public_key("RSA", params);
    assert_thumbprint(&key, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    EVP_PKEY_free(key.pkey);
}

/* RFC 9449 sections 4.1 and 6.1: the key of the proof, and its "jkt". */
static void ec_thumbprint(void **state)
{
    unsigned char point[65] = {4};
    char group[] = "P-256";
    struct signing_key key = {.type = &signing_jwk_ec};

    (void)state;
    (void)decoded("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", point + 1, 32);
    (void)decoded("9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA", point + 33, 32);
    const OSSL_PARAM params[4] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, sizeof point),
        OSSL_PARAM_construct_end(),
    };
    key.pkey = public_key("EC", params);
    assert_thumbprint(&key, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    EVP_PKEY_free(key.pkey);
}

static void public_jwk_is_public(void **state)
{
    KEY *key = load(STR("{\"kid\":\"one\"," EC_POINT ",\"d\":\"" EC_D "\",\"ext\":true}"));
    struct buf jwk;
    KEY *rs = load(rsa_jwk(&jwk, &rsa, "AQAB"));
    struct buf out = buf_over(text_memory, sizeof text_memory);
    char expected[2048];

    (void)state;
    signing_key_public_jwk(key, &out);
    assert_str_equal(buf_str(&out),
                     STR("{\"kty\":\"EC\",\"use\":\"sig\",\"alg\":\"ES256\",\"kid\":\"one\","
                         "\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"));
    out = buf_over(text_memory, sizeof text_memory);
    signing_key_public_jwk(rs, &out);
    (void)snprintf(expected, sizeof expected,
                   "{\"kty\":\"RSA\",\"use\":\"sig\",\"alg\":\"RS256\",\"kid\":\"%s\",\"n\":\"%s\","
                   "\"e\":\"AQAB\"}",
                   signing_key_kid(rs), rsa_n);
    assert_str_equal(buf_str(&out), str_from(expected));
}

static void assert_survives(const struct signing_key *key)
{
    char memory[SIGNING_JWK_BYTES_MAX];
    struct buf jwk = buf_over(memory, sizeof memory);
    char signature_memory[SIGNING_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(signature_memory, sizeof signature_memory);
    struct signing_key *again;

    assert_int_equal(signing_key_private_jwk(key, &jwk), OK);
    again = load(buf_str(&jwk));
    assert_string_equal(signing_key_kid(again), signing_key_kid(key));
    assert_string_equal(signing_key_alg(again), signing_key_alg(key));
    assert_int_equal(signing_sign(again, STR("data"), &signature), OK);
    assert_int_equal(signing_verify(key, STR("data"), buf_str(&signature)), OK);
    signing_key_free(again);
}

static void private_jwk_loads_again(void **state)
{
    struct buf jwk;
    KEY *rs = load(rsa_jwk(&jwk, &rsa, "AQAB"));
    char memory[16];
    struct buf small = buf_over(memory, sizeof memory);

    (void)state;
    for (int i = 0; i < 20; i++) {
        KEY *key = signing_key_generate();

        assert_int_equal(strlen(signing_key_kid(key)), 43);
        assert_survives(key);
    }
    assert_survives(rs);
    assert_int_equal(signing_key_private_jwk(rs, &small), ERR_NO_SPACE);
}

static void assert_refused(struct str jwk, const char *reason)
{
    struct signing_key *key = NULL;
    const char *why = "";

    assert_int_equal(signing_key_load(jwk, &key, &why), ERR_INVALID);
    assert_null(key);
    if (strstr(why, reason) == NULL) {
        fail_msg("%.*s: %s", STR_ARG(jwk), why);
    }
}

#define EC_WITH(member) STR("{" EC_POINT ",\"d\":\"" EC_D "\"," member "}")

static void wrong_ec_keys_are_refused(void **state)
{
    static const struct {
        struct str jwk;
        const char *reason;
    } rows[] = {
        {STR(""), "not a JSON object"},
        {STR("[]"), "not a JSON object"},
        {STR("{}"), "not a JSON object"},
        {STR("{\"kty\":1}"), "not a JSON object"},
        {STR("{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}"), "kty must"},
        {STR("{\"kty\":\"ec\"}"), "kty must"},
        {STR("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"}"), "kty must"},
        {STR("{\"kty\":\"EC\"}"), "crv must"},
        {STR("{\"kty\":\"EC\",\"crv\":\"P-384\"}"), "crv must"},
        {STR("{\"kty\":\"EC\",\"crv\":\"secp256k1\"}"), "crv must"},
        {STR("{" EC_POINT "}"), "a member is missing"}, /* public only */
        {STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"d\":\"" EC_D "\"}"),
         "a member is missing"},
        {STR("{" EC_POINT ",\"d\":\"AQ\"}"), "a member is missing"},         /* not 32 bytes */
        {STR("{" EC_POINT ",\"d\":\"" EC_D "=\"}"), "a member is missing"},  /* padding */
        {STR("{" EC_POINT ",\"d\":\"AA" EC_D "\"}"), "a member is missing"}, /* 33 bytes */
        {STR("{" EC_POINT ",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}"), "not a key"},
        {STR("{" EC_POINT ",\"d\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE\"}"),
         "not a key"}, /* of another point */
        {STR("{" EC_POINT ",\"d\":\"__________________________________________8\"}"), "not a key"},
        {STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_Y "\",\"y\":\"" EC_X "\",\"d\":\"" EC_D
             "\"}"),
         "not a key"}, /* not on the curve */
        {STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
             "\",\"y\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\",\"d\":\"" EC_D "\"}"),
         "not a key"},
        {EC_WITH("\"alg\":\"HS256\""), "alg must"},
        {EC_WITH("\"alg\":\"RS256\""), "alg must"},
        {EC_WITH("\"alg\":\"none\""), "alg must"},
        {EC_WITH("\"use\":\"enc\""), "use must"},
        {EC_WITH("\"kid\":\"with space\""), "kid must"},
        {EC_WITH("\"kid\":\"\\u00fc\""), "kid must"},
        {EC_WITH("\"kid\":\"a\\\"b\""), "kid must"},
        {EC_WITH("\"kid\":\"\\n\""), "kid must"},
        {EC_WITH("\"kid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
         "not a JSON object"}, /* 65 characters */
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_refused(rows[i].jwk, rows[i].reason);
    }
}

static void wrong_rsa_keys_are_refused(void **state)
{
    const struct rsa_parts brief = {rsa_short_n,  rsa_short_d,  rsa_short_p, rsa_short_q,
                                    rsa_short_dp, rsa_short_dq, rsa_short_qi};
    struct rsa_parts mixed = rsa;
    struct rsa_parts missing = rsa;
    struct buf out;

    (void)state;
    mixed.p = rsa_other_p;
    missing.qi = "";
    assert_refused(rsa_jwk(&out, &brief, "AQAB"), "3072 to 4096 bits");
    assert_refused(rsa_jwk(&out, &rsa, "Aw"), "3072 to 4096 bits");          /* 3 */
    assert_refused(rsa_jwk(&out, &rsa, "AQAAAAAAAAE"), "3072 to 4096 bits"); /* 2^56 + 1 */
    assert_refused(rsa_jwk(&out, &rsa, "AQAD"), "not a key");                /* 65539 */
    assert_refused(rsa_jwk(&out, &mixed, "AQAB"), "not a key");
    assert_refused(rsa_jwk(&out, &missing, "AQAB"), "a member is missing");
}

static void longest_kid_fits(void **state)
{
    static const char kid[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct buf out = buf_over(text_memory, sizeof text_memory);
    struct signing_key *key;

    (void)state;
    assert_int_equal(strlen(kid), SIGNING_KID_BYTES_MAX);
    buf_printf(&out, "{\"kid\":\"%s\"," EC_POINT ",\"d\":\"" EC_D "\"}", kid);
    key = load(buf_str(&out));
    assert_string_equal(signing_key_kid(key), kid);
    signing_key_free(key);
}

static void *sign_much(void *pointer)
{
    const struct signing_key *key = pointer;

    for (int i = 0; i < 300; i++) {
        char memory[SIGNING_SIGNATURE_BYTES_MAX];
        struct buf out = buf_over(memory, sizeof memory);
        struct str data = {(const char *)&i, sizeof i};

        if (signing_sign(key, data, &out) != OK || signing_verify(key, data, buf_str(&out)) != OK) {
            return pointer;
        }
    }
    return NULL;
}

static void threads_share_a_key(void **state)
{
    KEY *key = signing_key_generate();
    pthread_t threads[4];

    (void)state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, sign_much, key), 0);
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
    crypto_start();
    json_in_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(es256_of_rfc_7515_verifies),
        cmocka_unit_test(every_bit_of_a_signature_counts),
        cmocka_unit_test(signature_out_of_range_is_refused),
        cmocka_unit_test(signature_of_another_length_is_refused),
        cmocka_unit_test(made_signatures_verify),
        cmocka_unit_test(signature_needs_its_space),
        cmocka_unit_test(rs256_known_answer),
        cmocka_unit_test(algorithms_do_not_mix),
        cmocka_unit_test(rsa_thumbprint),
        cmocka_unit_test(ec_thumbprint),
        cmocka_unit_test(public_jwk_is_public),
        cmocka_unit_test(private_jwk_loads_again),
        cmocka_unit_test(wrong_ec_keys_are_refused),
        cmocka_unit_test(wrong_rsa_keys_are_refused),
        cmocka_unit_test(longest_kid_fits),
        cmocka_unit_test(threads_share_a_key),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
