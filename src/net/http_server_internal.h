/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of http_server share: http_server (the only one that names the library),
 * http_connection, http_exchange (a request and its memory), http_request and http_method (what a
 * handler asks for), http_pool, http_head (what is refused), http_refusal (how), http_reaper (time
 * limits of peers), http_listen.
 *
 * Ownership: a connection belongs to the server from accept to close, an exchange from the end of a
 * request's head until its answer was sent or its client was found gone.
 * Threads: fields without `_Atomic` belong to the connection's I/O thread, or to the thread that
 * answers an exchange while it is HTTP_X_HANDLING or HTTP_X_PARKED.
 */
#pragma once

#include "codec.h"
#include "http_server.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>

enum {
    /* The library's memory for a connection. A request's head may fill all of it but what the head
     * of an answer needs; with each field (and query parameter) goes a record of the library. */
    HTTP_POOL_BYTES = 12288,
    HTTP_ANSWER_HEAD_BYTES_MAX = 2048,
    HTTP_FIELD_RECORD_BYTES = 64,
    HTTP_TARGET_BYTES_MAX = 8192,
    HTTP_LINGER_MAX = 64,
    HTTP_LINGER_MS = 2000,
    HTTP_LINGER_BYTES_MAX = 4 << 20
};

/* Equal pieces of one mapping. Pieces that were never taken are never touched; the one given back
 * last is taken first, so its memory is warm. Threads: any. */
struct http_pool {
    pthread_mutex_t lock;
    unsigned char *memory;
    size_t piece_bytes;
    unsigned count;
    unsigned fresh; /* pieces from here on were never taken */
    unsigned taken;
    void *free;
};

NODISCARD enum error http_pool_map(struct http_pool *self, unsigned count, size_t piece_bytes);
void http_pool_unmap(struct http_pool *self);
/* Zeroed when fresh, else as it was given back; NULL when all are taken. */
void *http_pool_take(struct http_pool *self);
void http_pool_give(struct http_pool *self, void *piece);
unsigned http_pool_taken(struct http_pool *self);

/* Values of http_connection.deadline_ms that are no time. */
enum { HTTP_IDLE = 0, HTTP_IN_THE_HOUSE = -1 };

/* From here on request_bytes is no number: the reaper takes what has been received when it comes by.
 * Each time another one, so that it never takes an old count for a new one. */
#define HTTP_UNCOUNTED ((uint64_t)1 << 63)

struct http_connection {
    struct http_connection *previous; /* all open ones, under the reaper's lock */
    struct http_connection *next;
    int fd;
    bool upload_unread;             /* closing although the client may still be sending */
    _Atomic int64_t deadline_ms;    /* when the peer is cut; or HTTP_IDLE, HTTP_IN_THE_HOUSE */
    _Atomic uint64_t request_bytes; /* received bytes of answered requests, or uncounted */
    struct http_exchange *exchange;
    size_t peer_len;
    char peer[HTTP_PEER_BYTES_MAX];
    size_t target_len;
    char target[HTTP_TARGET_BYTES_MAX]; /* touched as far as targets are long */
};

/* RECEIVING -> HANDLING -> ANSWERED, or -> PARKED -> ANSWERED. Whoever sets ANSWERED does not touch
 * the exchange afterwards, but to resume a parked one. */
enum http_exchange_state { HTTP_X_RECEIVING, HTTP_X_HANDLING, HTTP_X_PARKED, HTTP_X_ANSWERED };

/* HTTP_OTHER: none of the known ones. Case counts (RFC 9110 section 9.1). */
enum http_method http_method_of(struct str token);

/* Why a request never reaches the handler. Static. */
struct http_refusal {
    int status;
    const char *reason; /* a metric label */
    const char *title;
    const char *code;
    const char *detail;
};

extern const struct http_refusal http_head_busy;   /* no exchange is free */
extern const struct http_refusal http_head_bodies; /* too many wait for a body */
extern const struct http_refusal http_head_body_size;
extern const struct http_refusal http_head_size;

/* What the rules need to know of a head; fed with every field. */
struct http_head {
    size_t bytes;        /* of the whole head, set before the fields are fed */
    unsigned parameters; /* of the query, the same */
    unsigned fields;
    unsigned hosts, lengths, encodings, authorizations;
    struct str host;
    struct str content_length;
    const struct http_refusal *refused; /* by a field; the first one */
    /* by http_head_judge */
    enum http_method method;
    struct str path;
    struct str query;
};

void http_head_field(struct http_head *self, struct str name, struct str value);
/* Bytes of the body that the head announces: UINT64_MAX when it is chunked. */
uint64_t http_head_body_bytes(const struct http_head *self);
/* Cuts the target into path and query. NULL: nothing against the request. */
const struct http_refusal *http_head_judge(struct http_head *self, struct str method,
                                           struct str target,
                                           const struct http_server_options *options);

/* Cuts slow peers; and lingers on closed connections whose client is still sending, since a close
 * with unread bytes is a reset that takes the answer with it. */
struct http_reaper {
    pthread_mutex_t lock;
    struct http_connection *open;
    const char *name;
    int64_t header_ms;
    int64_t tick_ms;
    int wake_fd;
    bool running;
    bool stopping;
    pthread_t thread;
    unsigned linger_count;
    struct http_linger {
        int fd;
        int64_t until_ms;
        size_t bytes_left;
    } lingers[HTTP_LINGER_MAX];
};

NODISCARD enum error http_reaper_start(struct http_reaper *self,
                                       const struct http_server_options *options);
void http_reaper_stop(struct http_reaper *self);
void http_reaper_opened(struct http_reaper *self, struct http_connection *connection);
/* All bytes that the kernel has received from the peer so far. */
NODISCARD bool http_reaper_received(int fd, uint64_t *out);
/* Before the library closes the socket. */
void http_reaper_closing(struct http_reaper *self, struct http_connection *connection);

/* What a refused client is told: a problem document (RFC 9457). */
struct http_refusal_text {
    char request_id[UUID_TEXT_BYTES + 1];
    char body[512];
};

enum { HTTP_REFUSAL_MESSAGE_BYTES_MAX = 1024 };

/* The answer points into `text`. */
void http_refusal_answer(const struct http_refusal *self, struct http_refusal_text *text,
                         struct http_response *out);
/* A whole message that closes, for a place where the library cannot answer any more. */
size_t http_refusal_message(const struct http_refusal *self, struct http_refusal_text *text,
                            char out[HTTP_REFUSAL_MESSAGE_BYTES_MAX]);
void http_refusal_count(const char *server, const char *reason);
/* Counts it and writes the line of the log that a request has; `text` was answered. */
void http_refusal_note(const struct http_refusal *self, const char *server,
                       const struct http_connection *connection,
                       const struct http_refusal_text *text);
/* Metrics of all servers. */
void http_refusal_register_metrics(void);
void http_refusal_connections(const char *server, double change);

/* A listening socket. ERR_CONFIG with one sentence in `why`. */
NODISCARD enum error http_listen(const char *listen_on, int *fd, unsigned *port, struct buf *why);

/* The text of an address without its port; an IPv4 address in IPv6 clothes as IPv4. */
size_t http_listen_peer(const struct sockaddr *address, char out[HTTP_PEER_BYTES_MAX]);

/* Asks the scheduler to give this thread, and those that it will start, short turns (or those of all
 * others). From Linux 6.12 on a thread of short turns that wakes is let in before one that computes;
 * older kernels take no notice, and prefer who has slept anyway. */
void http_turns_short(bool wanted);

struct http_server {
    struct http_server_options options;
    void *daemon; /* the library's */
    struct http_pool connections;
    struct http_pool exchanges;
    struct http_reaper reaper;
    _Atomic unsigned receiving; /* exchanges whose body is not all there */
    unsigned port;
    _Atomic bool draining;
};

struct http_exchange {
    struct http_server *server;
    struct http_connection *connection;
    void *library; /* the library's connection */
    void *answer;  /* the library's response; NULL: close */
    int answer_status;
    _Atomic int state; /* enum http_exchange_state */
    bool suspended;
    bool chunked;
    bool receiving; /* counts in the server's */
    enum http_method method;
    struct str path;
    struct str query;
    char *body;
    size_t body_len;
    size_t body_cap;
    void *user;
    struct arena arena;
};

size_t http_exchange_bytes(const struct http_server *server);
/* Becomes the connection's exchange. NULL: nothing against it. At most half of the exchanges may wait
 * for a body, so that clients who are slow with theirs, on purpose or not, leave the rest to requests
 * without one, or whose body has arrived together with the head. */
const struct http_refusal *http_exchange_begin(struct http_server *server,
                                               struct http_connection *connection,
                                               const struct http_head *head);
/* The body is there. */
void http_exchange_received(struct http_exchange *x);
/* It was answered, or its client is gone. */
void http_exchange_end(struct http_exchange *x, size_t head_bytes);
/* Takes a piece of the body and wipes it where it was. False: the body is over the limit, the client
 * was told so, and the connection must be closed. */
bool http_exchange_body(struct http_exchange *x, const char *bytes, size_t len);

/* NULL: more than the library was told to accept. */
struct http_connection *http_connection_begin(struct http_server *server, int fd,
                                              const struct sockaddr *peer);
/* Before the library closes the socket. */
void http_connection_end(struct http_server *server, struct http_connection *self);
/* A request's first line is complete. A target as long as HTTP_TARGET_BYTES_MAX is refused. */
void http_connection_head(struct http_connection *self, const char *target, int64_t header_ms);
/* Writes a refusal past the library, which has nothing to send while it reads a request; it must
 * then be told to close. */
void http_connection_refuse(struct http_server *server, struct http_connection *self,
                            const struct http_refusal *refusal);
/* A request was answered. `bytes` is HTTP_UNCOUNTED when they are not known. */
void http_connection_done(struct http_connection *self, uint64_t bytes);
