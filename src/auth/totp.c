/* SPDX-License-Identifier: Apache-2.0 */
#include "totp.h"

#include <string.h>

#include "crypto_seal.h"

enum {
    SECRET_TEXT_BYTES = TOTP_SECRET_BYTES * 8 / 5,
    URI_BYTES_MAX = 2048, /* an address of 320 code points, each byte escaped */
    SEALED_BYTES = TOTP_SECRET_BYTES + CRYPTO_SEAL_TAG_BYTES,
};

static struct str bytes_of(const struct totp_secret *secret)
{
    return (struct str){(const char *)secret->bytes, sizeof(secret->bytes)};
}

void totp_secret_new(struct totp_secret *out)
{
    crypto_random(out->bytes, sizeof(out->bytes));
}

/* The low four bits of the last byte say where the 31 bits begin. */
uint32_t totp_code(const struct totp_secret *secret, int64_t step)
{
    uint8_t mac[CRYPTO_SHA1_BYTES];
    uint64_t counter = (uint64_t)step;
    uint8_t message[8];
    uint32_t code;
    size_t at;

    for (size_t i = sizeof(message); i-- > 0; counter >>= 8) {
        message[i] = (uint8_t)counter;
    }
    crypto_hmac_sha1(bytes_of(secret), (struct str){(const char *)message, sizeof(message)}, mac);
    at = mac[sizeof(mac) - 1] & 0x0FU;
    code = (uint32_t)(mac[at] & 0x7FU) << 24 | (uint32_t)mac[at + 1] << 16 |
           (uint32_t)mac[at + 2] << 8 | mac[at + 3];
    crypto_wipe(mac, sizeof(mac));
    return code % 1000000;
}

static bool is_digits(struct str code)
{
    for (size_t i = 0; i < code.len; i++) {
        if (code.ptr[i] < '0' || code.ptr[i] > '9') {
            return false;
        }
    }
    return code.len == TOTP_DIGITS;
}

static bool is_code_of(const struct totp_secret *secret, struct str code, int64_t step)
{
    char right[TOTP_DIGITS];
    uint32_t rest = totp_code(secret, step);

    for (size_t i = sizeof(right); i-- > 0; rest /= 10) {
        right[i] = (char)('0' + rest % 10);
    }
    return crypto_equal(code.ptr, right, sizeof(right));
}

/* All steps are looked at, whichever it is. */
enum error totp_check(const struct totp_secret *secret, struct str code,
                      const struct totp_moment *moment, int64_t *step)
{
    const int64_t now = moment->now_s / TOTP_STEP_S;
    bool found = false;
    int64_t right = 0;

    if (!is_digits(code)) {
        return ERR_INVALID_CODE;
    }
    for (int64_t at = now - TOTP_STEPS_AROUND; at <= now + TOTP_STEPS_AROUND; at++) {
        if (is_code_of(secret, code, at) && at > moment->last_step) {
            found = true;
            right = at;
        }
    }
    if (!found) {
        return ERR_INVALID_CODE;
    }
    *step = right;
    return OK;
}

struct str totp_secret_text(struct arena *arena, const struct totp_secret *secret)
{
    struct buf out = buf_in(arena, SECRET_TEXT_BYTES);

    codec_base32(&out, bytes_of(secret));
    return buf_str(&out);
}

/* RFC 3986 section 2.3: all but the unreserved characters. */
static void append_escaped(struct buf *out, struct str text)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

        if (letter || (c >= '0' && c <= '9') || (c != 0 && strchr("-._~", c) != NULL)) {
            buf_append_byte(out, (char)c);
            continue;
        }
        buf_append_byte(out, '%');
        buf_append_byte(out, digits[c >> 4]);
        buf_append_byte(out, digits[c & 0x0F]);
    }
}

struct str totp_uri(struct arena *arena, const struct totp_secret *secret, struct str issuer,
                    struct str label)
{
    const size_t room = URI_BYTES_MAX + 3 * (2 * issuer.len + label.len);
    struct buf out = buf_in(arena, room);

    buf_append(&out, STR("otpauth://totp/"));
    append_escaped(&out, issuer);
    buf_append_byte(&out, ':');
    append_escaped(&out, label);
    buf_append(&out, STR("?secret="));
    codec_base32(&out, bytes_of(secret));
    buf_append(&out, STR("&issuer="));
    append_escaped(&out, issuer);
    buf_append(&out, STR("&algorithm=SHA1&digits=6&period=30"));
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

static struct str bound_to(const struct uuid *user_id)
{
    return (struct str){(const char *)user_id->bytes, sizeof(user_id->bytes)};
}

enum error totp_seal(const struct keyring *keyring, struct arena *arena, struct uuid user_id,
                     const struct totp_secret *secret, struct mfa_secret *out)
{
    const struct str kid = arena_copy(arena, str_from(keyring_current(keyring)));
    struct crypto_seal seal = {
        .key = keyring_key(keyring, kid, KEYRING_TOTP),
        .bound = bound_to(&user_id),
    };
    uint8_t sealed[SEALED_BYTES];

    if (seal.key == NULL) {
        return ERR_INTERNAL;
    }
    crypto_random(seal.nonce.bytes, sizeof(seal.nonce.bytes));
    crypto_seal_close(&seal, bytes_of(secret), sealed);
    *out = (struct mfa_secret){
        .kid = kid,
        .nonce = arena_copy(arena,
                            (struct str){(const char *)seal.nonce.bytes, sizeof(seal.nonce.bytes)}),
        .sealed = arena_copy(arena, (struct str){(const char *)sealed, sizeof(sealed)}),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error totp_open(const struct keyring *keyring, struct uuid user_id,
                     const struct mfa_secret *sealed, struct totp_secret *out)
{
    struct crypto_seal seal = {
        .key = keyring_key(keyring, sealed->kid, KEYRING_TOTP),
        .bound = bound_to(&user_id),
    };
    struct totp_secret secret;

    if (seal.key == NULL || sealed->nonce.len != sizeof(seal.nonce.bytes) ||
        sealed->sealed.len != SEALED_BYTES) {
        return ERR_INTERNAL;
    }
    memcpy(seal.nonce.bytes, sealed->nonce.ptr, sizeof(seal.nonce.bytes));
    if (crypto_seal_open(&seal, sealed->sealed, secret.bytes) != OK) {
        return ERR_INTERNAL;
    }
    *out = secret;
    crypto_wipe(&secret, sizeof(secret));
    return OK;
}
