/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The database of an operator's command, opened with the schema's statements.
 *
 * Threads: the main thread.
 */
#pragma once

#include "config.h"
#include "pg.h"

/* Connected, its schema as new as this binary. Each failure is one sentence in `why` (arena):
 * ERR_CONFIG. `data` is the data folder (below DEV_FOLDER_BYTES_MAX bytes) of a `user-service dev` that is asked where the configuration
 * names no database. */
NODISCARD enum error tool_database_open(const struct config *config, const char *data,
                                        struct arena *arena, struct pg **out, const char **why);
