/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu_quota.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    SHARE_MAX = 600, /* thousandths of the quota that hashes may use */
    SHARE_MIN = 200,
    SHARE_STEP = 50,
    QUIET_S = 10
};

static const int64_t tick_ns_min = 900 * 1000 * 1000; /* "once a second", whoever calls */
static const double throttled_part_max = 0.01;

struct cpu_pace {
    double cpus;
    unsigned workers;
    char stat_path[256];
    _Atomic unsigned share; /* thousandths */
    _Atomic int64_t ticked_ns;
    int64_t throttled_ns;
    int64_t quiet_since_ns;
    _Atomic bool ticking;
};

struct cpu_pace *cpu_pace_new(const struct cpu_quota *quota, unsigned workers)
{
    struct cpu_pace *self = calloc(1, sizeof(*self));

    assert(quota->cpus > 0 && workers > 0);
    if (self == NULL) {
        abort(); /* at start */
    }
    self->cpus = quota->cpus;
    self->workers = workers;
    memcpy(self->stat_path, quota->stat_path, sizeof(self->stat_path));
    atomic_store(&self->share, SHARE_MAX);
    return self;
}

void cpu_pace_free(struct cpu_pace *self)
{
    free(self);
}

double cpu_pace_share(const struct cpu_pace *self)
{
    return atomic_load_explicit(&self->share, memory_order_relaxed) / 1000.0;
}

int64_t cpu_pace_next_ns(const struct cpu_pace *self, int64_t started_ns, int64_t cpu_ns)
{
    if (cpu_ns <= 0) {
        return started_ns;
    }
    return started_ns +
           (int64_t)((double)cpu_ns * self->workers / (cpu_pace_share(self) * self->cpus));
}

static void move_share(struct cpu_pace *self, int64_t mono_ns, bool was_throttled)
{
    unsigned share = atomic_load(&self->share);

    if (was_throttled) {
        self->quiet_since_ns = mono_ns;
        atomic_store(&self->share, share / 2 < SHARE_MIN ? SHARE_MIN : share / 2);
        return;
    }
    if (mono_ns - self->quiet_since_ns < (int64_t)QUIET_S * 1000 * 1000 * 1000) {
        return;
    }
    self->quiet_since_ns = mono_ns;
    atomic_store(&self->share, share + SHARE_STEP > SHARE_MAX ? SHARE_MAX : share + SHARE_STEP);
}

static void tick(struct cpu_pace *self, int64_t mono_ns)
{
    int64_t before_ns = atomic_load(&self->ticked_ns);
    int64_t now_ns = cpu_quota_throttled_ns(self->stat_path);
    int64_t more_ns = now_ns - self->throttled_ns;

    if (before_ns != 0 && mono_ns - before_ns < tick_ns_min) {
        return;
    }
    atomic_store(&self->ticked_ns, mono_ns);
    if (now_ns < 0) {
        return;
    }
    self->throttled_ns = now_ns;
    if (before_ns == 0) { /* the first look has nothing to compare with */
        self->quiet_since_ns = mono_ns;
        return;
    }
    move_share(self, mono_ns, (double)more_ns > throttled_part_max * (double)(mono_ns - before_ns));
}

void cpu_pace_tick(struct cpu_pace *self, int64_t mono_ns)
{
    int64_t before_ns = atomic_load(&self->ticked_ns);

    if (before_ns != 0 && mono_ns - before_ns < tick_ns_min) {
        return;
    }
    if (atomic_exchange(&self->ticking, true)) {
        return; /* another thread is at it */
    }
    tick(self, mono_ns);
    atomic_store(&self->ticking, false);
}
