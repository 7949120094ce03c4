/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <assert.h>
#include <string.h>

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
    x->chunked = body_bytes == UINT64_MAX;
    x->body_cap = x->chunked ? server->options.body_bytes_max : (size_t)body_bytes;
    if (x->body_cap > 0) {
        x->body = arena_alloc(&x->arena, x->body_cap);
        assert(x->body != NULL); /* arena_bytes > body_bytes_max >= body_cap */
    }
    atomic_store_explicit(&x->state, HTTP_X_RECEIVING, memory_order_relaxed);
    connection->exchange = x;
    return x;
}

void http_exchange_end(struct http_exchange *x, size_t head_bytes)
{
    struct http_server *server = x->server;
    int state = atomic_load(&x->state);

    assert(state == HTTP_X_RECEIVING || state == HTTP_X_ANSWERED); /* nobody else has it */
    http_connection_done(x->connection, x->chunked ? HTTP_UNCOUNTED : head_bytes + x->body_len);
    arena_reset(&x->arena);
    if (server->options.user_bytes > 0) {
        explicit_bzero(x->user, server->options.user_bytes);
    }
    x->connection->exchange = NULL;
    http_pool_give(&server->exchanges, x);
}

bool http_exchange_body(struct http_exchange *x, const char *bytes, size_t len)
{
    if (len > x->body_cap - x->body_len) {
        /* The library cannot answer in the middle of an upload. */
        http_connection_refuse(x->server, x->connection, &http_head_body_size);
        return false;
    }
    memcpy(x->body + x->body_len, bytes, len);
    x->body_len += len;
    /* A password must not stay in the library's buffer, which is its own memory, not constant. */
    explicit_bzero((void *)(uintptr_t)bytes, len);
    return true;
}
