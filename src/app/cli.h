/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: `user-service COMMAND [OPTION …]`.
 *
 * Threads: the main thread.
 */
#pragma once

/* Runs what the arguments say; returns the exit status: 0 done, 1 failed, 2 not understood. */
int cli_run(int argc, char **argv);
