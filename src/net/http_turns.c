/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The shortest that Linux gives; most answers take less. */
enum { TURN_NS = 100 * 1000 };

/* As sched_setattr(2) has it. Only newer headers of the C library know it, under the same name. */
struct turns {
    uint32_t bytes;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns;
    uint64_t deadline_ns;
    uint64_t period_ns;
};

void http_turns_short(bool wanted)
{
    struct turns turns = {0};

    if (syscall(SYS_sched_getattr, 0, &turns, (unsigned)sizeof(turns), 0U) != 0 ||
        turns.policy != SCHED_OTHER) {
        return; /* a sandbox may forbid it; another policy is somebody's choice */
    }
    turns.runtime_ns = wanted ? TURN_NS : 0;
    (void)syscall(SYS_sched_setattr, 0, &turns, 0U);
}
