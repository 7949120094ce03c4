/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Structured logs: one JSON object a line on standard output, written with one write(2) of at most
 * LOG_LINE_BYTES_MAX, which a pipe takes whole, so that lines of threads and processes never mix.
 * Fields that do not fit are left out, a message that does not fit is cut, and `truncated` says so;
 * the line stays valid JSON whatever the bytes.
 *
 *     log_info("server started", LOG_TEXT("listen", listen), LOG_NUMBER("pid", pid));
 *
 * Never a password, token, key, e-mail address or query string in a field.
 *
 * Threads: any. Errors: a line that cannot be written at once, as when the reader of a pipe stalls,
 * is dropped and counted: a log must not stop the service. errno is kept.
 */
#pragma once

#include "str.h"

enum { LOG_LINE_BYTES_MAX = 4096 /* PIPE_BUF */, LOG_NAME_BYTES_MAX = 64 };

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

enum log_kind { LOG_KIND_END = 0, LOG_KIND_TEXT, LOG_KIND_NUMBER, LOG_KIND_BOOL };

struct log_field {
    const char *name;
    enum log_kind kind;
    struct str text;
    int64_t number;
};

#define LOG_TEXT(name_, str_)                                                                      \
    {                                                                                              \
        .name = (name_), .kind = LOG_KIND_TEXT, .text = (str_)                                     \
    }
#define LOG_CSTR(name_, terminated_) LOG_TEXT(name_, str_from(terminated_))
#define LOG_NUMBER(name_, value_)                                                                  \
    {                                                                                              \
        .name = (name_), .kind = LOG_KIND_NUMBER, .number = (int64_t)(value_)                      \
    }
#define LOG_BOOL(name_, value_)                                                                    \
    {                                                                                              \
        .name = (name_), .kind = LOG_KIND_BOOL, .number = (value_) ? 1 : 0                         \
    }

#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){.name = NULL}})

/* The fields end at one without a name. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

#define log_debug(message, ...) log_write(LOG_DEBUG, (message), LOG_FIELDS(__VA_ARGS__))
#define log_info(message, ...) log_write(LOG_INFO, (message), LOG_FIELDS(__VA_ARGS__))
#define log_warn(message, ...) log_write(LOG_WARN, (message), LOG_FIELDS(__VA_ARGS__))
#define log_error(message, ...) log_write(LOG_ERROR, (message), LOG_FIELDS(__VA_ARGS__))

uint64_t log_dropped(void); /* lines that could not be written */

/* Start-up only. `service` and `version` (static strings of at most LOG_NAME_BYTES_MAX; what is
 * beyond is cut) stand in every line. */
void log_start(enum log_level level, const char *service, const char *version);
void log_to(int fd); /* default: standard output */
/* "debug", "info", "warn", "error"; else ERR_INVALID. */
NODISCARD enum error log_level_parse(struct str text, enum log_level *out);
