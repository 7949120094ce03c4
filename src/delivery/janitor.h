/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The janitor: a thread that removes expired rows, in small batches soon after the start and about once a minute. It connects
 * for each round, so that it costs no idle connection.
 *
 * Ownership: the options must stay until janitor_stop. Threads: start and stop from one thread.
 * Errors: a round that fails is logged and tried again with the next.
 */
#pragma once

#include "pg.h"

struct janitor;

struct janitor *janitor_start(const struct pg_options *database, int64_t audit_retention_s);
void janitor_stop(struct janitor *self);
