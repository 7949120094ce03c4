/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings the schema up to date when the service starts, however long the database is away.
 *
 * Threads: the main thread.
 */
#pragma once

#include <signal.h>

#include "schema.h"

/* One try. Each failure is one sentence in `why` (static; until the next try): ERR_CONFIG when trying
 * again is of no use, ERR_UNAVAILABLE when the database is away. */
NODISCARD enum error migration_once(const struct pg_options *database, struct schema_report *report,
                                    const char **why);
/* Tries until the database is there. ERR_CONFIG as above; ERR_UNAVAILABLE when a signal to stop came
 * first. */
NODISCARD enum error migration_patiently(const struct pg_options *database, const sigset_t *waited,
                                         const char **why);
