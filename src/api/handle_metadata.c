/* SPDX-License-Identifier: Apache-2.0 */
#include "handlers.h"
#include "json_out.h"

enum { METADATA_BYTES_MAX = 4096 };

static void write_url(struct json_out *json, const char *name, struct str issuer, const char *path)
{
    char memory[2048];
    struct buf url = buf_over(memory, sizeof(memory));

    buf_append(&url, issuer);
    buf_append(&url, str_from(path));
    json_member_str(json, name, buf_str(&url));
}

/* Words that are separated by spaces. */
static void write_list(struct json_out *json, const char *name, struct str words)
{
    json_key(json, name);
    json_array(json);
    while (words.len > 0) {
        json_str(json, str_cut(&words, ' '));
    }
    json_array_end(json);
}

/* One token may be of any key that is published. */
static struct str algorithms(const struct signer_set *set, struct buf *out)
{
    for (size_t i = 0; i < set->count; i++) {
        struct str alg = str_from(signing_key_alg(set->keys[i]));

        if (!token_has_word(buf_str(out), alg)) {
            buf_append(out, out->len > 0 ? STR(" ") : STR_EMPTY);
            buf_append(out, alg);
        }
    }
    return buf_str(out);
}

/* RFC 8414 section 2. `response_types_supported` is required and stays empty: there is no
 * authorization endpoint. OpenID Connect Discovery's two required lists stand here too, for
 * verifiers that read only openid-configuration. */
static void write_metadata(const struct tokens *tokens, struct buf *out)
{
    struct json_out json = json_out_to(out);
    char memory[64];
    struct buf algs = buf_over(memory, sizeof(memory));

    json_object(&json);
    json_member_str(&json, "issuer", tokens->issuer);
    write_url(&json, "jwks_uri", tokens->issuer, "/.well-known/jwks.json");
    write_list(&json, "response_types_supported", STR_EMPTY);
    write_url(&json, "token_endpoint", tokens->issuer, "/oauth2/token");
    write_url(&json, "revocation_endpoint", tokens->issuer, "/oauth2/revoke");
    write_url(&json, "introspection_endpoint", tokens->issuer, "/oauth2/introspect");
    write_list(&json, "grant_types_supported", STR("refresh_token client_credentials"));
    write_list(&json, "token_endpoint_auth_methods_supported",
               STR("client_secret_basic client_secret_post none"));
    write_list(&json, "revocation_endpoint_auth_methods_supported",
               STR("client_secret_basic client_secret_post none"));
    write_list(&json, "introspection_endpoint_auth_methods_supported",
               STR("client_secret_basic client_secret_post"));
    write_list(&json, "subject_types_supported", STR("public"));
    write_list(&json, "id_token_signing_alg_values_supported",
               algorithms(signers_now(tokens->signers), &algs));
    json_object_end(&json);
}

/* Text and tag are the set's, which outlives the answer. */
enum error handle_metadata_jwks(struct request *request)
{
    const struct signer_set *set = signers_now(request->api->options.tokens->signers);

    request_reply_document(request, &(struct request_document){
                                        .body = set->jwks,
                                        .etag = set->jwks_etag,
                                        .cache_control = request->api->cache_control,
                                    });
    return OK;
}

/* Made anew each time: it names the algorithms of the keys, is small, and is seldom asked for. */
enum error handle_metadata(struct request *request)
{
    struct buf out = buf_in(request->arena, METADATA_BYTES_MAX);
    struct buf etag = buf_in(request->arena, SIGNERS_ETAG_BYTES);
    struct str body;

    write_metadata(request->api->options.tokens, &out);
    TRY(buf_finish(&out, &body));
    signers_etag(body, &etag);
    request_reply_document(request, &(struct request_document){
                                        .body = body,
                                        .etag = buf_str(&etag),
                                        .cache_control = request->api->cache_control,
                                    });
    return OK;
}
