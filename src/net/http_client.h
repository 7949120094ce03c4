/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outgoing HTTP over libcurl's multi interface: several POSTs at once from one thread. https and
 * http only, no redirects (a 3xx is the answer), no proxy but the environment's. Once the head of an
 * answer is complete the call is answered, whatever its body does then: that is thrown away. A body
 * that has not ended 50 ms later, or is larger than RESPONSE_BYTES_MAX, is cut: the call ends and its
 * connection is closed, so a huge, slow or endless one costs no more than that.
 *
 * Ownership: a call is the caller's memory from start until http_client_wait returns it.
 * Threads: one thread, but http_client_wake, which any may call.
 */
#pragma once

#include "arena.h"

enum {
    HTTP_CLIENT_PARALLEL_MAX = 16,
    HTTP_CLIENT_HEADERS_MAX = 8,
    HTTP_CLIENT_RESPONSE_BYTES_MAX = 65536
};

enum http_outcome {
    HTTP_ANSWERED,      /* status is set */
    HTTP_NO_CONNECTION, /* name, connect or TLS failed: the endpoint's fault, nothing was sent */
    HTTP_TIMED_OUT,
    HTTP_BROKEN /* sent, but the answer did not come or was not HTTP */
};

struct http_call {
    const char *url;
    const char *headers[HTTP_CLIENT_HEADERS_MAX]; /* "Name: value", NULL ends */
    struct str body;
    int64_t timeout_ms;
    void *context;
    /* the result */
    enum http_outcome outcome;
    int status;
    int64_t retry_after_s; /* -1: no such header; HTTP dates are understood */
    char reason[128];      /* one line for the log; libcurl's words */
    int64_t duration_ms;
    void *handle;          /* internal */
    void *list;            /* internal */
    size_t received_bytes; /* internal: head and body */
    bool head_done;        /* internal */
    int64_t head_done_ms;  /* internal */
};

struct http_client;

void http_client_start(void); /* once, before threads */
struct http_client *http_client_new(void);
void http_client_free(struct http_client *self);
/* ERR_OVERLOADED when HTTP_CLIENT_PARALLEL_MAX calls are running. */
NODISCARD enum error http_client_post(struct http_client *self, struct http_call *call);
unsigned http_client_running(const struct http_client *self);
/* Works until a call ends, the timeout passes or someone wakes it. NULL: no call ended. */
struct http_call *http_client_wait(struct http_client *self, int64_t timeout_ms);
void http_client_wake(struct http_client *self);
