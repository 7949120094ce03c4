/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of routes: one row an operation, in the order of the documentation. A test holds it
 * against openapi/user-service.yaml.
 */
#pragma once

#include "request.h"

/* ROUTE_BEARER: a user's access token. ROUTE_ADMIN: one whose only audience is the issuer, with scope
 * users:admin; that it still counts is asked of the database before the handler runs. ROUTE_TOKEN: any
 * of this issuer; whether it still counts is the handler's question. ROUTE_READER: one with scope
 * users:read and the issuer in its audience; the database is asked as for ROUTE_ADMIN. */
enum route_auth { ROUTE_PUBLIC, ROUTE_BEARER, ROUTE_ADMIN, ROUTE_TOKEN, ROUTE_READER };

/* Which switch of the configuration turns a route on. */
enum route_switch { ROUTE_ALWAYS, ROUTE_DOCS, ROUTE_PAGES };

enum route_flag {
    ROUTE_CACHEABLE = 1, /* its answers may be kept by others */
    ROUTE_QUIET = 2,     /* asked every few seconds: a good answer is logged at level debug */
    ROUTE_OAUTH = 4,     /* errors in the words of RFC 6749 */
    ROUTE_LIMITED = 16,  /* anybody may ask, and it hashes or mails: US_TRUSTED_PROXIES limits it */
    ROUTE_ANY_METHOD = 8 /* each method of RFC 9110 and PATCH; the row says the documented one */
};

struct route_body {
    const struct json_field *fields;
    size_t count;
    size_t struct_bytes;
    bool is_optional; /* an empty body of any type will do: its members are absent then */
    bool is_form;     /* application/x-www-form-urlencoded instead of JSON */
};

struct route {
    enum http_method method;
    const char
        *path; /* {id}: a segment, the request's parameter; an asterisk at the end: anything */
    const char *operation; /* OpenAPI operationId */
    request_handler handler;
    enum api_lane lane;
    enum route_auth auth;
    const struct route_body *body; /* NULL: none is read */
    enum route_switch needs;
    unsigned flags;
};

struct route_table {
    const struct route *rows;
    size_t count;
};

extern const struct route_table routes_api;
extern const struct route_table routes_ops;

struct route_match {
    const struct route *route; /* NULL: see allow */
    struct str parameter;
    struct str allow; /* methods of the path, in the arena; empty: no such path */
};

/* HEAD finds the GET row. */
struct route_match routes_find(const struct route_table *table, const struct api *api,
                               struct arena *arena, enum http_method method, struct str path);
/* The API's table as JSON, for `user-service routes --json`. */
void routes_describe(struct buf *out);
