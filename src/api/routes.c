/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"

#include "handlers.h"
#include "json_out.h"

static const struct route api_rows[] = {
    {HTTP_POST, "/v1/register", "register", handle_register, API_HASH, ROUTE_PUBLIC,
     &handle_register_body, ROUTE_ALWAYS, ROUTE_LIMITED},
    {HTTP_POST, "/v1/email-verification", "email_verification", handle_email_verification, API_DB,
     ROUTE_PUBLIC, &handle_email_verification_body, ROUTE_ALWAYS, ROUTE_LIMITED},
    {HTTP_POST, "/v1/email-verification/confirm", "email_verification_confirm",
     handle_email_verification_confirm, API_HASH, ROUTE_PUBLIC,
     &handle_email_verification_confirm_body, ROUTE_ALWAYS, ROUTE_LIMITED},
    {HTTP_POST, "/v1/login", "login", handle_login, API_HASH, ROUTE_PUBLIC, &handle_login_body,
     ROUTE_ALWAYS, ROUTE_LIMITED},
    {HTTP_POST, "/v1/login/mfa", "login_mfa", handle_mfa_login, API_DB, ROUTE_PUBLIC,
     &handle_mfa_login_body, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/refresh", "refresh", handle_refresh, API_DB, ROUTE_PUBLIC,
     &handle_refresh_body, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/logout", "logout", handle_logout, API_DB, ROUTE_PUBLIC, &handle_logout_body,
     ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/password-reset", "password_reset", handle_password_ask, API_DB, ROUTE_PUBLIC,
     &handle_password_ask_body, ROUTE_ALWAYS, ROUTE_LIMITED},
    {HTTP_POST, "/v1/password-reset/confirm", "password_reset_confirm", handle_password_reset,
     API_HASH, ROUTE_PUBLIC, &handle_password_reset_body, ROUTE_ALWAYS, ROUTE_LIMITED},
    {HTTP_POST, "/oauth2/token", "oauth_token", handle_oauth_token, API_DB, ROUTE_PUBLIC,
     &handle_oauth_token_body, ROUTE_ALWAYS, ROUTE_OAUTH},
    {HTTP_POST, "/oauth2/introspect", "oauth_introspect", handle_introspect, API_INLINE,
     ROUTE_PUBLIC, &handle_introspect_body, ROUTE_ALWAYS, ROUTE_OAUTH | ROUTE_QUIET},
    {HTTP_POST, "/oauth2/revoke", "oauth_revoke", handle_oauth_revoke, API_DB, ROUTE_PUBLIC,
     &handle_oauth_revoke_body, ROUTE_ALWAYS, ROUTE_OAUTH},
    {HTTP_GET, "/v1/me", "me_get", handle_me_get, API_DB, ROUTE_BEARER, NULL, ROUTE_ALWAYS},
    {HTTP_PATCH, "/v1/me", "me_patch", handle_me_patch, API_DB, ROUTE_BEARER, &handle_me_patch_body,
     ROUTE_ALWAYS},
    {HTTP_GET, "/v1/me/sessions", "me_sessions_list", handle_me_sessions_list, API_DB, ROUTE_BEARER,
     NULL, ROUTE_ALWAYS, 0},
    {HTTP_DELETE, "/v1/me/sessions", "me_sessions_end_others", handle_me_sessions_end_others,
     API_DB, ROUTE_BEARER, NULL, ROUTE_ALWAYS, 0},
    {HTTP_DELETE, "/v1/me/sessions/{id}", "me_sessions_end_one", handle_me_sessions_end_one, API_DB,
     ROUTE_BEARER, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/me/reauth", "me_reauth", handle_me_sessions_reauth, API_HASH, ROUTE_BEARER,
     &handle_me_sessions_reauth_body, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/me/password", "me_password", handle_password_change, API_HASH, ROUTE_BEARER,
     &handle_password_change_body, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/me/mfa/totp", "me_mfa_totp_begin", handle_mfa_begin, API_DB, ROUTE_BEARER,
     NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/me/mfa/totp/confirm", "me_mfa_totp_confirm", handle_mfa_confirm, API_DB,
     ROUTE_BEARER, &handle_mfa_confirm_body, ROUTE_ALWAYS, 0},
    {HTTP_DELETE, "/v1/me/mfa/totp", "me_mfa_totp_remove", handle_mfa_disable, API_DB, ROUTE_BEARER,
     NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/me/mfa/recovery-codes", "me_mfa_recovery_codes", handle_mfa_renew_recovery,
     API_DB, ROUTE_BEARER, NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/users", "users", handle_users, API_DB, ROUTE_READER, NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/auth/verify", "auth_verify", handle_verify, API_INLINE, ROUTE_TOKEN, NULL,
     ROUTE_ALWAYS, ROUTE_QUIET | ROUTE_ANY_METHOD},
    {HTTP_GET, "/v1/auth/verify/*", "auth_verify_below", handle_verify_below, API_INLINE,
     ROUTE_TOKEN, NULL, ROUTE_ALWAYS, ROUTE_QUIET | ROUTE_ANY_METHOD},
    {HTTP_GET, "/v1/admin/users", "admin_users_list", handle_admin_users_list, API_DB, ROUTE_ADMIN,
     NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/admin/users/{id}", "admin_users_get", handle_admin_users_get, API_DB,
     ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/users/{id}/disable", "admin_users_disable", handle_admin_users_disable,
     API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/users/{id}/enable", "admin_users_enable", handle_admin_users_enable,
     API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/users/{id}/mfa/remove", "admin_users_mfa_remove",
     handle_admin_users_mfa_remove, API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_PUT, "/v1/admin/users/{id}/roles", "admin_users_roles", handle_admin_users_roles, API_DB,
     ROUTE_ADMIN, &handle_admin_users_roles_body, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/admin/users/{id}/sessions", "admin_sessions_list", handle_admin_sessions_list,
     API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_DELETE, "/v1/admin/users/{id}/sessions", "admin_sessions_end_all",
     handle_admin_sessions_end_all, API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_DELETE, "/v1/admin/sessions/{id}", "admin_sessions_end_one",
     handle_admin_sessions_end_one, API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/admin/clients", "admin_clients_list", handle_admin_clients_list, API_DB,
     ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/clients", "admin_clients_create", handle_admin_clients_create, API_DB,
     ROUTE_ADMIN, &handle_admin_clients_create_body, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/admin/clients/{id}", "admin_clients_get", handle_admin_clients_get, API_DB,
     ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/clients/{id}/rotate", "admin_clients_rotate",
     handle_admin_clients_rotate, API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/clients/{id}/disable", "admin_clients_disable",
     handle_admin_clients_disable, API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/admin/audit", "admin_audit_list", handle_admin_audit_list, API_DB, ROUTE_ADMIN,
     NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/v1/admin/events", "admin_events_list", handle_admin_events_list, API_DB,
     ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_POST, "/v1/admin/events/{id}/redeliver", "admin_events_redeliver",
     handle_admin_events_redeliver, API_DB, ROUTE_ADMIN, NULL, ROUTE_ALWAYS, 0},
    {HTTP_GET, "/.well-known/jwks.json", "jwks", handle_metadata_jwks, API_INLINE, ROUTE_PUBLIC,
     NULL, ROUTE_ALWAYS, ROUTE_CACHEABLE},
    {HTTP_GET, "/.well-known/oauth-authorization-server", "oauth_metadata", handle_metadata,
     API_INLINE, ROUTE_PUBLIC, NULL, ROUTE_ALWAYS, ROUTE_CACHEABLE},
    {HTTP_GET, "/.well-known/openid-configuration", "openid_configuration", handle_metadata,
     API_INLINE, ROUTE_PUBLIC, NULL, ROUTE_ALWAYS, ROUTE_CACHEABLE},
    {HTTP_GET, "/livez", "livez", handle_health_livez, API_INLINE, ROUTE_PUBLIC, NULL, ROUTE_ALWAYS,
     ROUTE_QUIET},
    {HTTP_GET, "/readyz", "readyz", handle_health_readyz, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_ALWAYS, ROUTE_QUIET},
    {HTTP_GET, "/openapi.json", "openapi", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_DOCS},
    {HTTP_GET, "/docs", "docs", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL, ROUTE_DOCS},
    {HTTP_GET, "/docs/init.js", "docs_init", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_DOCS},
    {HTTP_GET, "/docs/swagger-ui.css", "docs_css", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_DOCS},
    {HTTP_GET, "/docs/swagger-ui-bundle.js", "docs_bundle", handle_assets, API_INLINE, ROUTE_PUBLIC,
     NULL, ROUTE_DOCS},
    {HTTP_GET, "/verify", "page_verify", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_PAGES},
    {HTTP_GET, "/reset", "page_reset", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL, ROUTE_PAGES},
    {HTTP_GET, "/email-change", "page_email_change", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_PAGES},
    {HTTP_GET, "/email-undo", "page_email_undo", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_PAGES},
    {HTTP_GET, "/pages/pages.css", "pages_css", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_PAGES},
    {HTTP_GET, "/pages/pages.js", "pages_js", handle_assets, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_PAGES},
};

static const struct route ops_rows[] = {
    {HTTP_GET, "/metrics", "metrics", handle_health_metrics, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_ALWAYS, ROUTE_QUIET},
    {HTTP_GET, "/livez", "livez", handle_health_livez, API_INLINE, ROUTE_PUBLIC, NULL, ROUTE_ALWAYS,
     ROUTE_QUIET},
    {HTTP_GET, "/readyz", "readyz", handle_health_readyz, API_INLINE, ROUTE_PUBLIC, NULL,
     ROUTE_ALWAYS, ROUTE_QUIET},
};

const struct route_table routes_api = {api_rows, sizeof(api_rows) / sizeof(api_rows[0])};
const struct route_table routes_ops = {ops_rows, sizeof(ops_rows) / sizeof(ops_rows[0])};

static bool is_on(const struct route *route, const struct api *api)
{
    switch (route->needs) {
    case ROUTE_ALWAYS:
        return true;
    case ROUTE_DOCS:
        return api->options.docs_on;
    case ROUTE_PAGES:
        return api->options.pages_on;
    }
    return false;
}

static void append_method(struct buf *allow, enum http_method method)
{
    if (allow->len > 0) {
        buf_append(allow, STR(", "));
    }
    buf_append(allow, str_from(http_method_name(method)));
    if (method == HTTP_GET) {
        buf_append(allow, STR(", HEAD"));
    }
}

static void append_methods(struct buf *allow, const struct route *route)
{
    append_method(allow, route->method);
    for (enum http_method method = HTTP_POST;
         (route->flags & ROUTE_ANY_METHOD) != 0 && method < HTTP_OTHER; method++) {
        append_method(allow, method);
    }
}

/* {id}, of which a template has one at most, stands for a segment that is not empty; an asterisk at
 * the end for whatever comes. */
static bool matches(struct str template, struct str path, struct str *parameter)
{
    size_t begin;
    size_t end;

    if (template.ptr[template.len - 1] == '*') {
        return str_starts(path, str_sub(template, 0, template.len - 1));
    }
    if (!str_find(template, '{', &begin)) {
        return str_equal(template, path);
    }
    if (!str_starts(path, str_sub(template, 0, begin))) {
        return false;
    }
    path = str_sub(path, begin, path.len);
    template = str_sub(template, begin + STR("{id}").len, template.len);
    if (!str_find(path, '/', &end)) {
        end = path.len;
    }
    *parameter = str_sub(path, 0, end);
    return end > 0 && str_equal(str_sub(path, end, path.len), template);
}

struct route_match routes_find(const struct route_table *table, const struct api *api,
                               struct arena *arena, enum http_method method, struct str path)
{
    enum http_method wanted = method == HTTP_HEAD ? HTTP_GET : method;
    struct buf allow = buf_in(arena, 64);

    for (size_t i = 0; i < table->count; i++) {
        const struct route *route = &table->rows[i];
        struct str parameter = STR_EMPTY;

        if (!matches(str_from(route->path), path, &parameter) || !is_on(route, api)) {
            continue;
        }
        if (route->method == wanted ||
            ((route->flags & ROUTE_ANY_METHOD) != 0 && method != HTTP_OTHER)) {
            return (struct route_match){.route = route, .parameter = parameter};
        }
        append_methods(&allow, route);
    }
    return (struct route_match){.allow = buf_str(&allow)};
}

static const char *lane_name(enum api_lane lane)
{
    static const char *const names[API_LANE_COUNT] = {
        [API_INLINE] = "inline", [API_DB] = "db", [API_HASH] = "hash"};
    return names[lane];
}

static const char *auth_name(enum route_auth auth)
{
    static const char *const names[] = {
        [ROUTE_PUBLIC] = "public", [ROUTE_BEARER] = "bearer", [ROUTE_ADMIN] = "admin",
        [ROUTE_TOKEN] = "token",   [ROUTE_READER] = "reader",
    };
    return names[auth];
}

void routes_describe(struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_array(&json);
    for (size_t i = 0; i < routes_api.count; i++) {
        const struct route *route = &api_rows[i];

        json_object(&json);
        json_member_str(&json, "method", str_from(http_method_name(route->method)));
        json_member_str(&json, "path", str_from(route->path));
        json_member_str(&json, "operation_id", str_from(route->operation));
        json_member_str(&json, "lane", str_from(lane_name(route->lane)));
        json_member_str(&json, "auth", str_from(auth_name(route->auth)));
        json_member_bool(&json, "any_method", (route->flags & ROUTE_ANY_METHOD) != 0);
        json_member_bool(&json, "body", route->body != NULL);
        json_object_end(&json);
    }
    json_array_end(&json);
}
