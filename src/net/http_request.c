/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

enum http_method http_request_method(const struct http_exchange *x)
{
    return x->method;
}

struct str http_request_path(const struct http_exchange *x)
{
    return x->path;
}

struct str http_request_query(const struct http_exchange *x)
{
    return x->query;
}

struct str http_request_body(const struct http_exchange *x)
{
    return x->body == NULL ? STR_EMPTY : (struct str){x->body, x->body_len};
}

struct str http_request_peer(const struct http_exchange *x)
{
    return (struct str){x->connection->peer, x->connection->peer_len};
}

struct arena *http_request_arena(struct http_exchange *x)
{
    return &x->arena;
}

void *http_request_user(struct http_exchange *x)
{
    return x->user;
}
