/* SPDX-License-Identifier: Apache-2.0 */
/* What a client's own token says: whom it is for, what it may do. */
#include "support/tokens.h"

#include "client_token.h"

#define ISSUER "https://user.example.com"

static struct client client_of(struct str audience, struct str scope)
{
    return (struct client){
        .id = STR("01890a5d-ac96-774b-bcce-b302099a8057"),
        .name = STR("orders"),
        .audience = audience,
        .scope = scope,
    };
}

/* The audience, separated by spaces; the scope is the token's. */
static enum error issued(struct str audience, struct str scope, const char *wanted,
                         struct token_claims *out)
{
    struct client client = client_of(audience, scope);
    struct str asked = wanted == NULL ? (struct str){NULL, 0} : str_from(wanted);
    struct client_grant grant;

    TRY(client_token_issue(&tokens, auth_fresh_arena(), &client, asked, &grant));
    TRY(token_verify(&tokens, &auth_arena, grant.access_token, out));
    assert_str_equal(grant.scope, out->scope);
    assert_true(out->is_client);
    assert_str_equal(out->sub, client.id);
    assert_str_equal(out->client_id, client.id);
    assert_str_equal(out->roles, STR_EMPTY);
    assert_int_equal(token_check(&tokens, &auth_arena, grant.access_token, out),
                     ERR_UNAUTHENTICATED); /* never a user's */
    return OK;
}

static void scope_decides_the_audience(void **state)
{
    static const struct {
        struct str audience;
        struct str scope;
        const char *wanted;
        struct str expected;
        struct str granted;
    } rows[] = {
        {STR("shop"), STR("a b"), NULL, STR("shop"), STR("a b")},
        {STR("shop orders"), STR(""), NULL, STR("shop orders"), STR("")},
        {STR("shop"), STR("a users:read"), NULL, STR("shop " ISSUER), STR("a users:read")},
        {STR("shop"), STR("a users:read"), "a", STR("shop"), STR("a")},
        {STR("shop"), STR("a b c"), "c a", STR("shop"), STR("a c")},
        {STR("shop"), STR("a b"), "a a", STR("shop"), STR("a")},
        {STR(""), STR("users:read"), NULL, STR(ISSUER), STR("users:read")},
        {STR("shop " ISSUER), STR("users:read"), NULL, STR("shop " ISSUER), STR("users:read")},
        {STR("shop"), STR("users:admin"), NULL, STR(ISSUER), STR("users:admin")},
        {STR("shop"), STR("users:read users:admin"), NULL, STR(ISSUER),
         STR("users:read users:admin")},
        {STR("shop"), STR("users:read users:admin"), "users:read", STR("shop " ISSUER),
         STR("users:read")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct token_claims claims = {.is_client = false};
        struct str rest = rows[i].expected;

        assert_int_equal(issued(rows[i].audience, rows[i].scope, rows[i].wanted, &claims), OK);
        assert_str_equal(claims.scope, rows[i].granted);
        for (size_t word = 0; word < claims.aud.count; word++) {
            assert_str_equal(claims.aud.items[word], str_cut(&rest, ' '));
        }
        assert_int_equal(rest.len, 0);
    }
}

static void no_more_than_was_registered(void **state)
{
    static const char *const wider[] = {"c",    "a c", "A", "a ", " a",
                                        "a  b", " ",   "",  "ab", "users:admin"};
    struct token_claims claims;

    (void)state;
    for (size_t i = 0; i < sizeof(wider) / sizeof(wider[0]); i++) {
        assert_int_equal(issued(STR("shop"), STR("a b"), wider[i], &claims), ERR_INVALID_SCOPE);
    }
    assert_int_equal(issued(STR(""), STR("a"), NULL, &claims), ERR_UNAUTHORIZED_CLIENT);
    assert_int_equal(issued(STR(""), STR("a users:read"), "a", &claims), ERR_UNAUTHORIZED_CLIENT);
}

static void require(const char *scope, const char *audience, enum error reader, enum error admin)
{
    struct token_claims claims = {
        .scope = str_from(scope),
        .aud = {.items = {str_from(audience), STR("x")}, .count = 1},
    };

    assert_int_equal(token_require_reader(&tokens, &claims), reader);
    assert_int_equal(token_require_admin(&tokens, &claims), admin);
    claims.aud.count = 2; /* somebody else's, too */
    assert_int_equal(token_require_reader(&tokens, &claims), reader);
    assert_int_equal(token_require_admin(&tokens, &claims), ERR_UNAUTHENTICATED);
}

static void each_place_asks_for_its_scope(void **state)
{
    (void)state;
    require("users:read", ISSUER, OK, ERR_INSUFFICIENT_SCOPE);
    require("users:admin", ISSUER, ERR_INSUFFICIENT_SCOPE, OK);
    require("", ISSUER, ERR_INSUFFICIENT_SCOPE, ERR_INSUFFICIENT_SCOPE);
    require("users:reads", ISSUER, ERR_INSUFFICIENT_SCOPE, ERR_INSUFFICIENT_SCOPE);
    require("users:read users:admin", "shop", ERR_UNAUTHENTICATED, ERR_UNAUTHENTICATED);
    require("users:read users:admin", ISSUER "/", ERR_UNAUTHENTICATED, ERR_UNAUTHENTICATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scope_decides_the_audience),
        cmocka_unit_test(no_more_than_was_registered),
        cmocka_unit_test(each_place_asks_for_its_scope),
    };

    return cmocka_run_group_tests_name("client_token", tests, tokens_start, tokens_stop);
}
