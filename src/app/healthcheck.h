/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks a running service whether it is ready, for container runtimes that probe with a command.
 *
 * Threads: any. Errors: ERR_UNAVAILABLE when nothing answers in 3 seconds, or the answer is not 200.
 */
#pragma once

#include "str.h"

/* `listen` is the operations listener's address as configured: its port on this machine is asked. */
NODISCARD enum error healthcheck_ask(struct str listen);
