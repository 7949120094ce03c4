/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "clock.h"
#include "codec.h"
#include "json_out.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define LINE_END "}\n"
#define TRUNCATED_LINE_END ",\"truncated\":true}\n"

static_assert((int)LOG_LINE_BYTES_MAX <= PIPE_BUF, "a pipe must take a line whole");

static const char *const level_names[] = {
    [LOG_DEBUG] = "debug",
    [LOG_INFO] = "info",
    [LOG_WARN] = "warn",
    [LOG_ERROR] = "error",
};

enum { LEVELS = sizeof(level_names) / sizeof(level_names[0]) };

/* Some thousand lines: a reader that pauses for a moment loses none. What Linux lets anybody ask for. */
static const int pipe_bytes = 1 << 20;

static struct {
    pthread_mutex_t sending;
    _Atomic int level_min;
    _Atomic int fd;
    _Atomic uint64_t dropped;
    const char *service;
    const char *version;
} state = {
    .sending = PTHREAD_MUTEX_INITIALIZER,
    .level_min = LOG_INFO,
    .fd = STDOUT_FILENO,
    .service = "user-service",
    .version = "unknown",
};

/* The line as it grows; `truncated` once something was left out. */
struct line {
    struct buf buf;
    struct json_out json;
    bool truncated;
};

static void field_write(struct json_out *json, const struct log_field *field)
{
    switch (field->kind) {
    case LOG_KIND_TEXT:
        json_member_str(json, field->name, field->text);
        return;
    case LOG_KIND_NUMBER:
        json_member_i64(json, field->name, field->number);
        return;
    case LOG_KIND_BOOL:
        json_member_bool(json, field->name, field->number != 0);
        return;
    case LOG_KIND_END:
        break;
    }
    assert(false && "a field with a name has a kind");
}

/* All of the field or, if it does not fit, nothing of it. */
static bool field_fits(struct line *self, const struct log_field *field)
{
    struct buf buf_before = self->buf;
    struct json_out json_before = self->json;

    field_write(&self->json, field);
    if (!self->buf.overflowed) {
        return true;
    }
    self->buf = buf_before;
    self->json = json_before;
    self->truncated = true;
    return false;
}

/* A field that no line may lack: halved until it fits. */
static void field_cut(struct line *self, const char *name, struct str text)
{
    struct log_field field = LOG_TEXT(name, text);

    while (!field_fits(self, &field) && field.text.len > 0) {
        field.text.len /= 2;
    }
}

static void timestamp(struct line *self)
{
    char memory[RFC3339_BYTES_MAX + 1];
    struct buf text = buf_over(memory, sizeof(memory));

    codec_rfc3339_ns(&text, clock_wall_ns());
    json_member_str(&self->json, "timestamp", buf_str(&text));
}

static struct str static_name(const char *name)
{
    return str_sub(str_from(name), 0, LOG_NAME_BYTES_MAX);
}

static void line_build(struct line *self, enum log_level level, const char *message,
                       const struct log_field *fields)
{
    json_object(&self->json);
    timestamp(self);
    json_member_str(&self->json, "level", str_from(level_names[level]));
    json_member_str(&self->json, "service", static_name(state.service));
    json_member_str(&self->json, "version", static_name(state.version));
    field_cut(self, "message", str_from(message));
    for (const struct log_field *field = fields; field->name != NULL; field++) {
        (void)field_fits(self, field);
    }
}

/* A pipe that poll(2) finds writable takes PIPE_BUF bytes without waiting. */
static bool is_writable(int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLOUT};

    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLOUT) != 0;
}

/* One write: a second one for the rest could land behind another thread's line. O_NONBLOCK is no
 * choice, for it would hold for everybody who has the same file open. */
static bool line_written(int fd, struct str line)
{
    ssize_t written;

    if (!is_writable(fd)) {
        return false;
    }
    do {
        written = write(fd, line.ptr, line.len);
    } while (written < 0 && errno == EINTR);
    return written == (ssize_t)line.len;
}

/* One thread at a time: the room that one has found must not be taken by another. */
static void line_send(struct str line)
{
    bool written;

    pthread_mutex_lock(&state.sending);
    written = line_written(atomic_load(&state.fd), line);
    pthread_mutex_unlock(&state.sending);
    if (!written) {
        atomic_fetch_add(&state.dropped, 1);
    }
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    char memory[LOG_LINE_BYTES_MAX];
    struct line line = {.buf = buf_over(memory, sizeof(memory) - (sizeof(TRUNCATED_LINE_END) - 1))};
    int errno_before = errno;

    assert((unsigned)level < LEVELS);
    if ((int)level < atomic_load(&state.level_min)) {
        return;
    }
    line.json = json_out_to(&line.buf);
    line_build(&line, level, message, fields);
    line.buf.cap = sizeof(memory);
    buf_append(&line.buf, line.truncated ? STR(TRUNCATED_LINE_END) : STR(LINE_END));
    assert(!line.buf.overflowed);
    line_send(buf_str(&line.buf));
    errno = errno_before;
}

uint64_t log_dropped(void)
{
    return atomic_load(&state.dropped);
}

void log_start(enum log_level level, const char *service, const char *version)
{
    assert((unsigned)level < LEVELS);
    assert(service != NULL && version != NULL);
    atomic_store(&state.level_min, (int)level);
    state.service = service;
    state.version = version;
    (void)fcntl(atomic_load(&state.fd), F_SETPIPE_SZ, pipe_bytes); /* it may be no pipe */
}

void log_to(int fd)
{
    atomic_store(&state.fd, fd);
}

enum error log_level_parse(struct str text, enum log_level *out)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        if (str_equal(text, str_from(level_names[level]))) {
            *out = (enum log_level)level;
            return OK;
        }
    }
    return ERR_INVALID;
}
