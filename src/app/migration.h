/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Brings the schema up to date when the service starts, however long the database is away.
 *
 * Threads: the main thread.
 */
#pragma once

#include <signal.h>

#include "schema.h"

/* One try. ERR_CONFIG with one sentence in `why` (arena). */
NODISCARD enum error migration_once(const struct pg_options *database, struct arena *arena,
                                    struct schema_report *report, const char **why);
/* Tries until the database is there. ERR_CONFIG as above, when trying again is of no use;
 * ERR_UNAVAILABLE when a signal to stop came first. */
NODISCARD enum error migration_patiently(const struct pg_options *database, struct arena *arena,
                                         const sigset_t *waited, const char **why);
