/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request on its way through the API floor, and what handlers answer with.
 *
 * Ownership: lives in its exchange; texts are in the exchange's arena. Threads: belongs to the thread
 * that runs it; the lane hands it over.
 */
#pragma once

#include "api.h"

struct route;

struct request {
    struct lane_job job; /* first: the lane hands it back as this */
    struct api *api;
    struct http_exchange *x;
    struct arena *arena;
    const struct route *route; /* NULL: none matches */
    enum api_lane lane;        /* the one that has it; API_INLINE: none */
    struct str parameter;      /* what stands for {id} in the route's path */
    int64_t complete_ms;       /* clock_mono_ms at which all of it was there */
    struct str client;         /* its numeric address, as far as trusted proxies tell it */
    struct str id;
    struct str trace_id; /* of a valid traceparent (W3C Trace Context); empty otherwise */
    void *body;          /* the decoded body: the struct that the route's table fills */
    struct json_findings findings;
    struct token_claims claims; /* of routes with bearer authentication */
    struct work work;           /* pg is NULL while the handler runs on the I/O thread */
    struct str wanted_scope; /* for ERR_INSUFFICIENT_SCOPE: separated by spaces; empty: not told */
    const char *database_message; /* of a failed call; NULL if none */
    struct http_response response;
};

typedef enum error (*request_handler)(struct request *request);

/* The reply; `body` is in the arena or static. */
void request_reply(struct request *self, int status, struct str content_type, struct str body);
/* ERR_NO_SPACE when the document did not fit its buffer, or a text of it the arena. */
NODISCARD enum error request_reply_json(struct request *self, int status, const struct buf *body);
void request_reply_empty(struct request *self, int status);
/* A JSON document that others cache; 304 when the client has it (RFC 9110 section 13.1.2). */
struct request_document {
    struct str body;
    struct str etag;
    struct str cache_control;
};
void request_reply_document(struct request *self, const struct request_document *document);

/* Checks `Authorization: Bearer` (RFC 6750 section 2.1) into self->claims. */
NODISCARD enum error request_authenticate(struct request *self);
/* The same for a token of this issuer, whoever it is for. */
NODISCARD enum error request_authenticate_anyone(struct request *self);
/* The same for /v1/admin: ERR_INSUFFICIENT_SCOPE without users:admin. */
NODISCARD enum error request_authenticate_admin(struct request *self);
/* The same for /v1/users: ERR_INSUFFICIENT_SCOPE without users:read. */
NODISCARD enum error request_authenticate_reader(struct request *self);
/* The client's address and user agent, for a session. */
struct account_origin request_origin(const struct request *self, struct str client_id);
/* The session that the checked token speaks of. */
struct user_session request_session(const struct request *self);
/* Adds a finding about one member of the body and returns ERR_VALIDATION. */
NODISCARD enum error request_invalid(struct request *self, struct str pointer, const char *code,
                                     const char *detail);
/* An e-mail address of the body; a finding at `pointer` if it is none. */
NODISCARD enum error request_email(struct request *self, struct str text, struct str pointer,
                                   struct email *out);
