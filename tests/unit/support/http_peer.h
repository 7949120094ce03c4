/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server with a small handler, and a client that sends bytes as they are. All waits have a
 * deadline; nothing sleeps and hopes.
 *
 * The handler: /echo answers with the request as it saw it, /park suspends until http_peer_parked
 * hands it out, /answered suspends and is answered by the same thread, /big answers with 8 MiB.
 */
#pragma once

#include "unit.h"

#include "clock.h"
#include "http_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

enum { PEER_PATIENCE_MS = 10000, PEER_BIG_BYTES = 8 << 20, PEER_PARKED_MAX = 8 };

struct http_peer {
    struct http_server *server;
    pthread_mutex_t lock;
    pthread_cond_t came;
    struct http_exchange *parked[PEER_PARKED_MAX];
    unsigned parked_count;
};

static char peer_big[PEER_BIG_BYTES];

static inline void peer_answer(struct http_exchange *x, int status, struct str body)
{
    struct http_response answer = {.status = status, .body = body};

    http_response_header(&answer, "Content-Type", STR("text/plain"));
    http_respond(x, &answer);
}

static inline void peer_echo(struct http_exchange *x)
{
    struct str test = http_request_header(x, "x-test");

    peer_answer(x, 200,
                arena_printf(http_request_arena(x), "%s|%.*s|%.*s|%.*s|%.*s|%.*s",
                             http_method_name(http_request_method(x)),
                             STR_ARG(http_request_path(x)), STR_ARG(http_request_query(x)),
                             STR_ARG(http_request_body(x)), STR_ARG(test),
                             STR_ARG(http_request_peer(x))));
}

static inline void peer_handle(void *context, struct http_exchange *x)
{
    struct http_peer *self = context;
    struct str path = http_request_path(x);
    uint64_t *user = http_request_user(x);

    assert(*user == 0); /* each request finds its memory wiped */
    *user = 1;
    if (str_equal(path, STR("/park"))) {
        http_suspend(x);
        pthread_mutex_lock(&self->lock);
        assert(self->parked_count < PEER_PARKED_MAX);
        self->parked[self->parked_count] = x;
        self->parked_count++;
        pthread_cond_signal(&self->came);
        pthread_mutex_unlock(&self->lock);
        return;
    }
    if (str_equal(path, STR("/answered"))) {
        http_suspend(x);
        peer_answer(x, 200, STR("at once"));
        return;
    }
    if (str_equal(path, STR("/big"))) {
        peer_answer(x, 200, (struct str){peer_big, sizeof(peer_big)});
        return;
    }
    peer_echo(x);
}

static inline struct http_server_options peer_options(struct http_peer *self)
{
    return (struct http_server_options){
        .name = "test",
        .listen = "127.0.0.1:0",
        .io_threads = 2,
        .connections_max = 64,
        .exchanges_max = PEER_PARKED_MAX,
        .arena_bytes = 32768,
        .user_bytes = sizeof(uint64_t),
        .body_bytes_max = 4096,
        .header_ms = PEER_PATIENCE_MS,
        .body_ms = PEER_PATIENCE_MS,
        .response_ms = PEER_PATIENCE_MS,
        .keep_alive_s = 75,
        .raw_path_prefix = "/raw/",
        .handle = peer_handle,
        .context = self,
    };
}

static inline struct http_peer *peer_start_with(void (*change)(struct http_server_options *options))
{
    struct http_peer *self = calloc(1, sizeof(*self));
    struct http_server_options options = peer_options(self);
    const char *why = "";

    pthread_mutex_init(&self->lock, NULL);
    pthread_cond_init(&self->came, NULL);
    if (change != NULL) {
        change(&options);
    }
    if (http_server_start(&options, &self->server, &why) != OK) {
        fail_msg("%s", why);
    }
    return self;
}

static inline struct http_peer *peer_start(void)
{
    return peer_start_with(NULL);
}

static inline void peer_stop(struct http_peer *self)
{
    http_server_stop(self->server);
    pthread_cond_destroy(&self->came);
    pthread_mutex_destroy(&self->lock);
    free(self);
}

/* Waits for a request to /park; its exchange is the caller's to answer. */
static inline struct http_exchange *peer_parked(struct http_peer *self)
{
    struct timespec until;
    struct http_exchange *x = NULL;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PEER_PATIENCE_MS / 1000;
    pthread_mutex_lock(&self->lock);
    while (self->parked_count == 0 &&
           pthread_cond_timedwait(&self->came, &self->lock, &until) == 0) {
    }
    if (self->parked_count > 0) {
        self->parked_count--;
        x = self->parked[self->parked_count];
    }
    pthread_mutex_unlock(&self->lock);
    return x;
}

/* Waits until the server has no more than `count` requests in the house. */
static inline bool peer_calms_down(const struct http_peer *self, unsigned count)
{
    int64_t until_ms = clock_mono_ms() + PEER_PATIENCE_MS;

    while (http_server_active(self->server) > count && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, 1);
    }
    return http_server_active(self->server) <= count;
}

/* The client. */

static inline int peer_connect_receiving(const struct http_peer *self, int receive_bytes)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)http_server_port(self->server)),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    if (receive_bytes > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof(receive_bytes));
    }
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static inline int peer_connect(const struct http_peer *self)
{
    return peer_connect_receiving(self, 0);
}

static inline bool peer_send(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t sent = send(fd, bytes.ptr, bytes.len, MSG_NOSIGNAL);

        if (sent < 0) {
            return false;
        }
        bytes = str_sub(bytes, (size_t)sent, bytes.len);
    }
    return true;
}

struct peer_reply {
    int status; /* 0: the connection ended instead; -1: it was reset; -2: nothing came */
    char head[4096];
    struct str body; /* as much as fits below */
    char body_bytes[16384];
    size_t body_len; /* all of it */
};

static inline ssize_t peer_receive(int fd, void *out, size_t bytes, int64_t until_ms)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    int64_t left_ms = until_ms - clock_mono_ms();

    if (left_ms <= 0 || poll(&wait, 1, (int)left_ms) <= 0) {
        return -2;
    }
    return recv(fd, out, bytes, 0);
}

static inline size_t peer_content_length(const char *head)
{
    const char *at = strcasestr(head, "\r\ncontent-length:");

    return at == NULL ? 0 : (size_t)strtoul(at + strlen("\r\ncontent-length:"), NULL, 10);
}

/* The next answer: its head byte by byte, so that what follows stays in the socket. */
static inline struct peer_reply peer_read(int fd, bool without_body)
{
    struct peer_reply reply = {.status = 0};
    int64_t until_ms = clock_mono_ms() + PEER_PATIENCE_MS;
    size_t len = 0;
    size_t body;

    while (len < sizeof(reply.head) - 1 && strstr(reply.head, "\r\n\r\n") == NULL) {
        ssize_t got = peer_receive(fd, reply.head + len, 1, until_ms);

        if (got <= 0) {
            reply.status = (int)got;
            return reply;
        }
        len++;
    }
    reply.status = (int)strtol(reply.head + strlen("HTTP/1.1 "), NULL, 10);
    body = without_body ? 0 : peer_content_length(reply.head);
    while (reply.body_len < body) {
        char waste[65536];
        size_t want = body - reply.body_len < sizeof(waste) ? body - reply.body_len : sizeof(waste);
        ssize_t got = peer_receive(fd, waste, want, until_ms);

        if (got <= 0) {
            reply.status = (int)got;
            return reply;
        }
        if (reply.body_len + (size_t)got <= sizeof(reply.body_bytes)) {
            memcpy(reply.body_bytes + reply.body_len, waste, (size_t)got);
        }
        reply.body_len += (size_t)got;
    }
    return reply;
}

static inline struct str peer_body(const struct peer_reply *reply)
{
    return (struct str){reply->body_bytes, reply->body_len};
}

/* True when the other side closes without another byte. */
static inline bool peer_ends(int fd)
{
    char byte;

    return peer_receive(fd, &byte, 1, clock_mono_ms() + PEER_PATIENCE_MS) == 0;
}

/* Sends `bytes` on a new connection: the status of the first answer, or as in peer_reply. */
static inline int peer_status_of(const struct http_peer *self, struct str bytes)
{
    int fd = peer_connect(self);
    struct peer_reply reply;

    (void)peer_send(fd, bytes);
    reply = peer_read(fd, false);
    (void)close(fd);
    return reply.status;
}
