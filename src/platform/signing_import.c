/* SPDX-License-Identifier: Apache-2.0 */
#include "signing_import.h"

#include <assert.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

enum {
    SIGNING_RSA_BITS_MIN = 3072,
    SIGNING_RSA_BITS_MAX = 4096, /* its signature is SIGNING_SIGNATURE_BYTES_MAX */
    SIGNING_EC_D = 2,            /* the private part among those of signing_jwk_ec */
    SIGNING_RSA_D = 2,           /* and of signing_jwk_rsa */
};

static_assert(SIGNING_SIGNATURE_BYTES_MAX * 8 == SIGNING_RSA_BITS_MAX, "the largest signature");

void signing_import_free(struct signing_numbers *numbers)
{
    for (size_t i = 0; i < SIGNING_PARTS_MAX; i++) {
        BN_clear_free(numbers->items[i]);
    }
}

static enum error refuse(const char **why, const char *reason)
{
    *why = reason;
    return ERR_INVALID;
}

static void need(bool ok)
{
    if (!ok) {
        abort(); /* OpenSSL is out of memory: see crypto.h */
    }
}

/* Public exponents: those in use are 65537; smaller ones have been a trap, larger ones cost time. */
static bool rsa_ok(const struct signing_numbers *numbers)
{
    int bits = BN_num_bits(numbers->items[0]);
    int exponent_bits = BN_num_bits(numbers->items[1]);

    return bits >= SIGNING_RSA_BITS_MIN && bits <= SIGNING_RSA_BITS_MAX && exponent_bits >= 17 &&
           exponent_bits <= 32;
}

static bool push_ec(OSSL_PARAM_BLD *build, const struct signing_numbers *numbers,
                    unsigned char point[1 + 2 * SIGNING_P256_BYTES])
{
    const BIGNUM *d = numbers->items[SIGNING_EC_D];

    point[0] = POINT_CONVERSION_UNCOMPRESSED;
    return BN_bn2binpad(numbers->items[0], point + 1, SIGNING_P256_BYTES) > 0 &&
           BN_bn2binpad(numbers->items[1], point + 1 + SIGNING_P256_BYTES, SIGNING_P256_BYTES) >
               0 &&
           OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) == 1 &&
           OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                            1 + 2 * SIGNING_P256_BYTES) == 1 &&
           (d == NULL || OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, d) == 1);
}

static bool push_rsa(OSSL_PARAM_BLD *build, const struct signing_numbers *numbers)
{
    for (size_t i = 0; i < signing_jwk_rsa.count && numbers->items[i] != NULL; i++) {
        if (OSSL_PARAM_BLD_push_BN(build, signing_jwk_rsa.parts[i].param, numbers->items[i]) != 1) {
            return false;
        }
    }
    return true;
}

static bool is_private(const struct signing_numbers *numbers)
{
    static_assert((int)SIGNING_EC_D == (int)SIGNING_RSA_D, "one place for both");
    return numbers->items[SIGNING_RSA_D] != NULL;
}

/* NULL if OpenSSL finds that these numbers are no key. */
static EVP_PKEY *make(const struct signing_type *type, OSSL_PARAM_BLD *build, int selection)
{
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type->name, NULL);
    EVP_PKEY *pkey = NULL;

    need(params != NULL && context != NULL && EVP_PKEY_fromdata_init(context) == 1);
    if (EVP_PKEY_fromdata(context, &pkey, selection, params) != 1) {
        pkey = NULL;
    }
    EVP_PKEY_CTX_free(context);
    OSSL_PARAM_free(params);
    return pkey;
}

static EVP_PKEY *build_key(const struct signing_type *type, const struct signing_numbers *numbers)
{
    unsigned char point[1 + 2 * SIGNING_P256_BYTES]; /* borrowed by the builder */
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey;

    need(build != NULL);
    need(type == &signing_jwk_ec ? push_ec(build, numbers, point) : push_rsa(build, numbers));
    pkey = make(type, build, is_private(numbers) ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

/* On the curve, in range, and the private part belongs to the public one; for RSA also that the
 * factors are primes and fit. */
static bool key_ok(EVP_PKEY *pkey, bool with_private)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    bool ok;

    need(context != NULL);
    ok = (with_private ? EVP_PKEY_check(context) : EVP_PKEY_public_check(context)) == 1;
    EVP_PKEY_CTX_free(context);
    return ok;
}

enum error signing_import(const struct signing_type *type, const struct signing_numbers *numbers,
                          EVP_PKEY **out, const char **why)
{
    EVP_PKEY *pkey;

    if (type == &signing_jwk_rsa && !rsa_ok(numbers)) {
        return refuse(why,
                      "an RSA key must have 3072 to 4096 bits and the public exponent 65537 or "
                      "one of at most 32 bits above it");
    }
    pkey = build_key(type, numbers);
    if (pkey == NULL || !key_ok(pkey, is_private(numbers))) {
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return refuse(why, "the numbers are not a key: the point is not on the curve, or the "
                           "private part does not belong to the public one");
    }
    *out = pkey;
    return OK;
}
