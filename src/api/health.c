/* SPDX-License-Identifier: Apache-2.0 */
#include "health.h"

#include "clock.h"

void health_database_seen(struct health *self)
{
    health_database_answered(self, clock_mono_ms());
}

void health_database_answered(struct health *self, int64_t mono_ms)
{
    int64_t seen_ms = atomic_load_explicit(&self->database_seen_ms, memory_order_relaxed);

    while (mono_ms > seen_ms &&
           !atomic_compare_exchange_weak_explicit(&self->database_seen_ms, &seen_ms, mono_ms,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

bool health_database_is_near(const struct health *self)
{
    int64_t seen_ms = atomic_load_explicit(&self->database_seen_ms, memory_order_relaxed);

    return seen_ms != 0 && clock_mono_ms() - seen_ms <= HEALTH_DATABASE_AWAY_MS;
}

const char *health_readiness(const struct health *self, bool *ready)
{
    *ready = false;
    if (atomic_load(&self->draining)) {
        return "draining";
    }
    if (!atomic_load(&self->migrated)) {
        return "schema_not_migrated";
    }
    if (!health_database_is_near(self)) {
        return "database_away";
    }
    if (!atomic_load(&self->revocations_read)) {
        return "revocations_not_read";
    }
    *ready = true;
    return "ready";
}
