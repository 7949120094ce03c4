/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: what the kernel may show of it, and the signals that ask it to stop.
 *
 * Threads: the main thread, before any other was started.
 */
#pragma once

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/* No core files and no ptrace by others: the memory holds keys and passwords. As many files as the
 * hard limit allows. */
void process_harden(void);
/* SIGTERM and SIGINT are waited for from now on, and interrupt no thread. */
void process_block_signals(sigset_t *waited);
/* True when one came within the time; `ms` below 0 waits for ever. */
bool process_stop_asked(const sigset_t *waited, int64_t ms);
/* One line on standard error; returns EXIT_FAILURE. */
int process_fail(const char *reason);
