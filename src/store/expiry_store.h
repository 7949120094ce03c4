/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that have expired, in every table that keeps such. They count for nothing from their expiry on;
 * removing them is housekeeping. The audit trail goes by its retention.
 *
 * Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements expiry_store_statements;

enum { EXPIRY_BATCH_ROWS = 500 };

/* Removes at most EXPIRY_BATCH_ROWS of each table; rows that others work on are left for later. `most`
 * is the largest number removed of one table: EXPIRY_BATCH_ROWS says that there may be more. */
NODISCARD enum error expiry_store_sweep(struct pg *pg, int64_t audit_retention_s, int64_t *most);
