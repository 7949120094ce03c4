/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens, right and wrong. Wrong ones are made with the right key wherever they can be, so that
 * nothing but the rule under test refuses them.
 */
#pragma once

#include "support/auth.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "token.h"

enum { TEXT_BYTES_MAX = 8192 };

static struct signing_key *key;
static struct signing_key *old_key;
static struct signing_key *foreign_key;
static struct tokens tokens;

/* `signer` signs; both verify. */
static inline void use_keys(struct signing_key *signer, struct signing_key *other)
{
    struct signer_set set = {.keys = {signing_key_hold(signer)}, .count = 1, .signer = signer};

    if (other != NULL) {
        set.keys[set.count++] = signing_key_hold(other);
    }
    signers_replace((struct signers *)(uintptr_t)tokens.signers, &set);
}

static inline struct token_subject subject(void)
{
    struct token_subject out = {
        .sub = STR("5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e"),
        .client_id = STR("first-party"),
        .auth_ver = 7,
        .roles = STR("admin support"),
        .scope = STR_EMPTY,
        .auth_time_s = 1767225600,
        .amr = STR("pwd otp"),
    };

    assert_int_equal(codec_uuid_parse(STR("01890a5d-ac96-774b-bcce-b302099a8057"), &out.sid), OK);
    return out;
}

static inline struct str issue(void)
{
    struct token_subject who = subject();
    struct str token;

    assert_int_equal(token_issue(&tokens, auth_fresh_arena(), &who, &token), OK);
    return token;
}

/* In an arena of its own: the token is in the other one. */
static inline enum error check(struct str token)
{
    static unsigned char memory[64 * 1024];
    struct token_claims claims = {.auth_ver = -1};
    struct arena arena;
    enum error error;

    arena_init(&arena, memory, sizeof(memory));
    error = token_check(&tokens, &arena, token, &claims);
    assert_int_equal(claims.auth_ver == -1, error != OK); /* untouched on failure */
    return error;
}

/* And again: what was read before must not make the difference. */
static inline void assert_refused(struct str token)
{
    for (int i = 0; i < 2; i++) {
        enum error error = check(token);

        if (error != ERR_UNAUTHENTICATED) {
            fail_msg("%s: %.*s", error_code(error), STR_ARG(token));
        }
    }
}

/* header.payload, in the caller's memory */
static inline struct buf unsigned_token(char *text, struct str header, struct str payload)
{
    struct buf out = buf_over(text, TEXT_BYTES_MAX);

    codec_base64url(&out, header);
    buf_append_byte(&out, '.');
    codec_base64url(&out, payload);
    assert_false(out.overflowed);
    return out;
}

static inline struct str sign_with(struct buf *token, const struct signing_key *with)
{
    char memory[SIGNING_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(memory, sizeof(memory));

    assert_int_equal(signing_sign(with, buf_str(token), &signature), OK);
    buf_append_byte(token, '.');
    codec_base64url(token, buf_str(&signature));
    assert_false(token->overflowed);
    return buf_str(token);
}

static inline struct str make(char *text, struct str header, struct str payload)
{
    struct buf token = unsigned_token(text, header, payload);

    return sign_with(&token, key);
}

/* The header of a good token; rows replace one member of it. */
static inline struct str header_of(char *text, const char *alg, const char *typ, const char *kid)
{
    struct buf out = buf_over(text, 512);

    buf_printf(&out, "{\"alg\":%s,\"typ\":%s,\"kid\":%s}", alg, typ, kid);
    assert_false(out.overflowed);
    return buf_str(&out);
}

static inline const char *quoted_kid(void)
{
    static char text[SIGNING_KID_BYTES_MAX + 3];

    (void)snprintf(text, sizeof(text), "\"%s\"", signing_key_kid(key));
    return text;
}

static inline struct str good_header(char *text)
{
    return header_of(text, "\"ES256\"", "\"at+jwt\"", quoted_kid());
}

/* The payload of a good token with `name` as `value` instead; NULL leaves the member out. */
static inline struct str payload_with(char *text, const char *name, const char *value)
{
    struct buf out = buf_over(text, 4096);
    char exp[32];
    const char *const members[][2] = {
        {"iss", "\"https://user.example.com\""},
        {"sub", "\"5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e\""},
        {"aud", "\"shop\""},
        {"client_id", "\"first-party\""},
        {"sid", "\"01890a5d-ac96-774b-bcce-b302099a8057\""},
        {"av", "7"},
        {"exp", exp},
        {"auth_time", "1767225600"},
    };

    (void)snprintf(exp, sizeof(exp), "%" PRId64, clock_wall_s() + 300);
    buf_append_byte(&out, '{');
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        bool other = strcmp(members[i][0], name) == 0;
        const char *written = other ? value : members[i][1];

        if (written != NULL) {
            buf_printf(&out, "%s\"%s\":%s", out.len == 1 ? "" : ",", members[i][0], written);
        }
    }
    buf_append_byte(&out, '}');
    assert_false(out.overflowed);
    return buf_str(&out);
}

static inline struct str good_payload(char *text)
{
    return payload_with(text, "", NULL);
}

static inline struct str with_header(char *text, struct str header)
{
    char payload[4096];

    return make(text, header, good_payload(payload));
}

static inline struct str with_claim(char *text, const char *name, const char *value)
{
    char header[512];
    char payload[4096];

    return make(text, good_header(header), payload_with(payload, name, value));
}

static inline struct str part(struct str token, unsigned index)
{
    struct str cut = str_cut(&token, '.');
    struct str bytes;

    for (unsigned i = 0; i < index; i++) {
        cut = str_cut(&token, '.');
    }
    assert_int_equal(codec_base64url_decode(&auth_arena, cut, &bytes), OK);
    return bytes;
}

static inline int tokens_start(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    key = signing_key_generate();
    old_key = signing_key_generate();
    foreign_key = signing_key_generate();
    tokens = (struct tokens){
        .issuer = STR("https://user.example.com"),
        .audiences = {STR("shop")},
        .audience_count = 1,
        .typ = STR("at+jwt"),
        .ttl_s = 300,
        .signers = signers_new_of(signing_key_hold(key)),
    };
    return 0;
}

static inline int tokens_stop(void **state)
{
    (void)state;
    signers_free((struct signers *)(uintptr_t)tokens.signers);
    signing_key_free(key);
    signing_key_free(old_key);
    signing_key_free(foreign_key);
    return 0;
}
