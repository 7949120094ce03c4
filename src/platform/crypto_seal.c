/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto_seal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "log.h"

static void need(bool ok, const char *what)
{
    if (!ok) {
        log_error("OpenSSL failed", LOG_CSTR("call", what));
        abort();
    }
}

/* Rare enough (once for a code) that the look-up by name costs nothing that counts. */
static EVP_CIPHER_CTX *begin(const struct crypto_seal *self, bool closes)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int length = 0;

    need(context != NULL, "context");
    need(EVP_CipherInit_ex(context, EVP_aes_256_gcm(), NULL, self->key->bytes, self->nonce.bytes,
                           closes ? 1 : 0) == 1,
         "EVP_CipherInit_ex");
    need(EVP_CipherUpdate(context, NULL, &length, (const unsigned char *)self->bound.ptr,
                          (int)self->bound.len) == 1,
         "AAD");
    return context;
}

void crypto_seal_close(const struct crypto_seal *self, struct str text, uint8_t *out)
{
    EVP_CIPHER_CTX *context;
    int length = 0;

    assert(text.len <= CRYPTO_SEAL_TEXT_BYTES_MAX && self->bound.len <= CRYPTO_SEAL_TEXT_BYTES_MAX);
    context = begin(self, true);
    need(EVP_CipherUpdate(context, out, &length, (const unsigned char *)text.ptr, (int)text.len) ==
             1,
         "EVP_CipherUpdate");
    need(EVP_CipherFinal_ex(context, out + length, &length) == 1, "EVP_CipherFinal_ex");
    need(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, CRYPTO_SEAL_TAG_BYTES,
                             out + text.len) == 1,
         "tag");
    EVP_CIPHER_CTX_free(context);
}

enum error crypto_seal_open(const struct crypto_seal *self, struct str sealed, uint8_t *out)
{
    uint8_t tag[CRYPTO_SEAL_TAG_BYTES];
    EVP_CIPHER_CTX *context;
    size_t text_len;
    int length = 0;
    bool genuine;

    if (sealed.len < sizeof(tag) || sealed.len - sizeof(tag) > CRYPTO_SEAL_TEXT_BYTES_MAX ||
        self->bound.len > CRYPTO_SEAL_TEXT_BYTES_MAX) {
        return ERR_INVALID;
    }
    text_len = sealed.len - sizeof(tag);
    memcpy(tag, sealed.ptr + text_len, sizeof(tag));
    context = begin(self, false);
    need(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) == 1, "tag");
    genuine = EVP_CipherUpdate(context, out, &length, (const unsigned char *)sealed.ptr,
                               (int)text_len) == 1 &&
              EVP_CipherFinal_ex(context, out + length, &length) == 1;
    EVP_CIPHER_CTX_free(context);
    if (!genuine) {
        crypto_wipe(out, text_len);
        return ERR_INVALID;
    }
    return OK;
}
