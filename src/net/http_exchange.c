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

/* The kernel or the library holds all of the body already: no peer can make us wait for it. */
static bool has_arrived(const struct http_connection *connection, const struct http_head *head)
{
    uint64_t answered = atomic_load(&connection->request_bytes);
    uint64_t body_bytes = http_head_body_bytes(head);
    uint64_t received;

    return body_bytes != UINT64_MAX && answered < HTTP_UNCOUNTED &&
           http_reaper_received(connection->fd, &received) &&
           received >= answered + head->bytes + body_bytes;
}

static bool reserve_body(struct http_server *server, const struct http_connection *connection,
                         const struct http_head *head)
{
    unsigned max = (server->options.exchanges_max + 1) / 2;

    if (atomic_fetch_add(&server->receiving, 1) < max || has_arrived(connection, head)) {
        return true;
    }
    atomic_fetch_sub(&server->receiving, 1);
    return false;
}

const struct http_refusal *http_exchange_begin(struct http_server *server,
                                               struct http_connection *connection,
                                               const struct http_head *head)
{
    uint64_t body_bytes = http_head_body_bytes(head);
    struct http_exchange *x;
    unsigned char *behind;

    if (body_bytes > 0 && !reserve_body(server, connection, head)) {
        return &http_head_bodies;
    }
    x = http_pool_take(&server->exchanges);
    if (x == NULL) {
        atomic_fetch_sub(&server->receiving, body_bytes > 0 ? 1 : 0);
        return &http_head_busy;
    }
    behind = (unsigned char *)x + sizeof(*x);
    memset(x, 0, sizeof(*x));
    x->receiving = body_bytes > 0;
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
    return NULL;
}

void http_exchange_received(struct http_exchange *x)
{
    if (x->receiving) {
        x->receiving = false;
        atomic_fetch_sub(&x->server->receiving, 1);
    }
}

void http_exchange_end(struct http_exchange *x, size_t head_bytes)
{
    struct http_server *server = x->server;
    int state = atomic_load(&x->state);

    assert(state == HTTP_X_RECEIVING || state == HTTP_X_ANSWERED); /* nobody else has it */
    http_exchange_received(x);
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
