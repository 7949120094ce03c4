/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a request has at hand while a worker runs it.
 *
 * Ownership: connection and hasher are the worker's, the arena is the request's.
 * Threads: the worker's own.
 */
#pragma once

#include "password_hash.h"
#include "pg.h"

struct work {
    struct pg *pg;
    struct password_hasher *hasher; /* NULL outside the hash lane */
    struct arena *arena;
    bool has_events;       /* a transaction that appended events was committed: wake the relay */
    int64_t retry_after_s; /* of an ERR_TOO_MANY_ATTEMPTS */
    struct str mfa_token;  /* of an ERR_MFA_REQUIRED: what the code comes with; empty: none */
};
