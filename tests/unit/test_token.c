/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7519, RFC 9068: what is issued, and that it is taken. */
#include "support/tokens.h"

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
    assert_int_equal(check(with_claim(text, "av", "1")), OK);
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
    use_keys(old_key, key);
    assert_int_equal(check((struct str){text, token.len}), OK);
    assert_int_equal(check(issue()), OK);
    use_keys(old_key, NULL);
    assert_refused((struct str){text, token.len});
    use_keys(key, NULL);
}

static void the_jwk_set_has_the_public_keys_alone(void **state)
{
    static const char *const private_members[] = {"\"d\"",  "\"p\"",  "\"q\"", "\"dp\"",
                                                  "\"dq\"", "\"qi\"", "\"k\"", "\"oth\""};
    struct str elements[SIGNERS_KEYS_MAX];
    char memory[8192];
    struct buf out = buf_over(memory, sizeof(memory) - 1);
    size_t count = 0;

    (void)state;
    use_keys(key, old_key);
    buf_append(&out, signers_now(tokens.signers)->jwks);
    use_keys(key, NULL);
    memory[out.len] = '\0';
    assert_true(unit_is_json(buf_str(&out)));
    assert_int_equal(json_in_elements(auth_fresh_arena(), buf_str(&out), "keys", elements,
                                      SIGNERS_KEYS_MAX, &count),
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_issued_is_taken),
        cmocka_unit_test(the_pattern_of_the_wrong_ones_is_right),
        cmocka_unit_test(the_header_is_of_rfc_9068),
        cmocka_unit_test(the_claims_are_those_of_the_contract),
        cmocka_unit_test(no_two_tokens_have_one_id),
        cmocka_unit_test(several_audiences_are_an_array),
        cmocka_unit_test(size_has_a_limit),
        cmocka_unit_test(the_key_before_still_verifies),
        cmocka_unit_test(the_jwk_set_has_the_public_keys_alone),
        cmocka_unit_test(the_longest_token_is_issued_and_taken),
        cmocka_unit_test(an_arena_that_is_full_issues_nothing),
    };

    return cmocka_run_group_tests_name("token", tests, tokens_start, tokens_stop);
}
