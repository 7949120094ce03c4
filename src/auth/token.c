/* SPDX-License-Identifier: Apache-2.0 */
#include "token.h"

#include <stddef.h>

#include "clock.h"
#include "json_out.h"

enum { HEADER_BYTES_MAX = 256, CLAIMS_BYTES_MAX = 2048 };

static void write_audience(struct json_out *json, const struct tokens *self)
{
    json_key(json, "aud");
    if (self->audience_count == 1) {
        json_str(json, self->audiences[0]);
        return;
    }
    json_array(json);
    for (size_t i = 0; i < self->audience_count; i++) {
        json_str(json, self->audiences[i]);
    }
    json_array_end(json);
}

static struct str write_header(const struct tokens *self, struct arena *arena)
{
    struct buf out = buf_in(arena, HEADER_BYTES_MAX);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "alg", str_from(signing_key_alg(self->keys[0])));
    json_member_str(&json, "typ", self->typ);
    json_member_str(&json, "kid", str_from(signing_key_kid(self->keys[0])));
    json_object_end(&json);
    return buf_str(&out);
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
    write_audience(&json, self);
    json_member_str(&json, "client_id", subject->client_id);
    json_member_i64(&json, "iat", now_s);
    json_member_i64(&json, "exp", now_s + self->ttl_s);
    json_member_str(&json, "jti", codec_uuid_in(arena, crypto_uuid4()));
    json_member_str(&json, "sid", codec_uuid_in(arena, subject->sid));
    json_member_i64(&json, "av", subject->auth_ver);
    json_member_words(&json, "roles", subject->roles);
    json_member_str(&json, "scope", subject->scope);
    json_member_i64(&json, "auth_time", subject->auth_time_s);
    json_member_words(&json, "amr", subject->amr);
    json_object_end(&json);
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

enum error token_issue(const struct tokens *self, struct arena *arena,
                       const struct token_subject *subject, struct str *out)
{
    struct str header = write_header(self, arena);
    struct str claims = write_claims(self, arena, subject);
    struct buf token = buf_in(arena, TOKEN_BYTES_MAX);
    struct buf signature = buf_in(arena, SIGNING_SIGNATURE_BYTES_MAX);

    if (claims.len == 0) {
        return ERR_NO_SPACE;
    }
    codec_base64url(&token, header);
    buf_append_byte(&token, '.');
    codec_base64url(&token, claims);
    TRY(signing_sign(self->keys[0], buf_str(&token), &signature));
    buf_append_byte(&token, '.');
    codec_base64url(&token, buf_str(&signature));
    return buf_finish(&token, out);
}

struct token_header {
    struct str alg;
    struct str typ;
    struct str kid;
    struct str crit;
};

static const struct json_field header_fields[] = {
    JSON_TEXT(struct token_header, alg, 1, 16, JSON_REQUIRED),
    JSON_TEXT(struct token_header, typ, 1, 16, JSON_REQUIRED),
    JSON_TEXT(struct token_header, kid, 1, SIGNING_KID_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct token_header, crit, 0, 64, JSON_OPTIONAL),
};

struct token_payload {
    struct str iss;
    struct str sub;
    struct json_text_list aud;
    struct str client_id;
    struct str sid;
    int64_t av;
    int64_t exp;
    int64_t auth_time;
};

#define CLAIM_I64(name_)                                                                           \
    {                                                                                              \
        .name = #name_, .type = JSON_TYPE_I64, .flags = JSON_REQUIRED,                             \
        .offset = offsetof(struct token_payload, name_)                                            \
    }

static const struct json_field payload_fields[] = {
    JSON_TEXT(struct token_payload, iss, 1, 1024, JSON_REQUIRED),
    JSON_TEXT(struct token_payload, sub, 1, 64, JSON_REQUIRED),
    {.name = "aud",
     .type = JSON_TYPE_TEXT_LIST,
     .flags = JSON_REQUIRED,
     .offset = offsetof(struct token_payload, aud),
     .codepoints_min = 1,
     .codepoints_max = 1024},
    JSON_TEXT(struct token_payload, client_id, 1, 64, JSON_REQUIRED),
    JSON_TEXT(struct token_payload, sid, UUID_TEXT_BYTES, UUID_TEXT_BYTES, JSON_REQUIRED),
    CLAIM_I64(av),
    CLAIM_I64(exp),
    CLAIM_I64(auth_time),
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

static const struct signing_key *find_key(const struct tokens *self, struct str kid)
{
    for (size_t i = 0; i < self->key_count; i++) {
        if (str_equal(str_from(signing_key_kid(self->keys[i])), kid)) {
            return self->keys[i];
        }
    }
    return NULL;
}

/* RFC 7515 section 5.2, with RFC 8725 section 3.1 and 3.11: key, type and algorithm before the
 * signature. A header with `crit` is refused: no extension is understood here. */
static enum error check_header(const struct tokens *self, struct arena *arena, struct str part,
                               const struct signing_key **key)
{
    struct token_header header = {0};

    TRY(decode_part(arena, part, header_fields, sizeof(header_fields) / sizeof(header_fields[0]),
                    &header));
    *key = find_key(self, header.kid);
    if (*key == NULL || header.crit.ptr != NULL || !str_equal(header.typ, self->typ) ||
        !str_equal(header.alg, str_from(signing_key_alg(*key)))) {
        return ERR_UNAUTHENTICATED;
    }
    return OK;
}

static bool for_our_audience(const struct tokens *self, const struct json_text_list *aud)
{
    for (size_t i = 0; i < aud->count; i++) {
        for (size_t j = 0; j < self->audience_count; j++) {
            if (str_equal(aud->items[i], self->audiences[j])) {
                return true;
            }
        }
    }
    return false;
}

static enum error check_payload(const struct tokens *self, struct arena *arena, struct str part,
                                struct token_claims *out)
{
    struct token_payload payload = {0};
    struct token_claims claims;

    TRY(decode_part(arena, part, payload_fields, sizeof(payload_fields) / sizeof(payload_fields[0]),
                    &payload));
    if (!str_equal(payload.iss, self->issuer) || payload.exp <= clock_wall_s() ||
        !for_our_audience(self, &payload.aud) || codec_uuid_parse(payload.sid, &claims.sid) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    claims.sub = payload.sub;
    claims.client_id = payload.client_id;
    claims.auth_ver = payload.av;
    claims.auth_time_s = payload.auth_time;
    *out = claims;
    return OK;
}

enum error token_check(const struct tokens *self, struct arena *arena, struct str token,
                       struct token_claims *out)
{
    const struct signing_key *key = NULL;
    struct str rest = token;
    struct str header;
    struct str payload;
    struct str signed_part;
    struct str signature;

    if (token.len > TOKEN_BYTES_MAX) {
        return ERR_UNAUTHENTICATED;
    }
    header = str_cut(&rest, '.');
    payload = str_cut(&rest, '.');
    signed_part = str_sub(token, 0, header.len + 1 + payload.len);
    if (rest.len == 0 || codec_base64url_decode(arena, rest, &signature) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    TRY(check_header(self, arena, header, &key));
    if (signing_verify(key, signed_part, signature) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    return check_payload(self, arena, payload, out);
}

void token_jwks(const struct tokens *self, struct buf *out)
{
    buf_append(out, STR("{\"keys\":["));
    for (size_t i = 0; i < self->key_count; i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        signing_key_public_jwk(self->keys[i], out);
    }
    buf_append(out, STR("]}"));
}
