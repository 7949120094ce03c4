/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way of a request: find the route, decode, authenticate (on the I/O thread, so that what is
 * refused takes no worker), run the handler there or on its lane, answer once, log one line.
 *
 * Threads: dispatch_begin on I/O threads, dispatch_run and dispatch_drop on a lane's.
 */
#pragma once

#include "routes.h"

enum {
    DISPATCH_DEADLINE_MS = 4000,
    DISPATCH_QUEUE_MS = 2000,
    /* What was to be answered from memory: somebody's own request waits for it. */
    DISPATCH_DEFERRED_MS = 1500,
    DISPATCH_DEFERRED_QUEUE_MS = 1000
};

void dispatch_begin(struct api *api, const struct route_table *table, struct http_exchange *x);
void dispatch_run(struct request *request, struct work *work);
void dispatch_drop(struct request *request);
