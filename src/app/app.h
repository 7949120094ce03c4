/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The service as a whole: starts its floors in order, waits for a signal, stops them in reverse.
 *
 * Threads: the main thread, before any other was started.
 */
#pragma once

#include "config.h"

/* `user-service serve`: returns the exit status. log_start was called. */
int app_serve(const struct config *config);
/* `user-service migrate`: brings the schema up to date and says what it did. */
int app_migrate(const struct config *config);
