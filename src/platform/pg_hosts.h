/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hosts of a database URL, one by one. libpq itself goes to the next host only when one refuses;
 * one that is silent would use up the caller's deadline. For pg*.c only.
 *
 * Ownership: of the parsed URL until pg_hosts_free. Threads: one.
 */
#pragma once

#include "pg.h"

enum {
    PG_HOSTS_MAX = 8,     /* a URL with more is libpq's to go through */
    PG_SETTINGS_MAX = 96, /* libpq knows some 50 */
};

/* NULL or "": libpq's default. */
struct pg_host {
    char *name; /* or the folder of a socket */
    char *address;
    char *port;
};

struct pg_hosts {
    void *parsed; /* libpq's PQconninfoOption[] */
    size_t count; /* at least 1 */
    struct pg_host list[PG_HOSTS_MAX];
};

/* libpq's settings in the order of their weight, the weakest first. */
struct pg_settings {
    const char *names[PG_SETTINGS_MAX + 1];
    const char *values[PG_SETTINGS_MAX + 1];
    int count;
};

/* ERR_CONFIG: not a libpq URI or conninfo string. */
NODISCARD enum error pg_hosts_parse(const char *url, struct pg_hosts *out);
void pg_hosts_free(struct pg_hosts *self);
/* All that libpq is told to reach one host; what it points to stays until pg_hosts_free, and the
 * options' strings. */
void pg_hosts_settle(const struct pg_hosts *self, const struct pg_host *host,
                     const struct pg_options *options, struct pg_settings *out);
