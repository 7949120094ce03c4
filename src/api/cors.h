/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cross-origin requests (Fetch standard, "HTTP CORS protocol") from the origins that US_CORS_ORIGINS
 * names, compared as they are. No cookies are in play, so credentials are never allowed.
 *
 * Threads: as the request.
 */
#pragma once

#include "request.h"

enum { CORS_ORIGINS_MAX = 8 };

struct cors {
    struct str origins[CORS_ORIGINS_MAX];
    size_t count; /* 0: no cross-origin request is let in */
};

/* Lets the origin read the answer, if it is one of ours. */
void cors_mark(struct request *request);
/* Answers a preflight; false when it is none, or not from one of our origins. `methods` is what the
 * path takes; empty: there is no such path. */
bool cors_preflight(struct request *request, struct str methods);
