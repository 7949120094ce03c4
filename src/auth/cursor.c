/* SPDX-License-Identifier: Apache-2.0 */
#include "cursor.h"

enum { MAC_BYTES = 16, CURSOR_BYTES_MAX = 96 };

static struct crypto_digest mac_of(const struct crypto_key *key, struct arena *arena,
                                   struct str list, struct uuid last)
{
    struct str id = codec_uuid_in(arena, last);

    return crypto_hmac(key, arena_printf(arena, "%.*s %.*s", STR_ARG(id), STR_ARG(list)));
}

struct str cursor_make(const struct keyring *keyring, struct arena *arena, struct str list,
                       struct uuid last)
{
    struct str kid = str_from(keyring_current(keyring));
    const struct crypto_key *key = keyring_key(keyring, kid, KEYRING_CURSOR);
    struct crypto_digest mac = mac_of(key, arena, list, last);
    struct buf out = buf_in(arena, CURSOR_BYTES_MAX);

    buf_append(&out, kid);
    buf_append_byte(&out, '.');
    codec_uuid(&out, last);
    buf_append_byte(&out, '.');
    codec_base64url(&out, (struct str){(const char *)mac.bytes, MAC_BYTES});
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

enum error cursor_read(const struct keyring *keyring, struct arena *arena, struct str list,
                       struct str cursor, struct uuid *out)
{
    struct str kid = str_cut(&cursor, '.');
    struct str id = str_cut(&cursor, '.');
    const struct crypto_key *key = keyring_key(keyring, kid, KEYRING_CURSOR);
    struct crypto_digest expected;
    uint8_t mac[MAC_BYTES];
    struct uuid last;

    if (key == NULL) {
        return ERR_INVALID;
    }
    TRY(codec_uuid_parse(id, &last));
    TRY(codec_base64url_decode_exact(cursor, mac, sizeof(mac)));
    expected = mac_of(key, arena, list, last);
    if (!crypto_equal(expected.bytes, mac, sizeof(mac))) {
        return ERR_INVALID;
    }
    *out = last;
    return OK;
}
