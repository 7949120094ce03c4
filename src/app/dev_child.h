/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes of `user-service dev`: started so that none outlives it, stopped with a deadline.
 *
 * A child leads its own process group, so that Ctrl-C reaches only the supervisor, which then stops
 * its children in order; and the kernel sends it `death_signal` when the supervisor dies, whatever
 * of. That signal is bound to the thread that forked: start children from the main thread only.
 *
 * Ownership: options are borrowed for the call. Threads: the main thread only.
 * Errors: ERR_IO, with the reason on standard error.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

/* As whom a child runs. */
enum dev_identity_kind {
    DEV_IDENTITY_SAME,      /* as we do */
    DEV_IDENTITY_NAMESPACE, /* as root outside, but in a user namespace that calls us `uid` */
    DEV_IDENTITY_SWITCHED   /* as another account */
};

struct dev_identity {
    enum dev_identity_kind kind;
    uid_t uid;
    gid_t gid;
};

struct dev_child_options {
    const char *name;    /* for messages: "PostgreSQL" */
    const char *program; /* path */
    char *const *argv;
    char *const *envp;
    const char *working_directory; /* NULL: ours */
    int output_fd;                 /* standard output and error; standard input is empty */
    int death_signal;
    struct dev_identity identity;
};

struct dev_child {
    const char *name;
    pid_t pid; /* 0: not running */
};

NODISCARD enum error dev_child_start(const struct dev_child_options *options,
                                     struct dev_child *out);
/* Starts it and waits for its end: OK if that was exit status 0, ERR_IO (nothing written) if not. */
NODISCARD enum error dev_child_run(const struct dev_child_options *options);
/* True, and the wait status, once it has ended; then its pid is 0. */
bool dev_child_ended(struct dev_child *self, int *status);
/* The same, told on standard error with the last lines of its log. */
bool dev_child_report_end(struct dev_child *self, const char *log);
/* Nothing to do for one that does not run, here and below. */
void dev_child_signal(const struct dev_child *self, int signal_number);
/* Waits for its end; SIGKILL at the deadline (clock_mono_ms). */
void dev_child_join(struct dev_child *self, int64_t deadline_ms);
/* Sends the signal and waits; SIGKILL after `grace_ms`. */
void dev_child_stop(struct dev_child *self, int signal_number, int64_t grace_ms);
/* Whether the kernel lets us make the namespace of that identity. */
bool dev_child_can_namespace(const struct dev_identity *identity);
void dev_child_sleep_ms(int64_t ms);
