/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The library knows only a time-out of inactivity, which a byte now and then defeats. This thread
 * looks at all open connections a few times a second and shuts those that are past their deadline;
 * the library then finds the socket at its end and closes it on its own thread.
 *
 * The library reports a request only when its first line is complete. Until then the kernel's count
 * of received bytes tells that a head has begun: it exceeds what the answered requests had.
 */
#include "http_server_internal.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static const int64_t tick_ms_min = 10;
static const int64_t tick_ms_max = 500;

/* Sockets. */

bool http_reaper_received(int fd, uint64_t *out)
{
    struct tcp_info info;
    socklen_t bytes = sizeof(info);
    const size_t needed = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &bytes) != 0 || bytes < needed) {
        return false;
    }
    *out = info.tcpi_bytes_received;
    return true;
}

static bool has_unread_bytes(int fd)
{
    int bytes = 0;

    return ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

/* Deadlines. */

/* A byte after the end of the last request is the first of a head. After a chunked request, whose
 * framing the library does not count, this holds from the first look on. */
static void watch_idle(const struct http_reaper *self, struct http_connection *connection,
                       int64_t now_ms)
{
    uint64_t answered = atomic_load(&connection->request_bytes);
    uint64_t received;
    int64_t idle = HTTP_IDLE;

    if (!http_reaper_received(connection->fd, &received)) {
        return;
    }
    if (answered >= HTTP_UNCOUNTED) {
        atomic_compare_exchange_strong(&connection->request_bytes, &answered, received);
        return;
    }
    if (received > answered) {
        atomic_compare_exchange_strong(&connection->deadline_ms, &idle, now_ms + self->header_ms);
    }
}

static void watch_all(struct http_reaper *self, int64_t now_ms)
{
    pthread_mutex_lock(&self->lock);
    for (struct http_connection *c = self->open; c != NULL; c = c->next) {
        int64_t deadline_ms = atomic_load(&c->deadline_ms);

        if (deadline_ms == HTTP_IDLE) {
            watch_idle(self, c, now_ms);
            continue;
        }
        if (deadline_ms != HTTP_IN_THE_HOUSE && deadline_ms <= now_ms) {
            atomic_store(&c->deadline_ms, HTTP_IN_THE_HOUSE); /* once is enough */
            shutdown(c->fd, SHUT_RDWR);
            http_refusal_count(self->name, "slow");
        }
    }
    pthread_mutex_unlock(&self->lock);
}

/* Lingering. */

/* Reads a little of what comes, for the lock is held. False when there is no more to wait for. */
static bool linger_read(struct http_linger *linger)
{
    char waste[32768];
    ssize_t got = recv(linger->fd, waste, sizeof(waste), MSG_DONTWAIT);

    if (got < 0) {
        return errno == EAGAIN || errno == EINTR;
    }
    if (got == 0 || (size_t)got >= linger->bytes_left) {
        return false;
    }
    linger->bytes_left -= (size_t)got;
    return true;
}

static void linger_all(struct http_reaper *self, int64_t now_ms)
{
    unsigned kept = 0;

    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; i < self->linger_count; i++) {
        struct http_linger linger = self->lingers[i];

        if (!self->stopping && now_ms < linger.until_ms && linger_read(&linger)) {
            self->lingers[kept] = linger;
            kept++;
            continue;
        }
        close(linger.fd);
    }
    self->linger_count = kept;
    pthread_mutex_unlock(&self->lock);
}

/* The library has said all it wanted to say, and its shutdown(SHUT_WR) holds for the copy too. */
static void linger_on(struct http_reaper *self, int fd)
{
    int copy;
    uint64_t one = 1;

    if (self->linger_count == HTTP_LINGER_MAX || self->stopping) {
        return;
    }
    copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy < 0) {
        return;
    }
    shutdown(copy, SHUT_WR);
    self->lingers[self->linger_count] = (struct http_linger){
        .fd = copy,
        .until_ms = clock_mono_ms() + HTTP_LINGER_MS,
        .bytes_left = HTTP_LINGER_BYTES_MAX,
    };
    self->linger_count++;
    (void)!write(self->wake_fd, &one, sizeof(one));
}

/* The thread. */

static bool wait_for_tick(struct http_reaper *self)
{
    struct pollfd fds[1 + HTTP_LINGER_MAX] = {{.fd = self->wake_fd, .events = POLLIN}};
    nfds_t count = 1;
    uint64_t woken;
    bool stopping;

    pthread_mutex_lock(&self->lock);
    for (unsigned i = 0; i < self->linger_count; i++) {
        fds[count] = (struct pollfd){.fd = self->lingers[i].fd, .events = POLLIN};
        count++;
    }
    pthread_mutex_unlock(&self->lock);
    if (poll(fds, count, (int)self->tick_ms) > 0 && (fds[0].revents & POLLIN) != 0) {
        (void)!read(self->wake_fd, &woken, sizeof(woken));
    }
    pthread_mutex_lock(&self->lock);
    stopping = self->stopping;
    pthread_mutex_unlock(&self->lock);
    return !stopping;
}

static void *run(void *context)
{
    struct http_reaper *self = context;
    int64_t watched_ms = 0;

    pthread_setname_np(pthread_self(), "http-reaper");
    while (wait_for_tick(self)) {
        int64_t now_ms = clock_mono_ms();

        linger_all(self, now_ms);
        if (now_ms >= watched_ms + self->tick_ms) {
            watched_ms = now_ms;
            watch_all(self, now_ms);
        }
    }
    linger_all(self, clock_mono_ms());
    return NULL;
}

static int64_t smallest(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

enum error http_reaper_start(struct http_reaper *self, const struct http_server_options *options)
{
    int64_t shortest =
        smallest(options->header_ms, smallest(options->body_ms, options->response_ms));

    self->name = options->name;
    self->header_ms = options->header_ms;
    self->tick_ms = smallest(shortest / 10, tick_ms_max);
    self->tick_ms = self->tick_ms < tick_ms_min ? tick_ms_min : self->tick_ms;
    self->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (self->wake_fd < 0) {
        return ERR_IO;
    }
    pthread_mutex_init(&self->lock, NULL);
    if (pthread_create(&self->thread, NULL, run, self) != 0) {
        close(self->wake_fd);
        return ERR_IO;
    }
    self->running = true;
    return OK;
}

void http_reaper_stop(struct http_reaper *self)
{
    uint64_t one = 1;

    if (!self->running) {
        return;
    }
    pthread_mutex_lock(&self->lock);
    self->stopping = true;
    pthread_mutex_unlock(&self->lock);
    (void)!write(self->wake_fd, &one, sizeof(one));
    pthread_join(self->thread, NULL);
    pthread_mutex_destroy(&self->lock);
    close(self->wake_fd);
    self->running = false;
}

void http_reaper_opened(struct http_reaper *self, struct http_connection *connection)
{
    pthread_mutex_lock(&self->lock);
    connection->previous = NULL;
    connection->next = self->open;
    if (self->open != NULL) {
        self->open->previous = connection;
    }
    self->open = connection;
    pthread_mutex_unlock(&self->lock);
}

void http_reaper_closing(struct http_reaper *self, struct http_connection *connection)
{
    pthread_mutex_lock(&self->lock);
    if (connection->previous != NULL) {
        connection->previous->next = connection->next;
    } else {
        self->open = connection->next;
    }
    if (connection->next != NULL) {
        connection->next->previous = connection->previous;
    }
    if (connection->upload_unread || has_unread_bytes(connection->fd)) {
        linger_on(self, connection->fd);
    }
    pthread_mutex_unlock(&self->lock);
}
