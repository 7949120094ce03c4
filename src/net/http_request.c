/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <microhttpd.h>
#include <string.h>

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

struct str http_request_header(const struct http_exchange *x, const char *name)
{
    const char *value = NULL;
    size_t len = 0;

    MHD_lookup_connection_value_n(x->library, MHD_HEADER_KIND, name, strlen(name), &value, &len);
    return (struct str){value, len};
}

/* The fields of one name. */
struct field_list {
    struct str name;
    struct buf out;
};

static enum MHD_Result append_field(void *context, enum MHD_ValueKind kind, const char *name,
                                    size_t name_len, const char *value, size_t value_len)
{
    struct field_list *list = context;

    (void)kind;
    if (!str_equal_nocase((struct str){name, name_len}, list->name)) {
        return MHD_YES;
    }
    if (list->out.len > 0) {
        buf_append(&list->out, STR(", "));
    }
    buf_append(&list->out, (struct str){value == NULL ? "" : value, value_len});
    return MHD_YES;
}

struct str http_request_list(struct http_exchange *x, const char *name)
{
    struct field_list list = {str_from(name), buf_in(&x->arena, HTTP_POOL_BYTES)};

    MHD_get_connection_values_n(x->library, MHD_HEADER_KIND, append_field, &list);
    return buf_str(&list.out); /* a head is smaller than its pool: all of it fits */
}
