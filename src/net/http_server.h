/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 (RFC 9110, RFC 9112) over libmicrohttpd, which http_server.c and http_request.c alone name.
 *
 * The server reads a whole request (head, then a body of at most body_bytes_max into the exchange's
 * arena) on an I/O thread and calls `handle` there. The handler answers at once with http_respond, or
 * calls http_suspend and hands the exchange to another thread, which calls http_respond later. Either
 * way each exchange is answered exactly once, and its memory is wiped when the answer was sent or the
 * client went away.
 *
 * Requests are taken up to exchanges_max; of these at most half may still be sending their body.
 *
 * Refused before `handle` is called, by the library or by us: what RFC 9112 calls an invalid message;
 * repeated Host, Content-Length or Authorization; Content-Length with Transfer-Encoding; control or
 * non-ASCII bytes in the target or in field names; a path that changes when normalised, but below
 * `raw_path_prefix`; a body over the limit (413). Slow peers are cut by a reaper: header_ms, body_ms,
 * response_ms; an idle connection after keep_alive_s.
 *
 * Threads: `handle` runs on any I/O thread; http_respond may be called from any thread.
 */
#pragma once

#include "arena.h"

enum {
    HTTP_HEADERS_MAX = 16,
    HTTP_ANSWER_FIELDS_BYTES_MAX = 1800, /* an answer's fields, with ": " and CRLF */
    HTTP_PEER_BYTES_MAX = 64
};

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_PATCH,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_OTHER, /* a well-formed token that is none of them */
    HTTP_METHOD_COUNT
};

const char *http_method_name(enum http_method method); /* HTTP_OTHER: "_OTHER" */

struct http_exchange;

struct http_header {
    const char *name;
    struct str value;
};

struct http_response {
    int status;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct str body; /* in the exchange's arena, or static */
};

void http_response_header(struct http_response *self, const char *name, struct str value);

/* The request. Everything lives as long as the exchange. */
enum http_method http_request_method(const struct http_exchange *x);
struct str http_request_path(const struct http_exchange *x);  /* as sent, without the query */
struct str http_request_query(const struct http_exchange *x); /* behind '?'; empty if none */
struct str http_request_body(const struct http_exchange *x);
struct str http_request_peer(const struct http_exchange *x); /* numeric address, no port */
/* First field of that name, any case; ptr NULL if there is none. */
struct str http_request_header(const struct http_exchange *x, const char *name);
/* All fields of that name, any case, as one list (RFC 9110 section 5.3); empty if there is none. */
struct str http_request_list(struct http_exchange *x, const char *name);
struct arena *http_request_arena(struct http_exchange *x);
/* clock_mono_ms of its first byte. */
/* `bytes` of zeroed memory for the layer above, one a server, made with the exchange. */
void *http_request_user(struct http_exchange *x);

/* Only inside `handle`; afterwards the exchange belongs to whoever answers it. */
void http_suspend(struct http_exchange *x);
void http_respond(struct http_exchange *x, const struct http_response *response);

struct http_server_options {
    const char *name;   /* for metrics and logs: "api", "ops" */
    const char *listen; /* "127.0.0.1:8000", "[::]:8000"; port 0 takes a free one */
    unsigned io_threads;
    unsigned connections_max;
    unsigned exchanges_max; /* requests in the house at once; beyond: 503 */
    size_t arena_bytes;     /* memory of one request, touched as it is used */
    size_t user_bytes;
    size_t body_bytes_max; /* 0: a request has no body, not even a chunked one */
    int64_t header_ms;     /* from the first byte of a head to its end */
    int64_t body_ms;
    int64_t response_ms; /* to send an answer that is ready */
    unsigned keep_alive_s;
    const char *raw_path_prefix; /* "/v1/auth/verify/"; NULL: none */
    void (*handle)(void *context, struct http_exchange *x);
    void *context;
};

struct http_server;

/* Listens and serves. ERR_CONFIG when it cannot, with one sentence in `why` (valid until this thread
 * calls again). Strings in `options` must stay. */
NODISCARD enum error http_server_start(const struct http_server_options *options,
                                       struct http_server **out, const char **why);
unsigned http_server_port(const struct http_server *self);
/* From now on every answer says `Connection: close`. */
void http_server_drain(struct http_server *self);
/* Requests in the house: not yet answered, or the answer not yet sent. */
unsigned http_server_active(const struct http_server *self);
/* Closes the listener and all connections; every suspended exchange must have been answered. */
void http_server_stop(struct http_server *self);
