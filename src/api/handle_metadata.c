/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "handlers.h"
#include "json_out.h"

enum { JWKS_BYTES_MAX = 8192, METADATA_BYTES_MAX = 4096, ETAG_BYTES = 24 };

/* What others cache must not change under one ETag, so the tag is of the content. */
static enum error keep(const struct buf *written, struct api_document *out)
{
    struct crypto_digest digest = crypto_sha256(buf_str(written));
    char *memory = malloc(written->len + ETAG_BYTES);

    if (memory == NULL || written->overflowed) {
        free(memory);
        return ERR_NO_SPACE;
    }
    struct buf etag = buf_over(memory + written->len, ETAG_BYTES);
    memcpy(memory, written->ptr, written->len);
    buf_append_byte(&etag, '"');
    codec_base64url(&etag, (struct str){(const char *)digest.bytes, 12});
    buf_append_byte(&etag, '"');
    out->body = (struct str){memory, written->len};
    out->etag = buf_str(&etag);
    return OK;
}

static void write_url(struct json_out *json, const char *name, struct str issuer, const char *path)
{
    char memory[2048];
    struct buf url = buf_over(memory, sizeof(memory));

    buf_append(&url, issuer);
    buf_append(&url, str_from(path));
    json_member_str(json, name, buf_str(&url));
}

static void write_list(struct json_out *json, const char *name, const char *only)
{
    json_key(json, name);
    json_array(json);
    if (only != NULL) {
        json_str(json, str_from(only));
    }
    json_array_end(json);
}

/* RFC 8414 section 2. `response_types_supported` is required and stays empty: there is no
 * authorization endpoint. OpenID Connect Discovery's two required lists stand here too, for
 * verifiers that read only openid-configuration. */
static void write_metadata(const struct tokens *tokens, struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_object(&json);
    json_member_str(&json, "issuer", tokens->issuer);
    write_url(&json, "jwks_uri", tokens->issuer, "/.well-known/jwks.json");
    write_list(&json, "response_types_supported", NULL);
    write_url(&json, "token_endpoint", tokens->issuer, "/oauth2/token");
    write_url(&json, "revocation_endpoint", tokens->issuer, "/oauth2/revoke");
    write_list(&json, "grant_types_supported", "refresh_token");
    write_list(&json, "token_endpoint_auth_methods_supported", "none");
    write_list(&json, "revocation_endpoint_auth_methods_supported", "none");
    write_list(&json, "subject_types_supported", "public");
    write_list(&json, "id_token_signing_alg_values_supported",
               signing_key_alg(signers_now(tokens->signers)->signer));
    json_object_end(&json);
}

enum error handle_metadata_start(struct api *api)
{
    const struct tokens *tokens = api->options.tokens;
    char memory[JWKS_BYTES_MAX];
    struct buf out = buf_over(memory, sizeof(memory));

    signers_jwks(signers_now(tokens->signers), &out);
    TRY(keep(&out, &api->jwks));
    out = buf_over(memory, METADATA_BYTES_MAX);
    write_metadata(tokens, &out);
    return keep(&out, &api->metadata);
}

enum error handle_metadata_jwks(struct request *request)
{
    request_reply_document(request, &request->api->jwks);
    return OK;
}

enum error handle_metadata(struct request *request)
{
    request_reply_document(request, &request->api->metadata);
    return OK;
}
