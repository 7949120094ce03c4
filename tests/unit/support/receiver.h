/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small HTTP receiver for tests of what sends: loopback, a free port, a thread a connection. It
 * keeps every request, and answers as the test's function says, down to the raw bytes.
 *
 * Ownership: the struct, which must stay. Threads: `answer` runs on the connection's thread.
 */
#pragma once

#include "unit.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "clock.h"

enum { RECEIVER_REQUESTS_MAX = 4096, RECEIVER_CONNECTIONS_MAX = 512, RECEIVER_BYTES_MAX = 32768 };

struct received {
    char *text; /* head and body, NUL-terminated */
    char *body;
    size_t body_bytes;
    int64_t at_ms;       /* clock_mono_ms when it had arrived */
    unsigned connection; /* counted from 0 */
    size_t index;        /* of all requests, counted from 0 */
};

struct receiver;
/* Writes the answer; false closes the connection. */
typedef bool (*receiver_answer)(struct receiver *self, int fd, const struct received *request);

struct receiver_connection {
    struct receiver *receiver;
    unsigned index;
    int fd;
    pthread_t thread;
};

struct receiver {
    receiver_answer answer;
    void *context;
    char url[64];
    int listener;
    int stop_fds[2];
    pthread_t thread;
    pthread_mutex_t lock;
    size_t count;
    size_t connection_count;
    struct received requests[RECEIVER_REQUESTS_MAX];
    struct receiver_connection connections[RECEIVER_CONNECTIONS_MAX];
};

static inline bool receiver_write(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        const ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);

        if (sent <= 0) {
            return false;
        }
        bytes += sent;
        count -= (size_t)sent;
    }
    return true;
}

static inline bool receiver_say(int fd, const char *text)
{
    return receiver_write(fd, text, strlen(text));
}

static inline bool receiver_status(int fd, int status)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n", status);
    return receiver_say(fd, text);
}

/* Waits; false when the client went away or the receiver is stopped. */
static inline bool receiver_pause(struct receiver *self, int fd, int64_t ms)
{
    struct pollfd fds[] = {{.fd = fd, .events = POLLRDHUP}, {self->stop_fds[0], POLLIN, 0}};

    return poll(fds, 2, (int)ms) == 0;
}

/* The value of a field in `out`, "" if there is none. */
static inline const char *received_header(const struct received *request, const char *name,
                                          char *out, size_t bytes)
{
    const char *line = strstr(request->text, "\r\n");

    out[0] = '\0';
    while (line != NULL && line + 2 < request->body - 2) {
        line += 2;
        if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':') {
            const char *value = line + strlen(name) + 1;
            const char *end = strstr(line, "\r\n");

            value += strspn(value, " ");
            (void)snprintf(out, bytes, "%.*s", (int)(end - value), value);
            return out;
        }
        line = strstr(line, "\r\n");
    }
    return out;
}

/* A text member of the body's JSON, "" if there is none; good for what has no escapes. */
static inline const char *received_member(const struct received *request, const char *name,
                                          char *out, size_t bytes)
{
    char key[64];
    const char *at;

    (void)snprintf(key, sizeof(key), "\"%s\":\"", name);
    at = strstr(request->body, key);
    out[0] = '\0';
    if (at != NULL) {
        at += strlen(key);
        (void)snprintf(out, bytes, "%.*s", (int)strcspn(at, "\""), at);
    }
    return out;
}

/* One whole request; false at the end of the connection. */
static inline bool receiver_read(int fd, struct received *out)
{
    char *text = calloc(1, RECEIVER_BYTES_MAX + 1);
    size_t have = 0;

    for (;;) {
        char *end = strstr(text, "\r\n\r\n");
        const char *length = strcasestr(text, "\r\nContent-Length:");
        const ssize_t got =
            end != NULL && length != NULL &&
                    have >= (size_t)(end + 4 - text) + strtoul(length + 17, NULL, 10)
                ? 0
                : recv(fd, text + have, RECEIVER_BYTES_MAX - have, 0);

        if (got > 0) {
            have += (size_t)got;
            continue;
        }
        if (end == NULL || length == NULL) {
            free(text);
            return false;
        }
        *out = (struct received){
            .text = text,
            .body = end + 4,
            .body_bytes = have - (size_t)(end + 4 - text),
            .at_ms = clock_mono_ms(),
        };
        return true;
    }
}

static inline void *receiver_serve(void *context)
{
    struct receiver_connection *connection = context;
    struct receiver *self = connection->receiver;
    struct received request;

    while (receiver_read(connection->fd, &request)) {
        request.connection = connection->index;
        pthread_mutex_lock(&self->lock);
        if (self->count == RECEIVER_REQUESTS_MAX) {
            abort();
        }
        request.index = self->count;
        self->requests[self->count++] = request;
        pthread_mutex_unlock(&self->lock);
        if (!self->answer(self, connection->fd, &request)) {
            break;
        }
    }
    (void)shutdown(connection->fd, SHUT_RDWR);
    return NULL;
}

static inline void *receiver_accept(void *context)
{
    struct receiver *self = context;

    for (;;) {
        struct pollfd fds[] = {{self->listener, POLLIN, 0}, {self->stop_fds[0], POLLIN, 0}};
        struct receiver_connection *connection = &self->connections[self->connection_count];
        int one = 1;

        (void)poll(fds, 2, -1);
        if (fds[1].revents != 0) {
            return NULL;
        }
        if (self->connection_count == RECEIVER_CONNECTIONS_MAX) {
            abort();
        }
        connection->receiver = self;
        connection->index = (unsigned)self->connection_count;
        connection->fd = accept4(self->listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection->fd < 0) {
            continue;
        }
        (void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        self->connection_count++;
        if (pthread_create(&connection->thread, NULL, receiver_serve, connection) != 0) {
            abort();
        }
    }
}

static inline void receiver_listen(struct receiver *self, uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    socklen_t size = sizeof(address);
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    self->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(self->listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    assert_int_equal(bind(self->listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(self->listener, 128), 0);
    assert_int_equal(getsockname(self->listener, (struct sockaddr *)&address, &size), 0);
    (void)snprintf(self->url, sizeof(self->url), "http://127.0.0.1:%u/events",
                   ntohs(address.sin_port));
}

/* Port 0 takes a free one. */
static inline struct receiver *receiver_start(uint16_t port, receiver_answer answer, void *context)
{
    struct receiver *self = calloc(1, sizeof(*self));

    self->answer = answer;
    self->context = context;
    pthread_mutex_init(&self->lock, NULL);
    assert_int_equal(pipe(self->stop_fds), 0);
    receiver_listen(self, port);
    assert_int_equal(pthread_create(&self->thread, NULL, receiver_accept, self), 0);
    return self;
}

static inline uint16_t receiver_port(const struct receiver *self)
{
    return (uint16_t)strtoul(strrchr(self->url, ':') + 1, NULL, 10);
}

static inline size_t receiver_count(struct receiver *self)
{
    size_t count;

    pthread_mutex_lock(&self->lock);
    count = self->count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

/* Until so many requests have arrived; fails the test after ten seconds. */
static inline void receiver_await(struct receiver *self, size_t count)
{
    const int64_t until_ms = clock_mono_ms() + 10000;

    while (receiver_count(self) < count) {
        if (clock_mono_ms() > until_ms) {
            fail_msg("only %zu of %zu requests came", receiver_count(self), count);
        }
        (void)poll(NULL, 0, 2);
    }
}

static inline void receiver_stop(struct receiver *self)
{
    assert_int_equal(write(self->stop_fds[1], "x", 1), 1);
    pthread_join(self->thread, NULL);
    for (size_t i = 0; i < self->connection_count; i++) {
        (void)shutdown(self->connections[i].fd, SHUT_RDWR);
        pthread_join(self->connections[i].thread, NULL);
        close(self->connections[i].fd);
    }
    for (size_t i = 0; i < self->count; i++) {
        free(self->requests[i].text);
    }
    close(self->listener);
    close(self->stop_fds[0]);
    close(self->stop_fds[1]);
    pthread_mutex_destroy(&self->lock);
    free(self);
}
