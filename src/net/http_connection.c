/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include "clock.h"

#include <string.h>

struct http_connection *http_connection_begin(struct http_server *server, int fd,
                                              const struct sockaddr *peer)
{
    struct http_connection *self = http_pool_take(&server->connections);

    if (self == NULL) {
        return NULL;
    }
    self->fd = fd;
    self->upload_unread = false;
    self->exchange = NULL;
    self->target_len = 0;
    self->peer_len = http_listen_peer(peer, self->peer);
    atomic_store(&self->deadline_ms, HTTP_IDLE);
    atomic_store(&self->request_bytes, 0);
    http_reaper_opened(&server->reaper, self);
    http_refusal_connections(server->options.name, 1);
    return self;
}

void http_connection_end(struct http_server *server, struct http_connection *self)
{
    http_reaper_closing(&server->reaper, self);
    explicit_bzero(self->target, self->target_len);
    http_pool_give(&server->connections, self);
    http_refusal_connections(server->options.name, -1);
}

void http_connection_head(struct http_connection *self, const char *target, int64_t header_ms)
{
    size_t len = strlen(target);
    int64_t idle = HTTP_IDLE;

    /* Unless the reaper saw it begin before, and set the deadline then. */
    (void)atomic_compare_exchange_strong(&self->deadline_ms, &idle, clock_mono_ms() + header_ms);
    self->target_len = len < HTTP_TARGET_BYTES_MAX ? len : HTTP_TARGET_BYTES_MAX;
    memcpy(self->target, target, self->target_len);
}

void http_connection_done(struct http_connection *self, uint64_t bytes)
{
    uint64_t before = atomic_load(&self->request_bytes);
    uint64_t after = before + bytes;

    if (before >= HTTP_UNCOUNTED || bytes >= HTTP_UNCOUNTED) {
        after = before >= HTTP_UNCOUNTED ? before + 1 : HTTP_UNCOUNTED;
    }
    atomic_store(&self->request_bytes, after);
    atomic_store(&self->deadline_ms, HTTP_IDLE);
}

void http_connection_refuse(struct http_server *server, struct http_connection *self,
                            const struct http_refusal *refusal)
{
    char message[HTTP_REFUSAL_MESSAGE_BYTES_MAX];
    struct http_refusal_text text;
    size_t len = http_refusal_message(refusal, &text, message);

    http_refusal_note(refusal, server->options.name, self, &text);
    self->upload_unread = true;
    (void)!send(self->fd, message, len, MSG_NOSIGNAL | MSG_DONTWAIT);
}
