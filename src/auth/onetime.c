/* SPDX-License-Identifier: Apache-2.0 */
#include "onetime.h"

#include <assert.h>

static const char *const names[ONETIME_PURPOSE_COUNT] = {
    [ONETIME_REGISTRATION] = "registration",
    [ONETIME_VERIFICATION] = "verification",
    [ONETIME_RESET] = "reset",
    [ONETIME_MFA] = "mfa",
};

static const struct str version = {"ot1", 3};

const char *onetime_purpose_name(enum onetime_purpose purpose)
{
    assert(purpose < ONETIME_PURPOSE_COUNT);
    return names[purpose];
}

enum error onetime_purpose_parse(struct str name, enum onetime_purpose *out)
{
    for (unsigned i = 0; i < ONETIME_PURPOSE_COUNT; i++) {
        if (str_equal(name, str_from(names[i]))) {
            *out = (enum onetime_purpose)i;
            return OK;
        }
    }
    return ERR_INVALID;
}

enum error onetime_token(const struct keyring *keyring, struct str kid,
                         enum onetime_purpose purpose, struct uuid id, struct buf *out)
{
    const struct crypto_key *key = keyring_key(keyring, kid, KEYRING_ONE_TIME);
    char memory[ONETIME_TOKEN_BYTES_MAX];
    struct buf token = buf_over(memory, sizeof(memory));
    struct crypto_digest mac;

    if (key == NULL) {
        return ERR_INVALID;
    }
    buf_printf(&token, "%.*s.%.*s.%s.", STR_ARG(version), STR_ARG(kid),
               onetime_purpose_name(purpose));
    codec_uuid(&token, id);
    mac = crypto_hmac(key, buf_str(&token));
    buf_append_byte(&token, '.');
    codec_base64url(&token, (struct str){(const char *)mac.bytes, sizeof(mac.bytes)});
    buf_append(out, buf_str(&token));
    crypto_wipe(memory, sizeof(memory));
    crypto_wipe(&mac, sizeof(mac));
    return token.overflowed || out->overflowed ? ERR_NO_SPACE : OK;
}

static enum error check_mac(const struct crypto_key *key, struct str signed_part, struct str text)
{
    uint8_t presented[CRYPTO_SHA256_BYTES];
    struct crypto_digest right;

    if (codec_base64url_decode_exact(text, presented, sizeof(presented)) != OK) {
        return ERR_INVALID_TOKEN;
    }
    right = crypto_hmac(key, signed_part);
    return crypto_equal(presented, right.bytes, sizeof(presented)) ? OK : ERR_INVALID_TOKEN;
}

enum error onetime_check(const struct keyring *keyring, struct str token,
                         enum onetime_purpose *purpose, struct uuid *id)
{
    struct str rest = token;
    const struct str head = str_cut(&rest, '.');
    const struct str kid = str_cut(&rest, '.');
    const struct str purpose_name = str_cut(&rest, '.');
    const struct str id_text = str_cut(&rest, '.');
    const struct crypto_key *key;
    enum onetime_purpose found_purpose;
    struct uuid found_id;

    if (token.len > ONETIME_TOKEN_BYTES_MAX || rest.len == 0 || !str_equal(head, version)) {
        return ERR_INVALID_TOKEN;
    }
    key = keyring_key(keyring, kid, KEYRING_ONE_TIME);
    if (key == NULL || onetime_purpose_parse(purpose_name, &found_purpose) != OK ||
        codec_uuid_parse(id_text, &found_id) != OK) {
        return ERR_INVALID_TOKEN;
    }
    TRY(check_mac(key, str_sub(token, 0, token.len - rest.len - 1), rest));
    *purpose = found_purpose;
    *id = found_id;
    return OK;
}
