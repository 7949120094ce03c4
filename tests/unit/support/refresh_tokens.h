/* SPDX-License-Identifier: Apache-2.0 */
/* Refresh tokens, right and wrong, over a keyring of two keys. */
#pragma once

#include "support/auth.h"

#include "refresh_token.h"

#define SID "01890a5d-ac96-774b-bcce-b302099a8057"

static const struct str client = STR("first-party");
static struct keyring *keyring;

static inline struct uuid sid(void)
{
    struct uuid id;

    assert_int_equal(codec_uuid_parse(STR(SID), &id), OK);
    return id;
}

/* One whose secret is known. */
static inline struct refresh_token known(struct str kid, int64_t generation)
{
    return (struct refresh_token){
        .kid = kid,
        .sid = sid(),
        .generation = generation,
        .secret = STR("0123456789abcdef0123456789abcdef"),
        .client_id = client,
    };
}

static inline struct str text_of(const struct refresh_token *token)
{
    struct str text;

    assert_int_equal(refresh_token_text(keyring, &auth_arena, token, &text), OK);
    return text;
}

static inline enum error parse_for(struct str text, struct str client_id, struct refresh_token *out)
{
    return refresh_token_parse(keyring, &auth_arena, text, client_id, out);
}

static inline enum error parse(struct str text)
{
    struct refresh_token token;

    return parse_for(text, client, &token);
}

static inline struct refresh_token next_of(const struct refresh_token *token)
{
    struct refresh_token next;

    assert_int_equal(refresh_token_next(keyring, &auth_arena, token, &next), OK);
    return next;
}

/* A text with the tag that belongs to it, whatever it says. */
static inline struct str sealed_with(struct str head, struct str kid, enum keyring_purpose purpose)
{
    struct str covered = arena_printf(&auth_arena, "%.*sfirst-party", STR_ARG(head));
    struct crypto_digest mac = crypto_hmac(keyring_key(keyring, kid, purpose), covered);
    struct buf out = buf_in(&auth_arena, 1024);

    buf_append(&out, head);
    codec_base64url(&out, (struct str){(const char *)mac.bytes, 16});
    assert_false(out.overflowed);
    return buf_str(&out);
}

static inline struct str sealed(struct str head)
{
    return sealed_with(head, STR("k1"), KEYRING_REFRESH);
}

#define SECRET "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"

static inline int set_up(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    keyring = auth_keyring("{\"current\":\"k2\",\"keys\":{" AUTH_K1 "," AUTH_K2 "}}");
    return 0;
}

static inline int tear_down(void **state)
{
    (void)state;
    keyring_free(keyring);
    return 0;
}

static inline int fresh(void **state)
{
    (void)state;
    (void)auth_fresh_arena();
    return 0;
}
