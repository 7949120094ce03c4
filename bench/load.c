/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open-loop HTTP load: requests leave at their time, whatever became of those before. Prints a line
 * for each answer: its status and the microseconds from sending to the last byte. At the end stderr
 * tells how many were not sent because all connections were busy.
 *
 * usage: load PORT REQUESTS_PER_S SECONDS CONNECTIONS FILE...
 *
 * Each FILE is one request as it goes over the wire, or several with a NUL behind each; all are sent in
 * turns, none is left out because connections were busy. One thread.
 */
#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "str.h"

enum {
    CONNECTIONS_MAX = 1024,
    REQUESTS_MAX = 65536,
    FILE_BYTES_MAX = 32 << 20,
    ANSWER_BYTES_MAX = 16384,
    EVENTS_MAX = 64,
    LAST_ANSWERS_MS = 3000, /* after the last request */
};

struct connection {
    int fd; /* -1: closed by the server */
    int64_t sent_ns;
    size_t len;
    char answer[ANSWER_BYTES_MAX];
};

struct load {
    uint64_t port, rate, seconds, connection_count;
    size_t request_count, next;
    struct connection *idle[CONNECTIONS_MAX];
    size_t idle_count;
    uint64_t started, skipped, busy;
    int epoll;
};

static struct connection connections[CONNECTIONS_MAX];
static struct str requests[REQUESTS_MAX];

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void read_requests(struct load *self, const char *path)
{
    char *bytes = malloc(FILE_BYTES_MAX);
    FILE *file = fopen(path, "rb");
    struct str rest;

    if (file == NULL || bytes == NULL) {
        die(path);
    }
    rest = (struct str){bytes, fread(bytes, 1, FILE_BYTES_MAX, file)};
    (void)fclose(file);
    while (rest.len > 0) {
        assert(self->request_count < REQUESTS_MAX);
        requests[self->request_count++] = str_cut(&rest, '\0');
    }
}

static void open_connection(struct load *self, struct connection *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)self->port)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    int on = 1;

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 ||
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
        epoll_ctl(self->epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) {
        die("connect");
    }
}

static void send_one(struct load *self)
{
    struct str request = requests[self->next % self->request_count];
    struct connection *c;

    self->started++;
    if (self->idle_count == 0) {
        self->skipped++;
        return;
    }
    self->next++;
    c = self->idle[--self->idle_count];
    if (c->fd < 0) {
        open_connection(self, c);
    }
    c->len = 0;
    c->sent_ns = clock_mono_ns();
    if (send(c->fd, request.ptr, request.len, MSG_NOSIGNAL) != (ssize_t)request.len) {
        die("send");
    }
    self->busy++;
}

/* The answer's length, or 0 while its head is not complete. */
static size_t answer_bytes(const struct connection *c)
{
    static const char name[] = "content-length:";
    const char *end = memmem(c->answer, c->len, "\r\n\r\n", 4);
    const char *length = end == NULL ? NULL : strcasestr(c->answer, name);

    if (length == NULL || length > end) {
        return 0;
    }
    return (size_t)(end - c->answer) + 4 + strtoul(length + sizeof(name) - 1, NULL, 10);
}

static void close_connection(struct load *self, struct connection *c)
{
    close(c->fd);
    c->fd = -1;
    if (c->sent_ns != 0) {
        c->sent_ns = 0;
        (void)printf("0 0\n");
        self->busy--;
        self->idle[self->idle_count++] = c;
    }
}

static void receive(struct load *self, struct connection *c)
{
    ssize_t got = recv(c->fd, c->answer + c->len, sizeof(c->answer) - 1 - c->len, 0);
    size_t wanted;

    if (got <= 0) {
        close_connection(self, c);
        return;
    }
    c->len += (size_t)got;
    c->answer[c->len] = '\0';
    wanted = answer_bytes(c);
    if (wanted == 0 || c->len < wanted) {
        return;
    }
    assert(c->len == wanted && c->len > strlen("HTTP/1.1 200"));
    (void)printf("%.3s %" PRId64 "\n", c->answer + strlen("HTTP/1.1 "),
                 (clock_mono_ns() - c->sent_ns) / 1000);
    c->sent_ns = 0;
    self->busy--;
    self->idle[self->idle_count++] = c;
}

static int start_timer(const struct load *self)
{
    int64_t ns = INT64_C(1000000000) / (int64_t)self->rate;
    struct timespec every = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};
    struct itimerspec timer = {.it_interval = every, .it_value = every};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

    if (fd < 0 || timerfd_settime(fd, 0, &timer, NULL) != 0 ||
        epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        die("timer");
    }
    return fd;
}

static void send_due(struct load *self, int timer)
{
    uint64_t due = 0;

    if (read(timer, &due, sizeof(due)) != (ssize_t)sizeof(due)) {
        return;
    }
    for (; due > 0 && self->started < self->rate * self->seconds; due--) {
        send_one(self);
    }
}

static void run(struct load *self)
{
    int timer = start_timer(self);
    int64_t end_ms = clock_mono_ms() + (int64_t)self->seconds * 1000 + LAST_ANSWERS_MS;
    struct epoll_event events[EVENTS_MAX];

    while ((self->busy > 0 || self->started < self->rate * self->seconds) &&
           clock_mono_ms() < end_ms) {
        int count = epoll_wait(self->epoll, events, EVENTS_MAX, 100);

        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) {
                send_due(self, timer);
            } else {
                receive(self, events[i].data.ptr);
            }
        }
    }
}

static void parse(struct load *self, int argc, char **argv)
{
    uint64_t *numbers[] = {&self->port, &self->rate, &self->seconds, &self->connection_count};
    bool good = argc > 5;

    for (int i = 0; good && i < 4; i++) {
        good = str_to_u64(str_from(argv[i + 1]), numbers[i]) == OK && *numbers[i] > 0;
    }
    if (!good || self->port > 65535 || self->connection_count > CONNECTIONS_MAX) {
        (void)fprintf(stderr, "usage: load PORT REQUESTS_PER_S SECONDS CONNECTIONS FILE...\n");
        exit(2);
    }
    for (int i = 5; i < argc; i++) {
        read_requests(self, argv[i]);
    }
}

int main(int argc, char **argv)
{
    static struct load load;

    parse(&load, argc, argv);
    load.epoll = epoll_create1(EPOLL_CLOEXEC);
    for (uint64_t i = 0; i < load.connection_count; i++) {
        open_connection(&load, &connections[i]);
        load.idle[load.idle_count++] = &connections[i];
    }
    run(&load);
    (void)fprintf(stderr, "%" PRIu64 " not sent, %" PRIu64 " not answered\n", load.skipped,
                  load.busy);
    return EXIT_SUCCESS;
}
