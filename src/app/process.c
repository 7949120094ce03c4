/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

void process_harden(void)
{
    const struct rlimit none = {0};
    struct rlimit files;

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* Fargate's soft limit is 1024 */
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

void process_block_signals(sigset_t *waited)
{
    sigemptyset(waited);
    sigaddset(waited, SIGTERM);
    sigaddset(waited, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, waited, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

bool process_stop_asked(const sigset_t *waited, int64_t ms)
{
    const struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    if (ms >= 0) {
        return sigtimedwait(waited, NULL, &timeout) > 0;
    }
    while (sigwaitinfo(waited, NULL) < 0) { /* a stop and continue interrupts it */
        assert(errno == EINTR);
    }
    return true;
}

int process_fail(const char *reason)
{
    (void)fprintf(stderr, "user-service: %s\n", reason);
    return EXIT_FAILURE;
}
