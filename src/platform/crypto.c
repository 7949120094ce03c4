/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <pthread.h>

#include "log.h"

/* Algorithms are looked up once: a look-up by name takes a lock and several microseconds. */
static EVP_MD *crypto_md;
static EVP_MAC *crypto_mac;
static EVP_KDF *crypto_kdf;
static pthread_key_t crypto_thread_key;

struct crypto_thread {
    EVP_MD_CTX *md;
    EVP_MAC_CTX *mac; /* its digest is set; every use sets the key */
};

static _Thread_local struct crypto_thread *crypto_thread;

static _Noreturn void crypto_fail(const char *what)
{
    log_error("OpenSSL failed", LOG_CSTR("call", what));
    abort();
}

static void crypto_need(bool ok, const char *what)
{
    if (!ok) {
        crypto_fail(what);
    }
}

static void crypto_thread_free(void *pointer)
{
    struct crypto_thread *self = pointer;

    EVP_MD_CTX_free(self->md);
    EVP_MAC_CTX_free(self->mac);
    free(self);
    crypto_thread = NULL;
}

void crypto_start(void)
{
    if (crypto_md != NULL) {
        return;
    }
    crypto_md = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto_mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    crypto_kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    crypto_need(crypto_md != NULL && crypto_mac != NULL && crypto_kdf != NULL, "fetch");
    crypto_need(pthread_key_create(&crypto_thread_key, crypto_thread_free) == 0, "thread key");
}

/* A thread's first use; pthreads free it with the thread. */
static void crypto_thread_start(void)
{
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    struct crypto_thread *self;

    assert(crypto_md != NULL); /* crypto_start was called */
    self = calloc(1, sizeof *self);
    crypto_need(self != NULL, "calloc");
    self->md = EVP_MD_CTX_new();
    self->mac = EVP_MAC_CTX_new(crypto_mac);
    crypto_need(self->md != NULL && self->mac != NULL, "context");
    crypto_need(EVP_MAC_CTX_set_params(self->mac, params) == 1, "EVP_MAC_CTX_set_params");
    crypto_need(pthread_setspecific(crypto_thread_key, self) == 0, "pthread_setspecific");
    crypto_thread = self;
}

static struct crypto_thread *crypto_context(void)
{
    if (crypto_thread == NULL) {
        crypto_thread_start();
    }
    return crypto_thread;
}

void crypto_random(void *out, size_t bytes)
{
    assert(bytes <= INT32_MAX);
    crypto_need(RAND_bytes(out, (int)bytes) == 1, "RAND_bytes");
}

static void crypto_uuid_mark(struct uuid *id, unsigned version)
{
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0fU) | version << 4);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3fU) | 0x80U);
}

struct uuid crypto_uuid4(void)
{
    struct uuid id;

    crypto_random(id.bytes, sizeof id.bytes);
    crypto_uuid_mark(&id, 4);
    return id;
}

struct uuid crypto_uuid7(int64_t unix_ms)
{
    struct uuid id;
    uint64_t time = (uint64_t)unix_ms;

    assert(unix_ms >= 0 && time < UINT64_C(1) << 48);
    crypto_random(id.bytes, sizeof id.bytes);
    for (int i = 5; i >= 0; i--) {
        id.bytes[i] = (uint8_t)time;
        time >>= 8;
    }
    crypto_uuid_mark(&id, 7);
    return id;
}

struct crypto_digest crypto_sha256(struct str data)
{
    EVP_MD_CTX *context = crypto_context()->md;
    struct crypto_digest digest;

    if (EVP_DigestInit_ex2(context, crypto_md, NULL) != 1 ||
        EVP_DigestUpdate(context, data.ptr, data.len) != 1 ||
        EVP_DigestFinal_ex(context, digest.bytes, NULL) != 1) {
        crypto_fail("SHA-256");
    }
    return digest;
}

struct crypto_digest crypto_hmac_bytes(struct str key, struct str data)
{
    EVP_MAC_CTX *context = crypto_context()->mac;
    struct crypto_digest digest;
    /* A null pointer would mean: the key of the time before. */
    const char *key_ptr = key.ptr == NULL ? "" : key.ptr;
    size_t length = 0;

    if (EVP_MAC_init(context, (const unsigned char *)key_ptr, key.len, NULL) != 1 ||
        EVP_MAC_update(context, (const unsigned char *)data.ptr, data.len) != 1 ||
        EVP_MAC_final(context, digest.bytes, &length, sizeof digest.bytes) != 1 ||
        length != sizeof digest.bytes) {
        crypto_fail("HMAC-SHA-256");
    }
    return digest;
}

struct crypto_digest crypto_hmac(const struct crypto_key *key, struct str data)
{
    return crypto_hmac_bytes((struct str){(const char *)key->bytes, sizeof key->bytes}, data);
}

void crypto_hmac_sha1(struct str key, struct str data, uint8_t out[CRYPTO_SHA1_BYTES])
{
    size_t length = 0;

    if (EVP_Q_mac(NULL, "HMAC", NULL, "SHA1", NULL, key.ptr, key.len,
                  (const unsigned char *)data.ptr, data.len, out, CRYPTO_SHA1_BYTES,
                  &length) == NULL ||
        length != CRYPTO_SHA1_BYTES) {
        crypto_fail("HMAC-SHA-1");
    }
}

/* RFC 5869 section 2: extract without a salt (so zeros), then expand to 32 bytes. */
struct crypto_key crypto_hkdf(const struct crypto_key *key, struct str label)
{
    struct crypto_key copy = *key; /* OSSL_PARAM takes no const */
    struct crypto_key derived;
    char digest[] = "SHA256";
    char info[64];
    EVP_KDF_CTX *context = EVP_KDF_CTX_new(crypto_kdf);

    assert(label.len > 0 && label.len <= sizeof info);
    memcpy(info, label.ptr, label.len);
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, copy.bytes, sizeof copy.bytes),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, label.len),
        OSSL_PARAM_construct_end(),
    };
    if (context == NULL ||
        EVP_KDF_derive(context, derived.bytes, sizeof derived.bytes, params) != 1) {
        crypto_fail("HKDF-SHA-256");
    }
    EVP_KDF_CTX_free(context);
    crypto_wipe(&copy, sizeof copy);
    return derived;
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

void crypto_wipe(void *secret, size_t bytes)
{
    OPENSSL_cleanse(secret, bytes);
}
