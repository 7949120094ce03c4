/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of which only the public half is here. */
#include "unit.h"

#include <stdio.h>

#include "json_in.h"
#include "signing.h"
#include "support/rsa_keys.h"

/* RFC 7515 appendix A.3 */
#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"
#define EC_D "jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"
#define EC_POINT "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\""

static char text[SIGNING_JWK_BYTES_MAX];

static const char *public_of(const struct signing_key *key)
{
    struct buf out = buf_over(text, sizeof(text) - 1);

    signing_key_public_jwk(key, &out);
    assert_false(out.overflowed);
    text[out.len] = '\0';
    return text;
}

static struct signing_key *load_public(const char *jwk)
{
    struct signing_key *key = NULL;
    const char *why = "";

    if (signing_key_load_public(str_from(jwk), &key, &why) != OK) {
        fail_msg("%s: %s", why, jwk);
    }
    return key;
}

/* Every key that the service makes: its public JWK is read back as what it was. */
static void it_verifies_and_cannot_sign(void **state)
{
    struct signing_key *keys[] = {signing_key_generate(), signing_key_generate_rsa()};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char signature_text[SIGNING_SIGNATURE_BYTES_MAX];
        struct buf signature = buf_over(signature_text, sizeof(signature_text));
        struct signing_key *half = load_public(public_of(keys[i]));

        assert_true(signing_key_can_sign(keys[i]));
        assert_false(signing_key_can_sign(half));
        assert_string_equal(signing_key_kid(half), signing_key_kid(keys[i]));
        assert_string_equal(signing_key_alg(half), signing_key_alg(keys[i]));
        assert_int_equal(signing_sign(keys[i], STR("data"), &signature), OK);
        assert_int_equal(signing_verify(half, STR("data"), buf_str(&signature)), OK);
        assert_int_equal(signing_verify(half, STR("date"), buf_str(&signature)), ERR_INVALID);
        signing_key_free(half);
    }
    assert_string_equal(signing_key_alg(keys[1]), "RS256");
    signing_key_free(keys[0]);
    signing_key_free(keys[1]);
}

static void it_is_written_as_it_came(void **state)
{
    struct signing_key *key = signing_key_generate();
    struct signing_key *half;
    char first[SIGNING_JWK_BYTES_MAX];

    (void)state;
    (void)snprintf(first, sizeof(first), "%s", public_of(key));
    half = load_public(first);
    assert_string_equal(public_of(half), first);
    signing_key_free(half);
    signing_key_free(key);
}

static void halves_of_one_key_are_the_same(void **state)
{
    struct signing_key *key = signing_key_generate();
    struct signing_key *other = signing_key_generate();
    struct signing_key *half = load_public(public_of(key));

    (void)state;
    assert_true(signing_key_is_same(key, half));
    assert_true(signing_key_is_same(half, key));
    assert_false(signing_key_is_same(other, half));
    signing_key_free(half);
    signing_key_free(other);
    signing_key_free(key);
}

static void what_is_no_public_key_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "{}",
        "[]",
        "{\"kty\":\"oct\",\"k\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE\"}",
        "{" EC_POINT ",\"d\":\"" EC_D "\"}", /* a private one is not for a table */
        "{" EC_POINT ",\"d\":\"\"}",
        "{" EC_POINT ",\"p\":\"AQAB\"}",
        "{" EC_POINT ",\"alg\":\"HS256\"}",
        "{" EC_POINT ",\"use\":\"enc\"}",
        "{" EC_POINT ",\"kid\":\"a b\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" EC_X "\",\"y\":\"" EC_X
        "\"}", /* off the curve */
        "{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}",
        "{\"kty\":\"RSA\",\"n\":\"" EC_X "\",\"e\":\"AQAB\"}", /* 256 bits */
        "{\"kty\":\"RSA\",\"e\":\"AQAB\"}",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct signing_key *key = NULL;
        const char *why = NULL;

        if (signing_key_load_public(str_from(bad[i]), &key, &why) != ERR_INVALID) {
            fail_msg("taken: %s", bad[i]);
        }
        assert_null(key);
        assert_non_null(why);
    }
}

static void refuse_rsa(const char *n, const char *e)
{
    struct buf out = buf_over(text, sizeof(text) - 1);
    struct signing_key *key = NULL;
    const char *why = NULL;

    buf_printf(&out, "{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"}", n, e);
    assert_false(out.overflowed);
    if (signing_key_load_public(buf_str(&out), &key, &why) != ERR_INVALID) {
        fail_msg("taken: e %s", e);
    }
}

static void weak_rsa_keys_are_refused(void **state)
{
    (void)state;
    refuse_rsa(rsa_n, "Aw");       /* 3 */
    refuse_rsa(rsa_n, "AQ");       /* 1 */
    refuse_rsa(rsa_n, "AQABAQAB"); /* too large */
    refuse_rsa(rsa_n, "AQAC");     /* even */
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_verifies_and_cannot_sign),
        cmocka_unit_test(it_is_written_as_it_came),
        cmocka_unit_test(halves_of_one_key_are_the_same),
        cmocka_unit_test(what_is_no_public_key_is_refused),
        cmocka_unit_test(weak_rsa_keys_are_refused),
    };

    return cmocka_run_group_tests_name("signing_public", tests, set_up, NULL);
}
