/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two listeners: the API's, and that of operations (metrics and probes), which has a thread of its
 * own.
 *
 * Ownership: config, arena and api must stay until listeners_close. Threads: the main thread.
 */
#pragma once

#include "api.h"
#include "config.h"

struct listeners {
    struct http_server *api; /* NULL: not open */
    struct http_server *ops;
};

struct listeners_options {
    const struct config *config;
    struct arena *arena; /* of the start */
    struct api *api;
    double cpus; /* of the quota */
};

/* ERR_CONFIG with one sentence in `why` (arena), which names the variable; what is open by then stays so
 * until listeners_close. */
NODISCARD enum error listeners_open(struct listeners *self, const struct listeners_options *options,
                                    const char **why);
/* Until all requests in the house are answered, but no longer than they may take. */
void listeners_wait_idle(const struct listeners *self);
void listeners_close(struct listeners *self);
