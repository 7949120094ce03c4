/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <assert.h>
#include <string.h>
#include <sys/socket.h>

static const char *const method_names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",    [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH",  [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "_OTHER",
};

const char *http_method_name(enum http_method method)
{
    assert(method < HTTP_METHOD_COUNT);
    return method_names[method];
}

/* Its life. The piece of memory is: the exchange, the user's bytes, the arena. */

static size_t user_bytes(const struct http_server *server)
{
    const size_t alignment = _Alignof(max_align_t);

    return (server->options.user_bytes + alignment - 1) / alignment * alignment;
}

size_t http_exchange_bytes(const struct http_server *server)
{
    return sizeof(struct http_exchange) + user_bytes(server) + server->options.arena_bytes;
}

struct http_exchange *http_exchange_begin(struct http_server *server,
                                          struct http_connection *connection,
                                          const struct http_head *head)
{
    struct http_exchange *x = http_pool_take(&server->exchanges);
    uint64_t body_bytes = http_head_body_bytes(head);
    unsigned char *behind;

    if (x == NULL) {
        return NULL;
    }
    behind = (unsigned char *)x + sizeof(*x);
    memset(x, 0, sizeof(*x));
    x->server = server;
    x->connection = connection;
    x->method = head->method;
    x->path = head->path;
    x->query = head->query;
    x->user = behind; /* zero: fresh, or wiped by http_exchange_end */
    arena_init(&x->arena, behind + user_bytes(server), server->options.arena_bytes);
    x->body_cap = body_bytes == UINT64_MAX ? server->options.body_bytes_max : (size_t)body_bytes;
    if (x->body_cap > 0) {
        x->body = arena_alloc(&x->arena, x->body_cap);
        assert(x->body != NULL); /* arena_bytes > body_bytes_max >= body_cap */
    }
    atomic_store_explicit(&x->state, HTTP_X_RECEIVING, memory_order_relaxed);
    connection->exchange = x;
    return x;
}

void http_exchange_end(struct http_exchange *x)
{
    struct http_server *server = x->server;

    arena_reset(&x->arena);
    if (server->options.user_bytes > 0) {
        explicit_bzero(x->user, server->options.user_bytes);
    }
    x->connection->exchange = NULL;
    http_pool_give(&server->exchanges, x);
}

/* The library cannot answer in the middle of an upload, so the refusal is written past it; its send
 * buffer is empty here. It then closes the connection. */
static void refuse_upload(struct http_exchange *x)
{
    char message[HTTP_REFUSAL_MESSAGE_BYTES_MAX];
    size_t len = http_refusal_message(&http_head_body_size, message);

    http_refusal_count(x->server->options.name, http_head_body_size.reason);
    x->connection->upload_unread = true;
    (void)!send(x->connection->fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool http_exchange_body(struct http_exchange *x, const char *bytes, size_t len)
{
    if (len > x->body_cap - x->body_len) {
        refuse_upload(x);
        return false;
    }
    memcpy(x->body + x->body_len, bytes, len);
    x->body_len += len;
    /* A password must not stay in the library's buffer, which is its own memory, not constant. */
    explicit_bzero((void *)(uintptr_t)bytes, len);
    return true;
}

/* The handler's side. */

void http_response_header(struct http_response *self, const char *name, struct str value)
{
    assert(self->header_count < HTTP_HEADERS_MAX);
    self->headers[self->header_count] = (struct http_header){.name = name, .value = value};
    self->header_count++;
}

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

int64_t http_request_started_ms(const struct http_exchange *x)
{
    return x->connection->started_ms;
}

void *http_request_user(struct http_exchange *x)
{
    return x->user;
}

void http_suspend(struct http_exchange *x)
{
    x->suspended = true;
}
