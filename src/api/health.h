/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the probes are told. Liveness looks at this process only; readiness tells whether requests can
 * be served: the schema is migrated, what was revoked before this start has been read, the database has
 * answered in the last seconds, nobody has asked the service to stop.
 *
 * Threads: any (atomics).
 */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    HEALTH_DATABASE_AWAY_MS = 5000, /* a failover blip does not take a pod out of rotation */
    HEALTH_STUCK_MS = 30000         /* a worker this far past its deadline will not come back */
};

struct health {
    atomic_bool migrated;
    atomic_bool revocations_read;
    atomic_bool draining;
    _Atomic int64_t database_seen_ms; /* clock_mono_ms of the last answer; 0: never */
};

void health_database_seen(struct health *self);
/* The same of an answer in the past (clock_mono_ms); an older one than the last says nothing. */
void health_database_answered(struct health *self, int64_t mono_ms);
bool health_database_is_near(const struct health *self);
/* "ready", or the first reason why not. */
const char *health_readiness(const struct health *self, bool *ready);
