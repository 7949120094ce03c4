/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `serve` processes of `user-service dev`: one, or several over one database, replica i on the first
 * one's ports + i, each with a log of its own. All have the same settings but for the listeners.
 *
 * Threads: the main thread only. Errors: with the reason on standard error.
 */
#pragma once

#include "dev_child.h"
#include "dev_files.h"

enum { DEV_REPLICAS_MAX = 8, DEV_REPLICAS_NAME_BYTES = 24 };

struct dev_replica {
    char name[DEV_REPLICAS_NAME_BYTES]; /* for messages */
    unsigned api_port;
    unsigned ops_port;
    bool is_ready;
    struct dev_path log;
    int log_fd;
    struct dev_child service;
};

struct dev_replicas {
    unsigned count;
    struct dev_replica items[DEV_REPLICAS_MAX];
};

/* Sets the first one's listeners, unless the caller has, and finds all ports free; `port` 0: none was
 * asked for. ERR_CONFIG. */
NODISCARD enum error dev_replicas_plan(struct dev_replicas *self, unsigned count, unsigned port);
/* Whether one of them is going to listen there. */
bool dev_replicas_use_port(const struct dev_replicas *self, unsigned port);
/* Database connections that all of them may open at once. */
unsigned dev_replicas_connections(const struct dev_replicas *self);
/* service.log, service-1.log, …: that of the last start becomes *.1. */
NODISCARD enum error dev_replicas_open_logs(struct dev_replicas *self, const char *folder);
/* All at once, with the environment as it is. */
NODISCARD enum error dev_replicas_start(struct dev_replicas *self);
/* Whether all answer that they are ready. */
bool dev_replicas_are_ready(struct dev_replicas *self);
/* True once one has ended by itself, which was told. */
bool dev_replicas_have_ended(struct dev_replicas *self);
/* The last lines of those that are not ready. */
void dev_replicas_show_logs(const struct dev_replicas *self);
/* All at the same time. */
void dev_replicas_stop(struct dev_replicas *self, int64_t grace_ms);
