/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses of a host name by a deadline. getaddrinfo keeps to resolv.conf's time limits and not to
 * ours, so it runs on one of libc's own threads (getaddrinfo_a). What has not ended by the deadline is
 * left to run; the next call for the name takes its outcome instead of asking once more.
 *
 * Ownership: an array of PG_HOSTS_MAX, one for each host of a URL, allocated zeroed and for nothing
 * else: pg_lookup_free leaves it to libc while one of them runs. Threads: one.
 */
#pragma once

#include <netdb.h>

#include "pg_hosts.h"

enum {
    PG_ADDRESSES_MAX = 8,
    PG_ADDRESS_BYTES_MAX = 64, /* IPv6 with its scope, and the NUL */
    PG_NAME_BYTES_MAX = 254,   /* a host name's 253, and the NUL */
    PG_LOOKUP_FRESH_MS = 30000 /* an outcome that nobody came for in this time is not used */
};

struct pg_lookup {
    struct gaicb request;
    int64_t started_ms; /* clock_mono_ms; 0: none was */
    char name[PG_NAME_BYTES_MAX];
};

struct pg_addresses {
    size_t count; /* at least 1 */
    char list[PG_ADDRESSES_MAX][PG_ADDRESS_BYTES_MAX];
};

/* Whether the host has a name to be looked up: it is neither an address nor a socket. */
bool pg_lookup_is_needed(const struct pg_host *host);
/* ERR_UNAVAILABLE: not by the deadline. ERR_NOT_FOUND: the name has no address. */
NODISCARD enum error pg_lookup_run(struct pg_lookup *self, const char *name, int64_t deadline_ms,
                                   struct pg_addresses *out);
void pg_lookup_free(struct pg_lookup *all);
