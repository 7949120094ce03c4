/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `user-service dev`: the service with all that it needs, for one developer's machine. A supervisor
 * that starts a private PostgreSQL, an inbox that plays the Notification Service and, as a child, the
 * same `serve` that runs in production; it prints where they are and each mail, and stops them in
 * reverse order on SIGINT, SIGTERM or SIGHUP.
 *
 * Threads: call on the main thread before any other is started.
 */
#pragma once

/* The arguments from "dev" on; returns the exit status. */
int dev_main(int argc, char **argv);
