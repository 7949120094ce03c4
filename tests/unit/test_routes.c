/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <ctype.h>

#include "routes.h"

static unsigned char memory[65536];
static struct arena arena;
static struct api all_on = {.options = {.docs_on = true, .pages_on = true}};
static struct api all_off;

static struct route_match find(const struct api *api, enum http_method method, struct str path)
{
    arena_init(&arena, memory, sizeof(memory));
    return routes_find(&routes_api, api, &arena, method, path);
}

static void every_row_is_found(void **state)
{
    const struct route_table *const tables[] = {&routes_api, &routes_ops};

    (void)state;
    for (size_t t = 0; t < 2; t++) {
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct route *route = &tables[t]->rows[i];
            struct route_match match;

            arena_init(&arena, memory, sizeof(memory));
            match = routes_find(tables[t], &all_on, &arena, route->method, str_from(route->path));
            assert_ptr_equal(match.route, route); /* and no row hides another */
        }
    }
}

static void rows_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_api.count; i++) {
        const struct route *route = &routes_api.rows[i];

        assert_true(route->path[0] == '/');
        assert_non_null(route->handler);
        assert_true(route->lane < API_LANE_COUNT);
        assert_true(route->method != HTTP_HEAD); /* GET's row answers it */
        for (const char *c = route->operation; *c != '\0'; c++) {
            assert_true(islower((unsigned char)*c) || *c == '_' || isdigit((unsigned char)*c));
        }
        for (size_t j = i + 1; j < routes_api.count; j++) {
            assert_string_not_equal(route->operation, routes_api.rows[j].operation);
        }
    }
}

static size_t size_of(enum json_type type)
{
    switch (type) {
    case JSON_TYPE_TEXT:
        return sizeof(struct str);
    case JSON_TYPE_BOOL:
        return sizeof(bool);
    case JSON_TYPE_I64:
        return sizeof(int64_t);
    case JSON_TYPE_TEXT_LIST:
    case JSON_TYPE_TEXT_ARRAY:
        return sizeof(struct json_text_list);
    }
    return SIZE_MAX;
}

/* The struct that a body fills is of a size, and its fields lie in it. */
static void bodies_fit_their_structs(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_api.count; i++) {
        const struct route_body *body = routes_api.rows[i].body;

        if (body == NULL) {
            continue;
        }
        for (size_t j = 0; j < body->count; j++) {
            assert_true(body->fields[j].offset + size_of(body->fields[j].type) <=
                        body->struct_bytes);
            assert_true(body->fields[j].codepoints_min <= body->fields[j].codepoints_max);
        }
    }
}

/* What changes something waits for a worker; what the I/O thread answers needs no body. */
static void lanes_are_right(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_api.count; i++) {
        const struct route *route = &routes_api.rows[i];

        bool introspects = strcmp(route->operation, "oauth_introspect") == 0;

        if (route->method != HTTP_GET && !introspects) {
            assert_true(route->lane != API_INLINE);
        }
        if (route->lane == API_INLINE) {
            assert_true(route->auth == ROUTE_PUBLIC || route->auth == ROUTE_TOKEN);
            assert_true(route->body == NULL || introspects);
        }
        if (strncmp(route->path, "/v1/me", 6) == 0) {
            assert_int_equal(route->auth, ROUTE_BEARER);
        }
    }
    for (size_t i = 0; i < routes_ops.count; i++) {
        assert_int_equal(routes_ops.rows[i].lane, API_INLINE);
        assert_int_equal(routes_ops.rows[i].needs, ROUTE_ALWAYS);
    }
}

static void the_contract_is_there(void **state)
{
    static const struct {
        enum http_method method;
        const char *path;
        enum api_lane lane;
        enum route_auth auth;
    } rows[] = {
        {HTTP_POST, "/v1/register", API_HASH, ROUTE_PUBLIC},
        {HTTP_POST, "/v1/email-verification", API_DB, ROUTE_PUBLIC},
        {HTTP_POST, "/v1/email-verification/confirm", API_HASH, ROUTE_PUBLIC},
        {HTTP_POST, "/v1/login", API_HASH, ROUTE_PUBLIC},
        {HTTP_POST, "/v1/refresh", API_DB, ROUTE_PUBLIC},
        {HTTP_POST, "/v1/logout", API_DB, ROUTE_PUBLIC},
        {HTTP_POST, "/oauth2/token", API_DB, ROUTE_PUBLIC},
        {HTTP_POST, "/oauth2/introspect", API_INLINE, ROUTE_PUBLIC},
        {HTTP_POST, "/oauth2/revoke", API_DB, ROUTE_PUBLIC},
        {HTTP_GET, "/v1/me", API_DB, ROUTE_BEARER},
        {HTTP_PATCH, "/v1/me", API_DB, ROUTE_BEARER},
        {HTTP_GET, "/v1/auth/verify", API_INLINE, ROUTE_TOKEN},
        {HTTP_GET, "/v1/auth/verify/x", API_INLINE, ROUTE_TOKEN},
        {HTTP_GET, "/.well-known/jwks.json", API_INLINE, ROUTE_PUBLIC},
        {HTTP_GET, "/.well-known/oauth-authorization-server", API_INLINE, ROUTE_PUBLIC},
        {HTTP_GET, "/.well-known/openid-configuration", API_INLINE, ROUTE_PUBLIC},
        {HTTP_GET, "/livez", API_INLINE, ROUTE_PUBLIC},
        {HTTP_GET, "/readyz", API_INLINE, ROUTE_PUBLIC},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct route_match match = find(&all_off, rows[i].method, str_from(rows[i].path));

        if (match.route == NULL) {
            fail_msg("%s is not there", rows[i].path);
        }
        assert_int_equal(match.route->lane, rows[i].lane);
        assert_int_equal(match.route->auth, rows[i].auth);
    }
}

/* OAuth libraries send forms and read the errors of RFC 6749; nobody else does. */
static void forms_are_for_oauth_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < routes_api.count; i++) {
        const struct route *route = &routes_api.rows[i];
        bool is_oauth = strncmp(route->path, "/oauth2/", 8) == 0;

        assert_int_equal((route->flags & ROUTE_OAUTH) != 0, is_oauth);
        if (route->body != NULL) {
            assert_int_equal(route->body->is_form, is_oauth);
        }
        assert_true(!is_oauth || route->body != NULL);
    }
}

/* RFC 9110 section 9.3.2. */
static void head_finds_the_row_of_get(void **state)
{
    (void)state;
    assert_ptr_equal(find(&all_off, HTTP_HEAD, STR("/livez")).route,
                     find(&all_off, HTTP_GET, STR("/livez")).route);
    assert_null(find(&all_off, HTTP_HEAD, STR("/v1/login")).route);
}

/* RFC 9110 section 15.5.6. */
static void another_method_is_told_which_there_are(void **state)
{
    struct route_match match = find(&all_off, HTTP_GET, STR("/v1/login"));

    (void)state;
    assert_null(match.route);
    assert_str_equal(match.allow, STR("POST"));
    match = find(&all_off, HTTP_POST, STR("/v1/me"));
    assert_null(match.route);
    assert_str_equal(match.allow, STR("GET, HEAD, PATCH"));
    assert_str_equal(find(&all_off, HTTP_POST, STR("/livez")).allow, STR("GET, HEAD"));
}

/* RFC 9110 section 9: what is none of its methods, or PATCH, is not known. */
static void forward_authentication_takes_any_known_method(void **state)
{
    static const struct str paths[] = {
        STR("/v1/auth/verify"),      STR("/v1/auth/verify/"),       STR("/v1/auth/verify//"),
        STR("/v1/auth/verify/../x"), STR("/v1/auth/verify/a%2e;b"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        const char *wanted = i == 0 ? "auth_verify" : "auth_verify_below";
        struct route_match other;

        for (enum http_method method = HTTP_GET; method < HTTP_OTHER; method++) {
            const struct route *route = find(&all_off, method, paths[i]).route;

            assert_non_null(route);
            assert_string_equal(route->operation, wanted);
        }
        other = find(&all_off, HTTP_OTHER, paths[i]);
        assert_null(other.route);
        assert_str_equal(other.allow, STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    }
    assert_null(find(&all_off, HTTP_GET, STR("/v1/auth/verify2")).route);
    assert_null(find(&all_off, HTTP_GET, STR("/v1/auth/verif")).route);
    assert_null(find(&all_off, HTTP_GET, STR("/v1/auth/")).route);
}

/* A path is compared byte by byte. */
static void another_path_is_not_found(void **state)
{
    static const struct str paths[] = {
        STR(""),
        STR("/"),
        STR("/v1"),
        STR("/v1/"),
        STR("/v1/login/"),
        STR("/v1/Login"),
        STR("/v1/login2"),
        STR("/v1/logi"),
        STR("v1/login"),
        STR("//v1/login"),
        STR("/v1//login"),
        STR("/v1/./login"),
        STR("/v1/login\0"),
        STR("/v1/login;x"),
        STR("/v1/login?x"),
        STR("/v1/log%69n"),
        STR("/V1/LOGIN"),
        STR("/metrics"),
        STR("/v1/refresh/"),
        STR("/oauth2"),
        STR("/oauth2/tokens"),
        STR("/v1/me/../login"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        struct route_match match = find(&all_on, HTTP_POST, paths[i]);

        assert_null(match.route);
        assert_int_equal(match.allow.len, 0);
    }
}

/* What is off is as if it were not there, for every method. */
static void switches_hide_rows(void **state)
{
    static const char *const docs[] = {"/docs", "/openapi.json", "/docs/swagger-ui.css"};
    static const char *const pages[] = {"/verify", "/reset", "/email-change", "/email-undo"};
    const struct api docs_only = {.options = {.docs_on = true}};
    const struct api pages_only = {.options = {.pages_on = true}};

    (void)state;
    for (size_t i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        assert_non_null(find(&docs_only, HTTP_GET, str_from(docs[i])).route);
        assert_null(find(&pages_only, HTTP_GET, str_from(docs[i])).route);
        assert_int_equal(find(&pages_only, HTTP_POST, str_from(docs[i])).allow.len, 0);
    }
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        assert_non_null(find(&pages_only, HTTP_GET, str_from(pages[i])).route);
        assert_null(find(&docs_only, HTTP_GET, str_from(pages[i])).route);
        assert_int_equal(find(&docs_only, HTTP_POST, str_from(pages[i])).allow.len, 0);
    }
}

/* Metrics are not for the API's clients. */
static void operations_are_elsewhere(void **state)
{
    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    assert_non_null(routes_find(&routes_ops, &all_off, &arena, HTTP_GET, STR("/metrics")).route);
    assert_null(routes_find(&routes_ops, &all_on, &arena, HTTP_POST, STR("/v1/login")).route);
    assert_null(find(&all_on, HTTP_GET, STR("/metrics")).route);
}

static void the_table_describes_itself(void **state)
{
    static char text[32768];
    struct buf out = buf_over(text, sizeof(text) - 1);
    size_t rows = 0;

    (void)state;
    routes_describe(&out);
    assert_false(out.overflowed);
    assert_true(unit_is_json(buf_str(&out)));
    text[out.len] = '\0';
    for (const char *at = text; (at = strstr(at, "\"operation_id\":")) != NULL; at++) {
        rows++;
    }
    assert_int_equal(rows, routes_api.count);
    assert_non_null(strstr(
        text,
        "{\"method\":\"POST\",\"path\":\"/v1/login\",\"operation_id\":"
        "\"login\",\"lane\":\"hash\",\"auth\":\"public\",\"any_method\":false,\"body\":true"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_found),
        cmocka_unit_test(rows_are_well_formed),
        cmocka_unit_test(bodies_fit_their_structs),
        cmocka_unit_test(lanes_are_right),
        cmocka_unit_test(the_contract_is_there),
        cmocka_unit_test(forms_are_for_oauth_alone),
        cmocka_unit_test(head_finds_the_row_of_get),
        cmocka_unit_test(another_method_is_told_which_there_are),
        cmocka_unit_test(forward_authentication_takes_any_known_method),
        cmocka_unit_test(another_path_is_not_found),
        cmocka_unit_test(switches_hide_rows),
        cmocka_unit_test(operations_are_elsewhere),
        cmocka_unit_test(the_table_describes_itself),
    };

    return cmocka_run_group_tests_name("routes", tests, NULL, NULL);
}
