/* SPDX-License-Identifier: Apache-2.0 */
#include "signing_jwk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "json_in.h"
#include "json_out.h"
#include "signing_import.h"

/* A JWK. Binary members are base64url (RFC 7518 section 6). */
struct signing_jwk {
    struct str kty, crv, use, alg, kid;
    struct str x, y;
    struct str n, e, p, q, dp, dq, qi;
    struct str d; /* of either */
};

#define SIGNING_MEMBER(member_, bytes_)                                                            \
    JSON_TEXT(struct signing_jwk, member_, 0, bytes_, JSON_OPTIONAL)

static const struct json_field signing_jwk_fields[] = {
    JSON_TEXT(struct signing_jwk, kty, 1, 8, JSON_REQUIRED),
    SIGNING_MEMBER(crv, 16),
    SIGNING_MEMBER(use, 16),
    SIGNING_MEMBER(alg, 16),
    SIGNING_MEMBER(kid, SIGNING_KID_BYTES_MAX),
    SIGNING_MEMBER(x, 64),
    SIGNING_MEMBER(y, 64),
    SIGNING_MEMBER(n, 1024),
    SIGNING_MEMBER(e, 16),
    SIGNING_MEMBER(d, 1024),
    SIGNING_MEMBER(p, 1024),
    SIGNING_MEMBER(q, 1024),
    SIGNING_MEMBER(dp, 1024),
    SIGNING_MEMBER(dq, 1024),
    SIGNING_MEMBER(qi, 1024),
};

#define SIGNING_PART(member_, param_, is_private_)                                                 \
    {                                                                                              \
#member_, param_, offsetof(struct signing_jwk, member_), is_private_                       \
    }

const struct signing_type signing_jwk_ec = {
    .kty = "EC",
    .alg = "ES256",
    .name = "EC",
    .parts = {SIGNING_PART(x, OSSL_PKEY_PARAM_EC_PUB_X, false),
              SIGNING_PART(y, OSSL_PKEY_PARAM_EC_PUB_Y, false),
              SIGNING_PART(d, OSSL_PKEY_PARAM_PRIV_KEY, true)},
    .count = 3,
};

const struct signing_type signing_jwk_rsa = {
    .kty = "RSA",
    .alg = "RS256",
    .name = "RSA",
    .parts = {SIGNING_PART(n, OSSL_PKEY_PARAM_RSA_N, false),
              SIGNING_PART(e, OSSL_PKEY_PARAM_RSA_E, false),
              SIGNING_PART(d, OSSL_PKEY_PARAM_RSA_D, true),
              SIGNING_PART(p, OSSL_PKEY_PARAM_RSA_FACTOR1, true),
              SIGNING_PART(q, OSSL_PKEY_PARAM_RSA_FACTOR2, true),
              SIGNING_PART(dp, OSSL_PKEY_PARAM_RSA_EXPONENT1, true),
              SIGNING_PART(dq, OSSL_PKEY_PARAM_RSA_EXPONENT2, true),
              SIGNING_PART(qi, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, true)},
    .count = 8,
};

static enum error signing_jwk_refuse(const char **why, const char *reason)
{
    *why = reason;
    return ERR_INVALID;
}

static void signing_jwk_need(bool ok)
{
    if (!ok) {
        abort(); /* OpenSSL is out of memory: see crypto.h */
    }
}

/* A member's base64url text, from the key itself (so there is one form only). The coordinates and
 * the private number of P-256 have all their octets (RFC 7518 sections 6.2.1.2, 6.2.2.1), those of
 * RSA as few as will do (section 2). */
static void signing_jwk_part_text(const struct signing_key *self, const struct signing_part *part,
                                  struct buf *out)
{
    unsigned char bytes[SIGNING_NUMBER_BYTES_MAX];
    BIGNUM *number = NULL;
    int length;

    signing_jwk_need(EVP_PKEY_get_bn_param(self->pkey, part->param, &number) == 1);
    length = self->type == &signing_jwk_ec ? SIGNING_P256_BYTES : BN_num_bytes(number);
    signing_jwk_need(BN_bn2binpad(number, bytes, length) == length);
    codec_base64url(out, (struct str){(const char *)bytes, (size_t)length});
    BN_clear_free(number);
    crypto_wipe(bytes, sizeof bytes);
}

static void signing_jwk_write_part(const struct signing_key *self, const struct signing_part *part,
                                   struct json_out *json)
{
    char memory[CODEC_BASE64URL_LEN(SIGNING_NUMBER_BYTES_MAX)];
    struct buf text = buf_over(memory, sizeof memory);

    signing_jwk_part_text(self, part, &text);
    json_member_str(json, part->member, buf_str(&text));
    crypto_wipe(memory, sizeof memory);
}

void signing_jwk_write(const struct signing_key *self, bool with_private, struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_object(&json);
    json_member_str(&json, "kty", str_from(self->type->kty));
    json_member_str(&json, "use", STR("sig"));
    json_member_str(&json, "alg", str_from(self->type->alg));
    json_member_str(&json, "kid", str_from(self->kid));
    if (self->type == &signing_jwk_ec) {
        json_member_str(&json, "crv", STR("P-256"));
    }
    for (size_t i = 0; i < self->type->count; i++) {
        if (with_private || !self->type->parts[i].is_private) {
            signing_jwk_write_part(self, &self->type->parts[i], &json);
        }
    }
    json_object_end(&json);
}

/* RFC 7638 section 3: the required public members, in the order of their names. */
void signing_jwk_thumbprint(const struct signing_key *self, struct buf *out)
{
    char memory[SIGNING_JWK_BYTES_MAX];
    struct buf text = buf_over(memory, sizeof memory);
    struct json_out json = json_out_to(&text);
    bool is_ec = self->type == &signing_jwk_ec;
    const struct signing_part *parts = self->type->parts;
    struct crypto_digest digest;

    json_object(&json);
    if (is_ec) {
        json_member_str(&json, "crv", STR("P-256"));
    } else {
        signing_jwk_write_part(self, &parts[1], &json); /* e */
    }
    json_member_str(&json, "kty", str_from(self->type->kty));
    signing_jwk_write_part(self, &parts[0], &json); /* x or n */
    if (is_ec) {
        signing_jwk_write_part(self, &parts[1], &json); /* y */
    }
    json_object_end(&json);
    assert(!text.overflowed);
    digest = crypto_sha256(buf_str(&text));
    codec_base64url(out, (struct str){(const char *)digest.bytes, sizeof digest.bytes});
}

/* Printable, and the same in JSON, in a log and in a shell. */
static bool signing_jwk_kid_ok(struct str kid)
{
    for (size_t i = 0; i < kid.len; i++) {
        if (kid.ptr[i] <= ' ' || kid.ptr[i] > '~' || strchr("\"\\", kid.ptr[i]) != NULL) {
            return false;
        }
    }
    return true;
}

static enum error signing_jwk_number(struct arena *arena, const struct signing_type *type,
                                     struct str text, BIGNUM **out)
{
    struct str bytes;
    BIGNUM *number;

    TRY(codec_base64url_decode(arena, text, &bytes));
    if (bytes.len == 0 || bytes.len > SIGNING_NUMBER_BYTES_MAX ||
        (type == &signing_jwk_ec && bytes.len != SIGNING_P256_BYTES)) {
        return ERR_INVALID;
    }
    number = BN_bin2bn((const unsigned char *)bytes.ptr, (int)bytes.len, NULL);
    signing_jwk_need(number != NULL);
    *out = number;
    return OK;
}

static struct str signing_jwk_member(const struct signing_jwk *jwk, const struct signing_part *part)
{
    return *(const struct str *)((const char *)jwk + part->offset);
}

static enum error signing_jwk_numbers(struct arena *arena, const struct signing_type *type,
                                      const struct signing_jwk *jwk, bool is_private,
                                      struct signing_numbers *out)
{
    for (size_t i = 0; i < type->count; i++) {
        const struct signing_part *part = &type->parts[i];

        if (is_private || !part->is_private) {
            TRY(signing_jwk_number(arena, type, signing_jwk_member(jwk, part), &out->items[i]));
        }
    }
    return OK;
}

/* A public key that came with a private part would spread it. */
static bool signing_jwk_is_bare(const struct signing_jwk *jwk)
{
    const struct str members[] = {jwk->d, jwk->p, jwk->q, jwk->dp, jwk->dq, jwk->qi};

    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        if (members[i].ptr != NULL) {
            return false;
        }
    }
    return true;
}

static enum error signing_jwk_judge(const struct signing_jwk *jwk, const struct signing_type **type,
                                    const char **why)
{
    bool is_ec = str_equal(jwk->kty, STR("EC"));

    if (!is_ec && !str_equal(jwk->kty, STR("RSA"))) {
        return signing_jwk_refuse(why, "kty must be \"EC\" or \"RSA\"");
    }
    if (is_ec && !str_equal(jwk->crv, STR("P-256"))) {
        return signing_jwk_refuse(why, "crv must be \"P-256\"");
    }
    *type = is_ec ? &signing_jwk_ec : &signing_jwk_rsa;
    if (jwk->alg.len > 0 && !str_equal(jwk->alg, str_from((*type)->alg))) {
        return signing_jwk_refuse(why,
                                  "alg must be ES256 for kty EC, RS256 for kty RSA, or absent");
    }
    if (jwk->use.len > 0 && !str_equal(jwk->use, STR("sig"))) {
        return signing_jwk_refuse(why, "use must be \"sig\" or absent");
    }
    if (!signing_jwk_kid_ok(jwk->kid)) {
        return signing_jwk_refuse(why, "kid must be printable ASCII without space, quote and "
                                       "backslash");
    }
    return OK;
}

enum error signing_jwk_read(struct arena *arena, struct str json, bool is_private,
                            struct signing_key *out, const char **why)
{
    SIGNING_NUMBERS numbers = {{NULL}};
    struct signing_jwk jwk = {.kty = STR_EMPTY};
    const struct signing_type *type;
    EVP_PKEY *pkey;

    if (json_in_decode_lenient(arena, json, signing_jwk_fields,
                               sizeof signing_jwk_fields / sizeof *signing_jwk_fields, &jwk,
                               NULL) != OK) {
        return signing_jwk_refuse(why, "it is not a JSON object with the text members of a JWK");
    }
    TRY(signing_jwk_judge(&jwk, &type, why));
    if (!is_private && !signing_jwk_is_bare(&jwk)) {
        return signing_jwk_refuse(why, "a public JWK must have no private member");
    }
    if (signing_jwk_numbers(arena, type, &jwk, is_private, &numbers) != OK) {
        return signing_jwk_refuse(why, "a member is missing or is not base64url of the right "
                                       "length: EC wants x, y, d of 32 bytes, RSA wants n, e, d, "
                                       "p, q, dp, dq, qi; a public key x, y or n, e");
    }
    TRY(signing_import(type, &numbers, &pkey, why));
    assert(jwk.kid.len <= SIGNING_KID_BYTES_MAX); /* ASCII: as many bytes as code points */
    out->type = type;
    out->pkey = pkey;
    memcpy(out->kid, jwk.kid.len == 0 ? "" : jwk.kid.ptr, jwk.kid.len);
    out->kid[jwk.kid.len] = '\0';
    return OK;
}

const char *signing_jwk_alg(const struct signing_type *type)
{
    return type->alg;
}
