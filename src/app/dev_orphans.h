/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PostgreSQL processes that a killed `user-service dev` may have left on a data directory, found by
 * their working directory (PostgreSQL's is its data directory). They are asked to stop and waited
 * for, since a second server on the same files would destroy them; a pid file that no process
 * stands behind is then removed, whoever has that number now.
 *
 * Threads: the main thread only. Errors: ERR_IO, with the reason on standard error.
 */
#pragma once

#include "error.h"

/* The caller must hold the folder's lock, so that none is started meanwhile. */
NODISCARD enum error dev_orphans_end(const char *data);
