/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the API floor works with: the services below it, its lanes, and what the listeners answer from
 * memory. Made once at start by app, read-only from then on (but for what is atomic).
 */
#pragma once

#include "account.h"
#include "health.h"
#include "http_server.h"
#include "lanes.h"
#include "network.h"
#include "validity.h"

enum { API_ARENA_BYTES = 384 * 1024, API_OPS_ARENA_BYTES = 640 * 1024, API_BODY_BYTES_MAX = 16384 };

enum { API_CACHE_CONTROL_BYTES = 48 };

enum api_lane { API_INLINE, API_DB, API_HASH, API_LANE_COUNT };

struct cors;
struct rate_limit;

struct api_options {
    const struct accounts *accounts;
    const struct tokens *tokens;
    const struct validity *validity;
    struct clients *clients; /* those of `validity`, to be read anew after a change */
    const struct pg_options *database;
    struct password_hash_cost password_cost;
    unsigned db_threads;
    unsigned hash_threads;
    struct cpu_pace *pace;
    const struct cors *cors;
    const struct network_list *proxies; /* whose X-Forwarded-For counts */
    struct rate_limit *rate_limit;      /* of routes marked ROUTE_LIMITED; NULL: none */
    int64_t document_max_age_s;         /* how long others keep the keys and the metadata */
    bool docs_on;
    bool pages_on;
    struct health *health;
    /* Called after a commit that left something to send or to resolve. */
    void (*events_committed)(void *context);
    void *context;
};

struct api {
    struct api_options options;
    struct lane *lanes[API_LANE_COUNT]; /* none for API_INLINE */
    char cache_control_text[API_CACHE_CONTROL_BYTES];
    struct str cache_control; /* of documents */
};

/* Starts the lanes. The options' pointers must stay. */
NODISCARD enum error api_start(const struct api_options *options, struct api **out);
/* Runs what is queued, then ends the workers; what comes later is answered 503. */
void api_stop(struct api *self);
/* After api_stop, when the listeners are gone. */
void api_free(struct api *self);
void api_register_metrics(void);

/* http_server_options.handle and .user_bytes of the two listeners; the context is the api. */
void api_handle(void *context, struct http_exchange *x);
void api_handle_ops(void *context, struct http_exchange *x);
size_t api_user_bytes(void);
