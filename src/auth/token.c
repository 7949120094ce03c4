/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stddef.h>

#include "clock.h"
#include "json_out.h"
#include "token_cache.h"
#include "token_checks.h"
#include "token_header.h"

enum { HEADER_BYTES_MAX = 256, CLAIMS_BYTES_MAX = 2304 };

static void write_audience(struct json_out *json, const struct tokens *self,
                           const struct token_subject *subject)
{
    const struct str *audience = subject->audience == NULL ? self->audiences : subject->audience;
    size_t count = subject->audience == NULL ? self->audience_count : subject->audience_count;

    json_key(json, "aud");
    if (count == 1) {
        json_str(json, audience[0]);
        return;
    }
    json_array(json);
    for (size_t i = 0; i < count; i++) {
        json_str(json, audience[i]);
    }
    json_array_end(json);
}

static struct str write_header(const struct tokens *self, struct arena *arena,
                               const struct signing_key *key)
{
    struct buf out = buf_in(arena, HEADER_BYTES_MAX);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "alg", str_from(signing_key_alg(key)));
    json_member_str(&json, "typ", self->typ);
    json_member_str(&json, "kid", str_from(signing_key_kid(key)));
    json_object_end(&json);
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

static void write_session(struct json_out *json, struct arena *arena,
                          const struct token_subject *subject)
{
    json_member_str(json, "sid", codec_uuid_in(arena, subject->sid));
    json_member_i64(json, "av", subject->auth_ver);
    json_member_words(json, "roles", subject->roles);
    json_member_i64(json, "auth_time", subject->auth_time_s);
    json_member_words(json, "amr", subject->amr);
}

/* RFC 9068 section 2.2: iss, exp, aud, sub, client_id, iat and jti are required. */
static struct str write_claims(const struct tokens *self, struct arena *arena,
                               const struct token_subject *subject)
{
    struct buf out = buf_in(arena, CLAIMS_BYTES_MAX);
    struct json_out json = json_out_to(&out);
    int64_t now_s = clock_wall_s();

    json_object(&json);
    json_member_str(&json, "iss", self->issuer);
    json_member_str(&json, "sub", subject->sub);
    write_audience(&json, self, subject);
    json_member_str(&json, "client_id", subject->client_id);
    json_member_i64(&json, "iat", now_s);
    json_member_i64(&json, "exp", now_s + self->ttl_s);
    json_member_str(&json, "jti", codec_uuid_in(arena, crypto_uuid4()));
    json_member_str(&json, "scope", subject->scope);
    if (!subject->is_client) {
        write_session(&json, arena, subject);
    }
    json_object_end(&json);
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

enum error token_issue(const struct tokens *self, struct arena *arena,
                       const struct token_subject *subject, struct str *out)
{
    const struct signing_key *key = signers_now(self->signers)->signer;
    struct buf token = buf_in(arena, TOKEN_BYTES_MAX);
    struct buf signature = buf_in(arena, SIGNING_SIGNATURE_BYTES_MAX);
    struct str header;
    struct str claims;

    if (key == NULL) {
        return ERR_NO_SIGNING_KEY;
    }
    header = write_header(self, arena, key);
    claims = write_claims(self, arena, subject);
    if (header.len == 0 || claims.len == 0 || arena_overflowed(arena)) {
        return ERR_NO_SPACE;
    }
    codec_base64url(&token, header);
    buf_append_byte(&token, '.');
    codec_base64url(&token, claims);
    TRY(signing_sign(key, buf_str(&token), &signature));
    buf_append_byte(&token, '.');
    codec_base64url(&token, buf_str(&signature));
    return buf_finish(&token, out);
}

struct token_payload {
    struct str iss;
    struct str sub;
    struct json_text_list aud;
    struct str client_id;
    struct str sid;
    struct str jti;
    struct str scope;
    struct json_text_list roles;
    int64_t av;
    int64_t iat;
    int64_t exp;
    int64_t auth_time;
};

#define CLAIM_I64(name_, flags_)                                                                   \
    {                                                                                              \
        .name = #name_, .type = JSON_TYPE_I64, .flags = (flags_),                                  \
        .offset = offsetof(struct token_payload, name_)                                            \
    }

#define CLAIM_LIST(name_, flags_)                                                                  \
    {                                                                                              \
        .name = #name_, .type = JSON_TYPE_TEXT_LIST, .flags = (flags_),                            \
        .offset = offsetof(struct token_payload, name_), .codepoints_min = 1,                      \
        .codepoints_max = 1024                                                                     \
    }

static const struct json_field payload_fields[] = {
    JSON_TEXT(struct token_payload, iss, 1, 1024, JSON_REQUIRED),
    JSON_TEXT(struct token_payload, sub, 1, 64, JSON_REQUIRED),
    CLAIM_LIST(aud, JSON_REQUIRED),
    JSON_TEXT(struct token_payload, client_id, 1, 64, JSON_REQUIRED),
    JSON_TEXT(struct token_payload, sid, UUID_TEXT_BYTES, UUID_TEXT_BYTES, JSON_OPTIONAL),
    JSON_TEXT(struct token_payload, jti, 0, 64, JSON_OPTIONAL),
    JSON_TEXT(struct token_payload, scope, 0, 1024, JSON_OPTIONAL),
    CLAIM_LIST(roles, JSON_OPTIONAL),
    CLAIM_I64(av, JSON_OPTIONAL),
    CLAIM_I64(iat, JSON_OPTIONAL),
    CLAIM_I64(exp, JSON_REQUIRED),
    CLAIM_I64(auth_time, JSON_OPTIONAL),
};

static enum error decode_part(struct arena *arena, struct str part, const struct json_field *fields,
                              size_t count, void *out)
{
    struct json_findings findings = {0};
    struct str json;

    if (codec_base64url_decode(arena, part, &json) != OK ||
        json_in_decode_lenient(arena, json, fields, count, out, &findings) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    return OK;
}

/* RFC 7515 section 5.2, with RFC 8725 section 3.1 and 3.11: key, type and algorithm before the
 * signature. A header with `crit` is refused: no extension is understood here. */
static enum error check_header(const struct tokens *self, const struct signer_set *set,
                               struct arena *arena, struct str part, const struct signing_key **key)
{
    struct token_header header;

    TRY(token_header_read(arena, part, &header));
    *key = signers_find(set, header.kid);
    if (*key == NULL || header.has_crit || !str_equal(header.typ, self->typ) ||
        !str_equal(header.alg, str_from(signing_key_alg(*key)))) {
        return ERR_UNAUTHENTICATED;
    }
    return OK;
}

/* `sid`, `av` and `auth_time` come together, in a user's token alone. */
static enum error read_session(const struct token_payload *payload, struct token_claims *out)
{
    if (payload->sid.ptr != NULL) {
        out->auth_ver = payload->av;
        out->auth_time_s = payload->auth_time;
        return payload->av > 0 && payload->auth_time > 0 ? codec_uuid_parse(payload->sid, &out->sid)
                                                         : ERR_UNAUTHENTICATED;
    }
    out->is_client = true;
    return str_equal(payload->sub, payload->client_id) && payload->roles.count == 0
               ? OK
               : ERR_UNAUTHENTICATED;
}

static struct str joined(struct arena *arena, const struct json_text_list *words)
{
    struct buf out;
    size_t bytes = 0;

    for (size_t i = 0; i < words->count; i++) {
        bytes += words->items[i].len + 1;
    }
    out = buf_in(arena, bytes);
    for (size_t i = 0; i < words->count; i++) {
        if (i > 0) {
            buf_append_byte(&out, ' ');
        }
        buf_append(&out, words->items[i]);
    }
    return buf_str(&out);
}

static enum error check_payload(const struct tokens *self, struct arena *arena, struct str part,
                                struct token_claims *out)
{
    struct token_payload payload = {0};
    struct token_claims claims = {0};

    TRY(decode_part(arena, part, payload_fields, sizeof(payload_fields) / sizeof(payload_fields[0]),
                    &payload));
    if (!str_equal(payload.iss, self->issuer) || payload.exp <= clock_wall_s() ||
        read_session(&payload, &claims) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    claims.sub = payload.sub;
    claims.client_id = payload.client_id;
    claims.iat_s = payload.iat;
    claims.exp_s = payload.exp;
    claims.jti = payload.jti;
    claims.roles = joined(arena, &payload.roles);
    claims.scope = payload.scope;
    claims.aud = payload.aud;
    *out = claims;
    return OK;
}

/* Nothing of the payload counts before the signature was found right. */
static enum error check_all(const struct tokens *self, const struct signer_set *set,
                            struct arena *arena, struct str token, struct token_claims *out)
{
    const struct signing_key *key = NULL;
    struct token_claims claims;
    struct str rest = token;
    struct str header;
    struct str payload;
    struct str signed_part;
    struct str signature;

    header = str_cut(&rest, '.');
    payload = str_cut(&rest, '.');
    signed_part = str_sub(token, 0, header.len + 1 + payload.len);
    if (rest.len == 0 || codec_base64url_decode(arena, rest, &signature) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    TRY(check_header(self, set, arena, header, &key));
    TRY(check_payload(self, arena, payload, &claims));
    if (signing_verify(key, signed_part, signature) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    *out = claims;
    return OK;
}

static enum error check_once(const struct tokens *self, struct arena *arena, struct str token,
                             struct token_claims *out)
{
    const struct signer_set *set = signers_now(self->signers);
    struct token_cache_key key;

    if (self->cache == NULL) {
        TRY(check_all(self, set, arena, token, out));
        token_checks_count(TOKEN_CHECKS_VERIFIED);
        return OK;
    }
    key = token_cache_key_of(token, set->generation);
    if (token_cache_find(self->cache, arena, &key, out)) {
        token_checks_count(TOKEN_CHECKS_CACHED);
        return OK;
    }
    TRY(check_all(self, set, arena, token, out));
    token_cache_store(self->cache, &key, out);
    token_checks_count(TOKEN_CHECKS_VERIFIED);
    return OK;
}

enum error token_verify(const struct tokens *self, struct arena *arena, struct str token,
                        struct token_claims *out)
{
    enum error error = ERR_UNAUTHENTICATED;

    if (token.len <= TOKEN_BYTES_MAX) {
        error = check_once(self, arena, token, out);
    }
    if (error != OK) {
        token_checks_count(TOKEN_CHECKS_REFUSED);
    }
    return error;
}

bool token_is_for(const struct token_claims *claims, struct str audience)
{
    for (size_t i = 0; i < claims->aud.count; i++) {
        if (str_equal(claims->aud.items[i], audience)) {
            return true;
        }
    }
    return false;
}

enum error token_check(const struct tokens *self, struct arena *arena, struct str token,
                       struct token_claims *out)
{
    struct token_claims claims;

    TRY(token_verify(self, arena, token, &claims));
    for (size_t i = 0; i < self->audience_count && !claims.is_client; i++) {
        if (token_is_for(&claims, self->audiences[i])) {
            *out = claims;
            return OK;
        }
    }
    return ERR_UNAUTHENTICATED;
}

bool token_has_word(struct str words, struct str word)
{
    while (words.len > 0) {
        if (str_equal(str_cut(&words, ' '), word)) {
            return true;
        }
    }
    return false;
}

enum error token_require_admin(const struct tokens *self, const struct token_claims *claims)
{
    if (claims->aud.count != 1 || !str_equal(claims->aud.items[0], self->issuer)) {
        return ERR_UNAUTHENTICATED;
    }
    return token_has_word(claims->scope, TOKEN_SCOPE_ADMIN) ? OK : ERR_INSUFFICIENT_SCOPE;
}

enum error token_require_reader(const struct tokens *self, const struct token_claims *claims)
{
    if (!token_is_for(claims, self->issuer)) {
        return ERR_UNAUTHENTICATED;
    }
    return token_has_word(claims->scope, TOKEN_SCOPE_READ) ? OK : ERR_INSUFFICIENT_SCOPE;
}
