/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens (RFC 7515, RFC 7519). The input is tried as a token, and, cut at its first line
 * break, as header and claims that carry a good signature: else nothing behind the signature's check
 * would ever be reached.
 */
#include "buf.h"
#include "codec.h"
#include "fuzz.h"
#include "json_in.h"
#include "signing.h"
#include "token.h"

/* Made for this test, and public. */
static const struct str jwk = STR("{\"kty\":\"EC\",\"crv\":\"P-256\",\"kid\":\"fuzz\","
                                  "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","
                                  "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\","
                                  "\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}");

static struct tokens tokens = {
    .issuer = STR("https://issuer.example"),
    .audiences = {STR("https://api.example")},
    .audience_count = 1,
    .typ = STR("at+jwt"),
    .ttl_s = 300,
};

static void prepare(void)
{
    struct signing_key *key = NULL;
    const char *why = "";

    if (tokens.signers != NULL) {
        return;
    }
    crypto_start();
    json_in_start();
    if (signing_key_load(jwk, &key, &why) != OK) {
        assert(!"the key is good");
    }
    tokens.signers = signers_new_of(key);
}

static void check(struct str token)
{
    struct token_claims claims = {0};

    if (token_check(&tokens, fuzz_arena(), token, &claims) == OK) {
        assert(claims.sub.len > 0);
    }
}

static void check_signed(struct str input)
{
    static char text[2 * TOKEN_BYTES_MAX];
    struct str rest = input;
    const struct str header = str_cut(&rest, '\n');
    char raw[SIGNING_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(raw, sizeof(raw));
    struct buf token = buf_over(text, sizeof(text));

    codec_base64url(&token, header);
    buf_append_byte(&token, '.');
    codec_base64url(&token, rest);
    if (token.overflowed ||
        signing_sign(signers_now(tokens.signers)->signer, buf_str(&token), &signature) != OK) {
        return;
    }
    buf_append_byte(&token, '.');
    codec_base64url(&token, buf_str(&signature));
    if (!token.overflowed) {
        check(buf_str(&token));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    prepare();
    check(fuzz_str(data, size));
    check_signed(fuzz_str(data, size));
    return 0;
}
