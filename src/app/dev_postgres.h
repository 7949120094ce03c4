/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The private PostgreSQL of `user-service dev`: made on the first start, on a unix socket only, in a
 * short temporary folder that no other account can enter, with the durability of a real one.
 *
 * PostgreSQL refuses root. Started as root it therefore runs in a user namespace, where root is
 * called otherwise but can still read a folder that only root may; where the kernel gives none, it
 * runs as the account `postgres` with its data below DEV_POSTGRES_FALLBACK.
 *
 * The caller holds the data folder's lock (dev_files_lock).
 * Threads: the main thread only. Errors: ERR_IO, with the reason on standard error.
 */
#pragma once

#include "dev_child.h"
#include "dev_files.h"

#define DEV_POSTGRES_FALLBACK "/var/lib/user-service-dev"

struct dev_postgres {
    struct dev_child server;
    struct dev_path data;
    struct dev_path log;
    char socket_folder[32];
    char url[128]; /* for US_DATABASE_URL */
    struct dev_identity identity;
    unsigned connections_max;
    struct dev_path programs; /* the folder of initdb and postgres */
    unsigned version;         /* major */
};

/* Accepts connections when it returns OK: as many as asked for, and some for tools. `folder` is
 * absolute. */
NODISCARD enum error dev_postgres_start(const char *folder, unsigned connections,
                                        struct dev_postgres *out);
/* Fast shutdown; removes the socket's folder. */
void dev_postgres_stop(struct dev_postgres *self);
