/* SPDX-License-Identifier: Apache-2.0 */
#include "refresh_token.h"

enum { TAG_BYTES = 16, GENERATION_DIGITS_MAX = 18, CHAIN_BYTES = 16 + 8 };

/* The tag covers the token up to and with its last dot, and the client that it was given to. */
static struct crypto_digest tag_of(const struct crypto_key *key, struct arena *arena,
                                   struct str head, struct str client_id)
{
    return crypto_hmac(key, arena_printf(arena, "%.*s%.*s", STR_ARG(head), STR_ARG(client_id)));
}

enum error refresh_token_first(const struct keyring *keyring, struct arena *arena, struct uuid sid,
                               struct str client_id, struct refresh_token *out)
{
    char *secret = arena_alloc(arena, REFRESH_TOKEN_SECRET_BYTES);

    if (secret == NULL) {
        return ERR_NO_SPACE;
    }
    crypto_random(secret, REFRESH_TOKEN_SECRET_BYTES);
    *out = (struct refresh_token){
        .kid = str_from(keyring_current(keyring)),
        .sid = sid,
        .secret = {secret, REFRESH_TOKEN_SECRET_BYTES},
        .client_id = client_id,
    };
    return OK;
}

enum error refresh_token_text(const struct keyring *keyring, struct arena *arena,
                              const struct refresh_token *token, struct str *out)
{
    const struct crypto_key *key = keyring_key(keyring, token->kid, KEYRING_REFRESH);
    struct buf text = buf_in(arena, REFRESH_TOKEN_BYTES_MAX);
    struct crypto_digest tag;

    if (key == NULL) {
        return ERR_INTERNAL; /* the keyring lost a key that is in use */
    }
    buf_append(&text, STR("rt1."));
    buf_append(&text, token->kid);
    buf_append_byte(&text, '.');
    codec_uuid(&text, token->sid);
    buf_append_byte(&text, '.');
    buf_append_i64(&text, token->generation);
    buf_append_byte(&text, '.');
    codec_base64url(&text, token->secret);
    buf_append_byte(&text, '.');
    tag = tag_of(key, arena, buf_str(&text), token->client_id);
    codec_base64url(&text, (struct str){(const char *)tag.bytes, TAG_BYTES});
    return buf_finish(&text, out);
}

/* What the dots separate; ERR_INVALID when there are more parts or fewer. */
static enum error split(struct str text, struct str parts[6])
{
    for (size_t i = 0; i < 5; i++) {
        if (!str_find(text, '.', &(size_t){0})) {
            return ERR_INVALID;
        }
        parts[i] = str_cut(&text, '.');
    }
    parts[5] = text;
    return str_find(text, '.', &(size_t){0}) ? ERR_INVALID : OK;
}

static enum error parse_parts(struct arena *arena, struct str parts[6], struct refresh_token *out)
{
    char *secret = arena_alloc(arena, REFRESH_TOKEN_SECRET_BYTES);
    uint64_t generation;

    if (secret == NULL) {
        return ERR_NO_SPACE;
    }
    if (!str_equal(parts[0], STR("rt1")) || parts[3].len > GENERATION_DIGITS_MAX) {
        return ERR_INVALID;
    }
    TRY(codec_uuid_parse(parts[2], &out->sid));
    TRY(str_to_u64(parts[3], &generation));
    TRY(codec_base64url_decode_exact(parts[4], secret, REFRESH_TOKEN_SECRET_BYTES));
    out->kid = parts[1];
    out->generation = (int64_t)generation;
    out->secret = (struct str){secret, REFRESH_TOKEN_SECRET_BYTES};
    return OK;
}

enum error refresh_token_parse(const struct keyring *keyring, struct arena *arena, struct str text,
                               struct str client_id, struct refresh_token *out)
{
    struct refresh_token token = {.client_id = client_id};
    const struct crypto_key *key;
    struct crypto_digest expected;
    struct str parts[6];
    uint8_t tag[TAG_BYTES];

    if (text.len > REFRESH_TOKEN_BYTES_MAX || split(text, parts) != OK ||
        codec_base64url_decode_exact(parts[5], tag, sizeof(tag)) != OK) {
        return ERR_INVALID_REFRESH_TOKEN;
    }
    key = keyring_key(keyring, parts[1], KEYRING_REFRESH);
    if (key == NULL) {
        return ERR_INVALID_REFRESH_TOKEN;
    }
    expected = tag_of(key, arena, str_sub(text, 0, text.len - parts[5].len), client_id);
    if (!crypto_equal(expected.bytes, tag, sizeof(tag)) ||
        parse_parts(arena, parts, &token) != OK) {
        return arena_overflowed(arena) ? ERR_NO_SPACE : ERR_INVALID_REFRESH_TOKEN;
    }
    *out = token;
    return OK;
}

/* secret[g+1] = HMAC(chain key[kid], sid ‖ g ‖ secret[g]), g as eight bytes, the highest first. */
enum error refresh_token_next(const struct keyring *keyring, struct arena *arena,
                              const struct refresh_token *token, struct refresh_token *out)
{
    const struct crypto_key *key = keyring_key(keyring, token->kid, KEYRING_CHAIN);
    char memory[CHAIN_BYTES + REFRESH_TOKEN_SECRET_BYTES];
    struct buf link = buf_over(memory, sizeof(memory));
    struct refresh_token next = *token;
    struct crypto_digest secret;

    if (key == NULL) {
        return ERR_INTERNAL; /* the keyring lost a key that is in use */
    }
    buf_append(&link, (struct str){(const char *)token->sid.bytes, sizeof(token->sid.bytes)});
    for (int shift = 56; shift >= 0; shift -= 8) {
        buf_append_byte(&link, (char)(uint8_t)((uint64_t)token->generation >> shift));
    }
    buf_append(&link, token->secret);
    secret = crypto_hmac(key, buf_str(&link));
    crypto_wipe(memory, sizeof(memory));
    next.generation = token->generation + 1;
    next.secret = arena_copy(arena, (struct str){(const char *)secret.bytes, sizeof(secret.bytes)});
    crypto_wipe(&secret, sizeof(secret));
    if (next.secret.len == 0) {
        return ERR_NO_SPACE;
    }
    *out = next;
    return OK;
}

struct str refresh_token_hash(struct arena *arena, const struct refresh_token *token)
{
    struct crypto_digest hash = crypto_sha256(token->secret);

    return arena_copy(arena, (struct str){(const char *)hash.bytes, sizeof(hash.bytes)});
}
