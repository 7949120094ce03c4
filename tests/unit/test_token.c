/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RFC 7515, RFC 7519, RFC 8725, RFC 9068. Wrong tokens are made with the right key wherever they can
 * be, so that nothing but the rule under test refuses them.
 */
#include "support/auth.h"

#include <inttypes.h>
#include <stdio.h>

#include "clock.h"
#include "token.h"

enum { TEXT_BYTES_MAX = 8192, SIGNATURE_BYTES = 64 };

static struct signing_key *key;
static struct signing_key *old_key;
static struct signing_key *foreign_key;
static struct tokens tokens;

static struct token_subject subject(void)
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

static struct str issue(void)
{
    struct token_subject who = subject();
    struct str token;

    assert_int_equal(token_issue(&tokens, auth_fresh_arena(), &who, &token), OK);
    return token;
}

/* In an arena of its own: the token is in the other one. */
static enum error check(struct str token)
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

static void assert_refused(struct str token)
{
    enum error error = check(token);

    if (error != ERR_UNAUTHENTICATED) {
        fail_msg("%s: %.*s", error_code(error), STR_ARG(token));
    }
}

/* header.payload, in the caller's memory */
static struct buf unsigned_token(char *text, struct str header, struct str payload)
{
    struct buf out = buf_over(text, TEXT_BYTES_MAX);

    codec_base64url(&out, header);
    buf_append_byte(&out, '.');
    codec_base64url(&out, payload);
    assert_false(out.overflowed);
    return out;
}

static struct str sign_with(struct buf *token, const struct signing_key *with)
{
    char memory[SIGNING_SIGNATURE_BYTES_MAX];
    struct buf signature = buf_over(memory, sizeof(memory));

    assert_int_equal(signing_sign(with, buf_str(token), &signature), OK);
    buf_append_byte(token, '.');
    codec_base64url(token, buf_str(&signature));
    assert_false(token->overflowed);
    return buf_str(token);
}

static struct str make(char *text, struct str header, struct str payload)
{
    struct buf token = unsigned_token(text, header, payload);

    return sign_with(&token, key);
}

/* The header of a good token; rows replace one member of it. */
static struct str header_of(char *text, const char *alg, const char *typ, const char *kid)
{
    struct buf out = buf_over(text, 512);

    buf_printf(&out, "{\"alg\":%s,\"typ\":%s,\"kid\":%s}", alg, typ, kid);
    assert_false(out.overflowed);
    return buf_str(&out);
}

static const char *quoted_kid(void)
{
    static char text[SIGNING_KID_BYTES_MAX + 3];

    (void)snprintf(text, sizeof(text), "\"%s\"", signing_key_kid(key));
    return text;
}

static struct str good_header(char *text)
{
    return header_of(text, "\"ES256\"", "\"at+jwt\"", quoted_kid());
}

/* The payload of a good token with `name` as `value` instead; NULL leaves the member out. */
static struct str payload_with(char *text, const char *name, const char *value)
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

static struct str good_payload(char *text)
{
    return payload_with(text, "", NULL);
}

static struct str with_header(char *text, struct str header)
{
    char payload[4096];

    return make(text, header, good_payload(payload));
}

static struct str with_claim(char *text, const char *name, const char *value)
{
    char header[512];
    char payload[4096];

    return make(text, good_header(header), payload_with(payload, name, value));
}

static void what_is_issued_is_taken(void **state)
{
    static unsigned char memory[64 * 1024];
    struct token_claims claims;
    struct arena arena;
    struct str token = issue();

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(token_check(&tokens, &arena, token, &claims), OK);
    assert_str_equal(claims.sub, subject().sub);
    assert_str_equal(claims.client_id, STR("first-party"));
    assert_true(uuid_equal(claims.sid, subject().sid));
    assert_int_equal(claims.auth_ver, 7);
    assert_int_equal(claims.auth_time_s, 1767225600);
}

/* What the rows of the matrix differ from. */
static void the_pattern_of_the_wrong_ones_is_right(void **state)
{
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];

    (void)state;
    assert_int_equal(check(make(text, good_header(header), good_payload(payload))), OK);
    assert_int_equal(check(with_claim(text, "aud", "[\"other\",\"shop\"]")), OK);
    assert_int_equal(check(with_claim(text, "av", "0")), OK);
}

static struct str part(struct str token, unsigned index)
{
    struct str cut = str_cut(&token, '.');
    struct str bytes;

    for (unsigned i = 0; i < index; i++) {
        cut = str_cut(&token, '.');
    }
    assert_int_equal(codec_base64url_decode(&auth_arena, cut, &bytes), OK);
    return bytes;
}

static void the_header_is_of_rfc_9068(void **state)
{
    char wanted[512];

    (void)state;
    assert_str_equal(part(issue(), 0), good_header(wanted));
}

struct claims {
    struct str iss, sub, client_id, jti, sid, scope;
    struct json_text_list aud, roles, amr;
    int64_t iat, exp, av, auth_time;
};

#define TEXT(name_) JSON_TEXT(struct claims, name_, 0, 1024, JSON_REQUIRED)
#define NUMBER(name_)                                                                              \
    {                                                                                              \
        .name = #name_, .type = JSON_TYPE_I64, .flags = JSON_REQUIRED,                             \
        .offset = offsetof(struct claims, name_)                                                   \
    }
#define LIST(name_)                                                                                \
    {                                                                                              \
        .name = #name_, .type = JSON_TYPE_TEXT_LIST, .flags = JSON_REQUIRED,                       \
        .offset = offsetof(struct claims, name_), .codepoints_max = 1024                           \
    }

/* Strict: these and no others. No e-mail address among them. */
static struct claims claims_of(struct str token)
{
    static const struct json_field fields[] = {
        TEXT(iss),   TEXT(sub),  TEXT(client_id),   TEXT(jti), TEXT(sid),
        TEXT(scope), LIST(aud),  LIST(roles),       LIST(amr), NUMBER(iat),
        NUMBER(exp), NUMBER(av), NUMBER(auth_time),
    };
    static struct claims claims;
    struct json_findings findings = {0};

    claims = (struct claims){0};
    if (json_in_decode(&auth_arena, part(token, 1), fields, sizeof(fields) / sizeof(fields[0]),
                       &claims, &findings) != OK) {
        fail_msg("%.*s: %.*s", STR_ARG(findings.items[0].pointer),
                 STR_ARG(findings.items[0].detail));
    }
    return claims;
}

static void the_claims_are_those_of_the_contract(void **state)
{
    int64_t before_s = clock_wall_s();
    struct claims claims = claims_of(issue());

    (void)state;
    assert_str_equal(claims.iss, STR("https://user.example.com"));
    assert_str_equal(claims.sub, subject().sub);
    assert_str_equal(claims.client_id, STR("first-party"));
    assert_str_equal(claims.sid, STR("01890a5d-ac96-774b-bcce-b302099a8057"));
    assert_str_equal(claims.scope, STR_EMPTY);
    assert_int_equal(claims.aud.count, 1);
    assert_str_equal(claims.aud.items[0], STR("shop"));
    assert_int_equal(claims.roles.count, 2);
    assert_str_equal(claims.roles.items[1], STR("support"));
    assert_int_equal(claims.amr.count, 2);
    assert_int_equal(claims.av, 7);
    assert_int_equal(claims.auth_time, 1767225600);
    assert_int_equal(claims.exp - claims.iat, tokens.ttl_s);
    assert_in_range(claims.iat, before_s, clock_wall_s());
}

static void no_two_tokens_have_one_id(void **state)
{
    char first[64];
    struct str jti = claims_of(issue()).jti;

    (void)state;
    assert_int_equal(jti.len, UUID_TEXT_BYTES);
    memcpy(first, jti.ptr, jti.len);
    assert_false(str_equal(claims_of(issue()).jti, (struct str){first, UUID_TEXT_BYTES}));
}

static void several_audiences_are_an_array(void **state)
{
    struct claims claims;

    (void)state;
    tokens.audiences[1] = STR("kitchen");
    tokens.audience_count = 2;
    claims = claims_of(issue());
    assert_int_equal(claims.aud.count, 2);
    assert_str_equal(claims.aud.items[1], STR("kitchen"));
    tokens.audience_count = 1;
}

/* RFC 8725 sections 3.1 and 3.2; RFC 7515 section 4.1.1. */
static void the_algorithm_is_the_keys(void **state)
{
    static const char *const algs[] = {
        "\"none\"",
        "\"None\"",
        "\"NoNe\"",
        "\"NONE\"",
        "\"\"",
        "\"HS256\"",
        "\"HS384\"",
        "\"HS512\"",
        "\"RS256\"",
        "\"PS256\"",
        "\"ES384\"",
        "\"ES512\"",
        "\"EdDSA\"",
        "\"es256\"",
        "\"ES256 \"",
        "\"ES256\\n\"",
        "[\"ES256\"]",
        "[\"none\"]",
        "null",
        "true",
        "256",
        "{}",
        "{\"alg\":\"ES256\"}",
        "\"ES256,none\"",
        "\"\\u0045S256K\"",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];

    (void)state;
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        assert_refused(with_header(text, header_of(header, algs[i], "\"at+jwt\"", quoted_kid())));
    }
    /* the same letters, written in another way, are the same algorithm */
    assert_int_equal(
        check(with_header(text, header_of(header, "\"\\u0045S256\"", "\"at+jwt\"", quoted_kid()))),
        OK);
}

static void a_token_without_signature_is_refused(void **state)
{
    static const char *const algs[] = {"\"none\"", "\"NoNe\"", "\"ES256\"", "\"HS256\""};
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
        struct buf token = unsigned_token(
            text, header_of(header, algs[i], "\"at+jwt\"", quoted_kid()), good_payload(payload));

        assert_refused(buf_str(&token));
        buf_append_byte(&token, '.');
        assert_refused(buf_str(&token));
    }
}

/* The secret of an HMAC, and the token that it makes. */
static void assert_hmac_refused(struct str secret)
{
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];
    struct buf token = unsigned_token(
        text, header_of(header, "\"HS256\"", "\"at+jwt\"", quoted_kid()), good_payload(payload));
    struct crypto_digest mac = crypto_hmac_bytes(secret, buf_str(&token));

    buf_append_byte(&token, '.');
    codec_base64url(&token, (struct str){(const char *)mac.bytes, sizeof(mac.bytes)});
    assert_refused(buf_str(&token));
}

struct point {
    struct str x, y;
};

static struct point public_point(void)
{
    static const struct json_field fields[] = {
        JSON_TEXT(struct point, x, 43, 43, JSON_REQUIRED),
        JSON_TEXT(struct point, y, 43, 43, JSON_REQUIRED),
    };
    static char memory[SIGNING_JWK_BYTES_MAX];
    struct buf jwk = buf_over(memory, sizeof(memory));
    struct point point = {0};

    signing_key_public_jwk(key, &jwk);
    assert_int_equal(
        json_in_decode_lenient(auth_fresh_arena(), buf_str(&jwk), fields, 2, &point, NULL), OK);
    return point;
}

/* The public key as what it is published as, and as what libraries write: RFC 8725 section 2.1. */
static void the_public_key_is_no_secret(void **state)
{
    static const unsigned char spki[27] = {0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48,
                                           0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04};
    struct point point = public_point();
    char memory[SIGNING_JWK_BYTES_MAX];
    struct buf text = buf_over(memory, sizeof(memory));
    char der[sizeof(spki) + 64];
    char base64[256];
    struct buf body = buf_over(base64, sizeof(base64));

    (void)state;
    memcpy(der, spki, sizeof(spki));
    assert_int_equal(codec_base64url_decode_exact(point.x, der + sizeof(spki), 32), OK);
    assert_int_equal(codec_base64url_decode_exact(point.y, der + sizeof(spki) + 32, 32), OK);
    assert_hmac_refused(STR_EMPTY);
    assert_hmac_refused((struct str){der, sizeof(der)});
    assert_hmac_refused((struct str){der + sizeof(spki), 64});
    assert_hmac_refused((struct str){der + sizeof(spki) - 1, 65});
    signing_key_public_jwk(key, &text);
    assert_hmac_refused(buf_str(&text));
    assert_hmac_refused(str_from(signing_key_kid(key)));
    codec_base64(&body, (struct str){der, sizeof(der)});
    text = buf_over(memory, sizeof(memory));
    buf_printf(&text, "-----BEGIN PUBLIC KEY-----\n%.64s\n%.*s\n-----END PUBLIC KEY-----\n", base64,
               (int)body.len - 64, base64 + 64);
    assert_hmac_refused(buf_str(&text));
    assert_hmac_refused(str_sub(buf_str(&text), 0, text.len - 1));
}

static void another_keys_signature_is_refused(void **state)
{
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];
    struct buf token = unsigned_token(text, good_header(header), good_payload(payload));

    (void)state;
    assert_refused(sign_with(&token, foreign_key));
}

/* The key is found by its id alone; what the header says of keys is not looked at. */
static void a_key_that_is_unknown_is_refused(void **state)
{
    static const char *const kids[] = {
        "\"\"",
        "\"x\"",
        "null",
        "1",
        "[]",
        "\"../../../dev/null\"",
        "\"'; DROP TABLE users; --\"",
        "\"/etc/passwd\"",
        "\"http://attacker.example/\"",
        "\"%00\"",
        "\"*\"",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];
    char long_kid[300];
    char quoted[SIGNING_KID_BYTES_MAX + 8];

    (void)state;
    for (size_t i = 0; i < sizeof(kids) / sizeof(kids[0]); i++) {
        assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", kids[i])));
    }
    memset(long_kid, 'k', sizeof(long_kid));
    long_kid[0] = long_kid[sizeof(long_kid) - 2] = '"';
    long_kid[sizeof(long_kid) - 1] = '\0';
    assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", long_kid)));
    (void)snprintf(quoted, sizeof(quoted), "\"%sx\"", signing_key_kid(key));
    assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", quoted)));
    (void)snprintf(quoted, sizeof(quoted), "\"%s\"", signing_key_kid(foreign_key));
    assert_refused(with_header(text, header_of(header, "\"ES256\"", "\"at+jwt\"", quoted)));
    assert_refused(with_header(text, STR("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}")));
}

/* RFC 8725 section 3.11. */
static void another_type_is_refused(void **state)
{
    static const char *const types[] = {
        "\"JWT\"",
        "\"jwt\"",
        "\"AT+JWT\"",
        "\"at+jwt \"",
        "\"application/at+jwt\"",
        "\"\"",
        "\"dpop+jwt\"",
        "\"token-introspection+jwt\"",
        "null",
        "[\"at+jwt\"]",
        "7",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];

    (void)state;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        assert_refused(with_header(text, header_of(header, "\"ES256\"", types[i], quoted_kid())));
    }
    (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"kid\":%s}", quoted_kid());
    assert_refused(with_header(text, str_from(header)));
}

/* RFC 7515 section 4.1.11: none is understood here, so every `crit` is refused, and so is an empty one. */
static void extensions_are_refused(void **state)
{
    static const char *const crits[] = {
        "[\"exp\"]", "[\"b64\"],\"b64\":false",   "[]", "\"exp\"", "\"\"", "null",
        "{}",        "[\"http://example.com/x\"]"};
    char text[TEXT_BYTES_MAX];
    char header[512];

    (void)state;
    for (size_t i = 0; i < sizeof(crits) / sizeof(crits[0]); i++) {
        (void)snprintf(header, sizeof(header),
                       "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s,\"crit\":%s}",
                       quoted_kid(), crits[i]);
        assert_refused(with_header(text, str_from(header)));
    }
}

/* RFC 7515 section 4, RFC 7519 section 4: a member twice is refused, whichever of the two is right. */
static void a_member_twice_is_refused(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"ES256\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"alg\":\"none\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"alg\":\"ES256\",\"\\u0061lg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"typ\":\"at+jwt\",\"kid\":%s}",
        "{\"kid\":\"x\",\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":%s}",
    };
    char text[TEXT_BYTES_MAX];
    char header[512];
    char value[64];

    (void)state;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        struct buf out = buf_over(header, sizeof(header));
        struct str form = str_from(headers[i]);
        struct str before = str_cut(&form, '%');

        buf_append(&out, before);
        buf_append(&out, str_from(quoted_kid()));
        buf_append(&out, str_sub(form, 1, form.len));
        assert_refused(with_header(text, buf_str(&out)));
    }
    assert_refused(with_claim(text, "sub", "\"a\",\"sub\":\"a\""));
    assert_refused(with_claim(text, "aud", "\"shop\",\"aud\":\"shop\""));
    (void)snprintf(value, sizeof(value), "1,\"exp\":%" PRId64, clock_wall_s() + 300);
    assert_refused(with_claim(text, "exp", value));
    (void)snprintf(value, sizeof(value), "%" PRId64 ",\"exp\":1", clock_wall_s() + 300);
    assert_refused(with_claim(text, "exp", value));
}

static void what_expired_is_refused(void **state)
{
    char text[TEXT_BYTES_MAX];
    char value[32];

    (void)state;
    for (int64_t late_s = 0; late_s <= 86400; late_s = late_s * 10 + 1) {
        (void)snprintf(value, sizeof(value), "%" PRId64, clock_wall_s() - late_s);
        assert_refused(with_claim(text, "exp", value));
    }
    (void)snprintf(value, sizeof(value), "%" PRId64, clock_wall_s() + 30);
    assert_int_equal(check(with_claim(text, "exp", value)), OK);
}

static void an_expiry_is_a_whole_number(void **state)
{
    static const char *const values[] = {
        "\"4102444800\"",
        "4102444800.0",
        "4102444800.5",
        "4.1024448e9",
        "1e300",
        "-1",
        "0",
        "-4102444800",
        "9223372036854775808",
        "18446744073709551616",
        "1e400",
        "null",
        "true",
        "[4102444800]",
        "{}",
        "\"\"",
        "-9223372036854775808",
        NULL,
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_refused(with_claim(text, "exp", values[i]));
    }
    assert_int_equal(check(with_claim(text, "exp", "9223372036854775807")), OK);
}

static void another_issuer_is_refused(void **state)
{
    static const char *const values[] = {
        "\"https://attacker.example\"",
        "\"https://user.example.com/\"",
        "\"https://USER.example.com\"",
        "\"http://user.example.com\"",
        "\"https://user.example.com\\u0020\"",
        "\"https://user.example.com.attacker.example\"",
        "\"\"",
        "null",
        "[\"https://user.example.com\"]",
        "1",
        NULL,
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_refused(with_claim(text, "iss", values[i]));
    }
}

static void another_audience_is_refused(void **state)
{
    static const char *const values[] = {
        "\"other\"",
        "\"SHOP\"",
        "\"shop \"",
        "\"sho\"",
        "\"shops\"",
        "[]",
        "[\"other\"]",
        "\"\"",
        "null",
        "7",
        "{}",
        "{\"0\":\"shop\"}",
        "[[\"shop\"]]",
        "[\"shop\",7]",
        "[null,\"shop\"]",
        "\"https://user.example.com\"",
        "\"other,shop\"",
        "\"other shop\"",
        NULL,
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_refused(with_claim(text, "aud", values[i]));
    }
}

static void every_claim_is_of_its_type(void **state)
{
    static const char *const rows[][2] = {
        {"sub", NULL},
        {"sub", "\"\""},
        {"sub", "7"},
        {"sub", "null"},
        {"client_id", NULL},
        {"client_id", "\"\""},
        {"client_id", "[]"},
        {"sid", NULL},
        {"sid", "\"\""},
        {"sid", "\"not-a-uuid\""},
        {"sid", "null"},
        {"sid", "\"{1890a5d-ac96-774b-bcce-b302099a805}\""},
        {"sid", "\"01890a5d-ac96-774b-bcce-b302099a805\""},
        {"av", NULL},
        {"av", "\"7\""},
        {"av", "7.0"},
        {"av", "1e0"},
        {"av", "null"},
        {"auth_time", NULL},
        {"auth_time", "\"1\""},
        {"auth_time", "true"},
    };
    char text[TEXT_BYTES_MAX];
    char long_sub[80];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_refused(with_claim(text, rows[i][0], rows[i][1]));
    }
    memset(long_sub, 's', sizeof(long_sub));
    long_sub[0] = long_sub[66] = '"'; /* 65 characters between */
    long_sub[67] = '\0';
    assert_refused(with_claim(text, "sub", long_sub));
}

static void parts_are_json_objects(void **state)
{
    static const struct str bad[] = {
        STR(""),
        STR("null"),
        STR("[]"),
        STR("\"x\""),
        STR("7"),
        STR("{"),
        STR("{}"),
        STR("{} {}"),
        STR("{\"a\":1,}"),
        STR("{'alg':'ES256'}"),
        STR("\xef\xbb\xbf{}"),
        STR("{\"alg\":\"\xff\"}"),
        STR("{\"alg\":\"\\ud800\"}"),
        STR("{\"\\u0000\":1}"),
        STR("{\"a\":NaN}"),
        STR("{\"a\":Infinity}"),
    };
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(make(text, bad[i], good_payload(payload)));
        assert_refused(make(text, good_header(header), bad[i]));
    }
}

static void nesting_has_an_end(void **state)
{
    char text[TEXT_BYTES_MAX];
    char deep[512];
    char payload[4096];
    struct buf out = buf_over(deep, sizeof(deep));

    (void)state;
    buf_append(&out, STR("7,\"x\":"));
    for (unsigned i = 0; i < 200; i++) {
        buf_append_byte(&out, '[');
    }
    for (unsigned i = 0; i < 200; i++) {
        buf_append_byte(&out, ']');
    }
    buf_append_byte(&out, '\0');
    (void)payload;
    assert_refused(with_claim(text, "av", deep));
}

/* RFC 8725bis: compact serialisation, of the alphabet of base64url and two dots, and nothing else. */
static void every_other_form_is_refused(void **state)
{
    char text[TEXT_BYTES_MAX];
    char changed[TEXT_BYTES_MAX + 16];
    struct str token = issue();
    static const char *const around[][2] = {
        {"", "."},  {"", ".x"},   {"", "=="},      {"", "="},  {"", " "},
        {"", "\n"}, {" ", ""},    {".", ""},       {"\t", ""}, {"=", ""},
        {"", "A"},  {"", "AA"},   {"", "AAAA"},    {"", "%"},  {"", "\xff"},
        {"x", ""},  {"xxxx", ""}, {"Bearer ", ""}, {"", ","},  {"", ".."},
    };

    (void)state;
    (void)text;
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++) {
        struct buf out = buf_over(changed, sizeof(changed));

        buf_append(&out, str_from(around[i][0]));
        buf_append(&out, token);
        buf_append(&out, str_from(around[i][1]));
        assert_refused(buf_str(&out));
    }
    assert_refused(STR(""));
    assert_refused(STR("."));
    assert_refused(STR(".."));
    assert_refused(STR("..."));
    assert_refused(STR("a.b.c"));
    assert_refused(STR("a.b.c.d.e"));
    assert_refused(STR("{\"payload\":\"\",\"signatures\":[]}"));
    assert_refused(STR("rt1.k1.01890a5d-ac96-774b-bcce-b302099a8057.0.x.y"));
}

static void no_part_may_be_missing(void **state)
{
    char changed[TEXT_BYTES_MAX];
    struct str token = issue();

    (void)state;
    for (unsigned missing = 1; missing < 8; missing++) {
        struct buf out = buf_over(changed, sizeof(changed));
        struct str rest = token;

        for (unsigned i = 0; i < 3; i++) {
            struct str cut = str_cut(&rest, '.');

            buf_append(&out, (missing >> i & 1) != 0 ? STR_EMPTY : cut);
            buf_append(&out, i < 2 ? STR(".") : STR_EMPTY);
        }
        assert_refused(buf_str(&out));
    }
}

static void every_truncation_is_refused(void **state)
{
    struct str token = issue();

    (void)state;
    for (size_t len = 0; len < token.len; len++) {
        assert_refused(str_sub(token, 0, len));
        assert_refused(str_sub(token, len + 1, token.len));
    }
}

/* 0 accepted, of each bit of a token that is taken. */
static void every_flipped_bit_is_refused(void **state)
{
    char changed[TOKEN_BYTES_MAX];
    struct str token = issue();

    (void)state;
    memcpy(changed, token.ptr, token.len);
    assert_int_equal(check((struct str){changed, token.len}), OK);
    for (size_t i = 0; i < token.len; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            changed[i] = (char)(changed[i] ^ (1 << bit));
            assert_refused((struct str){changed, token.len});
            changed[i] = (char)(changed[i] ^ (1 << bit));
        }
    }
    assert_int_equal(check((struct str){changed, token.len}), OK);
}

/* Appends a signature of `bytes` and says what becomes of the token. */
static void assert_signature_refused(struct str signature)
{
    char text[TEXT_BYTES_MAX * 8];
    char header[512];
    char payload[4096];
    struct buf token = unsigned_token(text, good_header(header), good_payload(payload));

    token.cap = sizeof(text);
    buf_append_byte(&token, '.');
    codec_base64url(&token, signature);
    assert_false(token.overflowed);
    assert_refused(buf_str(&token));
}

/* The DER form of r and s (SEQUENCE of two INTEGERs). */
static size_t to_der(const unsigned char *raw, unsigned char *out)
{
    size_t len = 2;

    for (unsigned half = 0; half < 2; half++) {
        const unsigned char *number = raw + (size_t)half * 32;
        size_t skip = 0;
        bool pad;

        while (skip < 31 && number[skip] == 0) {
            skip++;
        }
        pad = number[skip] >= 0x80;
        out[len++] = 0x02;
        out[len++] = (unsigned char)(32 - skip + (pad ? 1 : 0));
        if (pad) {
            out[len++] = 0;
        }
        memcpy(out + len, number + skip, 32 - skip);
        len += 32 - skip;
    }
    out[0] = 0x30;
    out[1] = (unsigned char)(len - 2);
    return len;
}

/* RFC 7518 section 3.4: r and s, 64 bytes; each of both in 1 … n-1. */
static void a_signature_is_r_and_s(void **state)
{
    static const unsigned char order[32] = {0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                            0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                            0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51};
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];
    unsigned char raw[SIGNATURE_BYTES + 2] = {0};
    unsigned char der[80];
    static char huge[TEXT_BYTES_MAX * 2];
    struct buf token = unsigned_token(text, good_header(header), good_payload(payload));
    struct buf signature = buf_over(raw, SIGNATURE_BYTES);

    (void)state;
    assert_int_equal(signing_sign(key, buf_str(&token), &signature), OK);
    assert_int_equal(signature.len, SIGNATURE_BYTES);
    assert_signature_refused((struct str){(const char *)der, to_der(raw, der)});
    for (size_t bytes = 0; bytes < 130; bytes++) {
        assert_signature_refused((struct str){huge, bytes}); /* zeros: CVE-2022-21449 */
    }
    assert_signature_refused((struct str){(const char *)raw, SIGNATURE_BYTES - 1});
    assert_signature_refused((struct str){(const char *)raw + 1, SIGNATURE_BYTES - 1});
    assert_signature_refused((struct str){(const char *)raw, SIGNATURE_BYTES + 1});
    assert_signature_refused((struct str){huge, sizeof(huge)});
    memcpy(huge, order, 32);
    memcpy(huge + 32, order, 32);
    assert_signature_refused((struct str){huge, SIGNATURE_BYTES}); /* r = s = n */
    memcpy(huge, raw, SIGNATURE_BYTES);
    memset(huge + 32, 0, 32);
    assert_signature_refused((struct str){huge, SIGNATURE_BYTES}); /* s = 0 */
    memset(huge, 0xff, SIGNATURE_BYTES);
    assert_signature_refused((struct str){huge, SIGNATURE_BYTES});
    memset(huge, 0, sizeof(huge));
}

/* The parts of two good tokens make no third one. */
static void parts_of_different_tokens_do_not_fit(void **state)
{
    char first[TOKEN_BYTES_MAX];
    char changed[TEXT_BYTES_MAX];
    struct str one = issue();
    struct str two;

    (void)state;
    memcpy(first, one.ptr, one.len);
    one.ptr = first;
    two = issue();
    for (unsigned mix = 1; mix < 7; mix++) {
        struct buf out = buf_over(changed, sizeof(changed));
        struct str rest[2] = {one, two};

        for (unsigned i = 0; i < 3; i++) {
            struct str cut[2] = {str_cut(&rest[0], '.'), str_cut(&rest[1], '.')};

            buf_append(&out, cut[mix >> i & 1]);
            buf_append(&out, i < 2 ? STR(".") : STR_EMPTY);
        }
        if (mix != 1 && mix != 6) { /* the headers are alike: those two are the tokens themselves */
            assert_refused(buf_str(&out));
        }
    }
}

static void size_has_a_limit(void **state)
{
    static char text[1 << 20];

    (void)state;
    memset(text, 'A', sizeof(text));
    assert_refused((struct str){text, sizeof(text)});
    assert_refused((struct str){text, TOKEN_BYTES_MAX + 1});
    memset(text, '.', sizeof(text));
    assert_refused((struct str){text, TOKEN_BYTES_MAX});
}

/* A key signs no more but verifies until its tokens have run out. */
static void the_key_before_still_verifies(void **state)
{
    char text[TOKEN_BYTES_MAX];
    struct str token = issue();

    (void)state;
    memcpy(text, token.ptr, token.len);
    tokens.keys[0] = old_key;
    tokens.keys[1] = key;
    tokens.key_count = 2;
    assert_int_equal(check((struct str){text, token.len}), OK);
    assert_int_equal(check(issue()), OK);
    tokens.key_count = 1;
    assert_refused((struct str){text, token.len});
    tokens.keys[0] = key;
}

static void the_jwk_set_has_the_public_keys_alone(void **state)
{
    static const char *const private_members[] = {"\"d\"",  "\"p\"",  "\"q\"", "\"dp\"",
                                                  "\"dq\"", "\"qi\"", "\"k\"", "\"oth\""};
    struct str elements[TOKEN_KEYS_MAX];
    char memory[8192];
    struct buf out = buf_over(memory, sizeof(memory) - 1);
    size_t count = 0;

    (void)state;
    tokens.keys[1] = old_key;
    tokens.key_count = 2;
    token_jwks(&tokens, &out);
    tokens.key_count = 1;
    memory[out.len] = '\0';
    assert_true(unit_is_json(buf_str(&out)));
    assert_int_equal(json_in_elements(auth_fresh_arena(), buf_str(&out), "keys", elements,
                                      TOKEN_KEYS_MAX, &count),
                     OK);
    assert_int_equal(count, 2);
    assert_non_null(strstr(memory, signing_key_kid(key)));
    assert_non_null(strstr(memory, signing_key_kid(old_key)));
    for (size_t i = 0; i < sizeof(private_members) / sizeof(private_members[0]); i++) {
        assert_null(strstr(memory, private_members[i]));
    }
}

/* The longest that a configuration may make of it must still fit. */
static void the_longest_token_is_issued_and_taken(void **state)
{
    static char issuer[1025];
    struct tokens saved = tokens;
    struct token_subject who = subject();
    char word[65];
    struct str token;

    (void)state;
    memset(word, 'w', sizeof(word));
    memset(issuer, 'i', sizeof(issuer));
    tokens.issuer = (struct str){issuer, 512};
    for (unsigned i = 0; i < TOKEN_AUDIENCES_MAX; i++) {
        tokens.audiences[i] = (struct str){word, 64};
    }
    tokens.audience_count = TOKEN_AUDIENCES_MAX;
    who.sub = (struct str){word, 64};
    who.client_id = (struct str){word, 64};
    assert_int_equal(token_issue(&tokens, auth_fresh_arena(), &who, &token), OK);
    assert_int_equal(check(token), OK);
    tokens.issuer = (struct str){issuer, sizeof(issuer)};
    tokens.audiences[0] = (struct str){issuer, sizeof(issuer)};
    assert_int_equal(token_issue(&tokens, auth_fresh_arena(), &who, &token), ERR_NO_SPACE);
    tokens = saved;
}

static void an_arena_that_is_full_issues_nothing(void **state)
{
    static unsigned char memory[16384];
    struct token_subject who = subject();
    bool fitted = false;

    (void)state;
    for (size_t bytes = 1; bytes < sizeof(memory) && !fitted; bytes += 61) {
        struct str token = STR("untouched");
        struct arena arena;
        enum error error;

        arena_init(&arena, memory, bytes);
        error = token_issue(&tokens, &arena, &who, &token);
        fitted = error == OK;
        if (fitted) {
            assert_int_equal(check(token), OK);
        } else {
            assert_int_equal(error, ERR_NO_SPACE);
            assert_str_equal(token, STR("untouched"));
        }
    }
    assert_true(fitted);
}

static int set_up(void **state)
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
        .keys = {key},
        .key_count = 1,
    };
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    signing_key_free(key);
    signing_key_free(old_key);
    signing_key_free(foreign_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_issued_is_taken),
        cmocka_unit_test(the_pattern_of_the_wrong_ones_is_right),
        cmocka_unit_test(the_header_is_of_rfc_9068),
        cmocka_unit_test(the_claims_are_those_of_the_contract),
        cmocka_unit_test(no_two_tokens_have_one_id),
        cmocka_unit_test(several_audiences_are_an_array),
        cmocka_unit_test(the_algorithm_is_the_keys),
        cmocka_unit_test(a_token_without_signature_is_refused),
        cmocka_unit_test(the_public_key_is_no_secret),
        cmocka_unit_test(another_keys_signature_is_refused),
        cmocka_unit_test(a_key_that_is_unknown_is_refused),
        cmocka_unit_test(another_type_is_refused),
        cmocka_unit_test(extensions_are_refused),
        cmocka_unit_test(a_member_twice_is_refused),
        cmocka_unit_test(what_expired_is_refused),
        cmocka_unit_test(an_expiry_is_a_whole_number),
        cmocka_unit_test(another_issuer_is_refused),
        cmocka_unit_test(another_audience_is_refused),
        cmocka_unit_test(every_claim_is_of_its_type),
        cmocka_unit_test(parts_are_json_objects),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(every_other_form_is_refused),
        cmocka_unit_test(no_part_may_be_missing),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(a_signature_is_r_and_s),
        cmocka_unit_test(parts_of_different_tokens_do_not_fit),
        cmocka_unit_test(size_has_a_limit),
        cmocka_unit_test(the_key_before_still_verifies),
        cmocka_unit_test(the_jwk_set_has_the_public_keys_alone),
        cmocka_unit_test(the_longest_token_is_issued_and_taken),
        cmocka_unit_test(an_arena_that_is_full_issues_nothing),
    };

    return cmocka_run_group_tests_name("token", tests, set_up, tear_down);
}
