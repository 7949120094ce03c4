/* SPDX-License-Identifier: Apache-2.0 */
#include "signing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "signing_jwk.h"

enum {
    SIGNING_P256_BYTES = 32,
    SIGNING_ES256_BYTES = 2 * SIGNING_P256_BYTES, /* RFC 7518 section 3.4 */
    SIGNING_DER_BYTES_MAX = 80,                   /* over P-256 it has at most 72 */
    SIGNING_ARENA_BYTES = 64 << 10,
    SIGNING_RSA_BITS = 3072, /* of a new key */
};

struct signing_key *signing_key_hold(struct signing_key *self)
{
    atomic_fetch_add(&self->owners, 1);
    return self;
}

void signing_key_free(struct signing_key *self)
{
    if (self == NULL || atomic_fetch_sub(&self->owners, 1) != 0) {
        return;
    }
    EVP_PKEY_CTX_free(self->signer);
    EVP_PKEY_CTX_free(self->verifier);
    EVP_PKEY_free(self->pkey);
    free(self);
}

static void signing_need(bool ok)
{
    if (!ok) {
        abort(); /* OpenSSL is out of memory: see crypto.h */
    }
}

static EVP_PKEY_CTX *signing_operation(EVP_PKEY *pkey, int (*start)(EVP_PKEY_CTX *),
                                       const struct signing_type *type)
{
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);

    signing_need(context != NULL && start(context) == 1);
    if (type == &signing_jwk_rsa) { /* RFC 7518 section 3.3 */
        signing_need(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1);
    }
    signing_need(EVP_PKEY_CTX_set_signature_md(context, EVP_sha256()) == 1);
    return context;
}

/* A kid if it has none, and the operations. */
static void signing_key_finish(struct signing_key *self, bool can_sign)
{
    struct buf kid = buf_over(self->kid, sizeof self->kid - 1); /* zeroed, so terminated */

    if (self->kid[0] == '\0') {
        signing_jwk_thumbprint(self, &kid);
    }
    if (can_sign) {
        self->signer = signing_operation(self->pkey, EVP_PKEY_sign_init, self->type);
    }
    self->verifier = signing_operation(self->pkey, EVP_PKEY_verify_init, self->type);
}

static struct signing_key *signing_key_new(void)
{
    struct signing_key *self = calloc(1, sizeof *self);

    signing_need(self != NULL);
    return self;
}

static enum error signing_key_load_jwk(struct str jwk_json, bool is_private,
                                       struct signing_key **out, const char **why)
{
    struct signing_key *self = signing_key_new();
    void *memory = malloc(SIGNING_ARENA_BYTES);
    struct arena arena;
    enum error error;

    signing_need(memory != NULL);
    arena_init(&arena, memory, SIGNING_ARENA_BYTES);
    error = signing_jwk_read(&arena, jwk_json, is_private, self, why);
    arena_reset(&arena); /* wipes the private numbers */
    free(memory);
    if (error != OK) {
        signing_key_free(self);
        return error;
    }
    signing_key_finish(self, is_private);
    *out = self;
    return OK;
}

enum error signing_key_load(struct str jwk_json, struct signing_key **out, const char **why)
{
    return signing_key_load_jwk(jwk_json, true, out, why);
}

enum error signing_key_load_public(struct str jwk_json, struct signing_key **out, const char **why)
{
    return signing_key_load_jwk(jwk_json, false, out, why);
}

static struct signing_key *signing_key_of(const struct signing_type *type, EVP_PKEY *pkey)
{
    struct signing_key *self = signing_key_new();

    signing_need(pkey != NULL);
    self->type = type;
    self->pkey = pkey;
    signing_key_finish(self, true);
    return self;
}

struct signing_key *signing_key_generate(void)
{
    return signing_key_of(&signing_jwk_ec, EVP_EC_gen("P-256"));
}

struct signing_key *signing_key_generate_rsa(void)
{
    return signing_key_of(&signing_jwk_rsa, EVP_RSA_gen(SIGNING_RSA_BITS));
}

const char *signing_key_kid(const struct signing_key *self)
{
    return self->kid;
}

const char *signing_key_alg(const struct signing_key *self)
{
    return signing_jwk_alg(self->type);
}

bool signing_key_can_sign(const struct signing_key *self)
{
    return self->signer != NULL;
}

bool signing_key_is_same(const struct signing_key *self, const struct signing_key *other)
{
    return EVP_PKEY_eq(self->pkey, other->pkey) == 1;
}

void signing_key_public_jwk(const struct signing_key *self, struct buf *out)
{
    signing_jwk_write(self, false, out);
}

enum error signing_key_private_jwk(const struct signing_key *self, struct buf *out)
{
    assert(signing_key_can_sign(self));
    signing_jwk_write(self, true, out);
    return out->overflowed ? ERR_NO_SPACE : OK;
}

/* From DER to r and s side by side, 32 bytes each. */
static void signing_es256_raw(const unsigned char *der, size_t length,
                              unsigned char out[SIGNING_ES256_BYTES])
{
    ECDSA_SIG *signature = d2i_ECDSA_SIG(NULL, &der, (long)length);

    signing_need(signature != NULL);
    signing_need(BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, SIGNING_P256_BYTES) > 0);
    signing_need(BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + SIGNING_P256_BYTES,
                              SIGNING_P256_BYTES) > 0);
    ECDSA_SIG_free(signature);
}

/* And back; the length of the DER. */
static size_t signing_es256_der(const unsigned char raw[SIGNING_ES256_BYTES],
                                unsigned char out[SIGNING_DER_BYTES_MAX])
{
    ECDSA_SIG *signature = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(raw, SIGNING_P256_BYTES, NULL);
    BIGNUM *s = BN_bin2bn(raw + SIGNING_P256_BYTES, SIGNING_P256_BYTES, NULL);
    int length;

    signing_need(signature != NULL && r != NULL && s != NULL);
    signing_need(ECDSA_SIG_set0(signature, r, s) == 1);
    length = i2d_ECDSA_SIG(signature, &out);
    signing_need(length > 0 && length <= SIGNING_DER_BYTES_MAX);
    ECDSA_SIG_free(signature);
    return (size_t)length;
}

enum error signing_sign(const struct signing_key *self, struct str data, struct buf *out)
{
    struct crypto_digest digest = crypto_sha256(data);
    unsigned char signature[SIGNING_SIGNATURE_BYTES_MAX];
    unsigned char raw[SIGNING_ES256_BYTES];
    struct str bytes = {(const char *)signature, sizeof signature};
    EVP_PKEY_CTX *context;

    assert(signing_key_can_sign(self));
    context = EVP_PKEY_CTX_dup(self->signer);
    signing_need(context != NULL);
    signing_need(EVP_PKEY_sign(context, signature, &bytes.len, digest.bytes, sizeof digest.bytes) ==
                 1);
    EVP_PKEY_CTX_free(context);
    if (self->type == &signing_jwk_ec) {
        signing_es256_raw(signature, bytes.len, raw);
        bytes = (struct str){(const char *)raw, sizeof raw};
    }
    buf_append(out, bytes);
    return out->overflowed ? ERR_NO_SPACE : OK;
}

static size_t signing_signature_bytes(const struct signing_key *self)
{
    return self->type == &signing_jwk_ec ? SIGNING_ES256_BYTES
                                         : (size_t)EVP_PKEY_get_size(self->pkey);
}

enum error signing_verify(const struct signing_key *self, struct str data, struct str signature)
{
    unsigned char der[SIGNING_DER_BYTES_MAX];
    const unsigned char *bytes = (const unsigned char *)signature.ptr;
    size_t length = signature.len;
    struct crypto_digest digest;
    EVP_PKEY_CTX *context;
    bool valid;

    if (signature.len != signing_signature_bytes(self)) {
        return ERR_INVALID;
    }
    if (self->type == &signing_jwk_ec) {
        length = signing_es256_der(bytes, der);
        bytes = der;
    }
    digest = crypto_sha256(data);
    context = EVP_PKEY_CTX_dup(self->verifier);
    signing_need(context != NULL);
    valid = EVP_PKEY_verify(context, bytes, length, digest.bytes, sizeof digest.bytes) == 1;
    EVP_PKEY_CTX_free(context);
    ERR_clear_error(); /* a bad signature leaves its reasons in the thread's queue */
    return valid ? OK : ERR_INVALID;
}
