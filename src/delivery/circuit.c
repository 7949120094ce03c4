/* SPDX-License-Identifier: Apache-2.0 */
#include "circuit.h"

#include "retry.h"

bool circuit_is_open(const struct circuit *self)
{
    return self->faults > 0;
}

unsigned circuit_allows(const struct circuit *self, int64_t mono_ms, unsigned wanted)
{
    if (!circuit_is_open(self)) {
        return wanted;
    }
    if (self->probing || mono_ms < self->open_until_ms) {
        return 0;
    }
    return wanted > 0 ? 1 : 0;
}

int64_t circuit_wait_ms(const struct circuit *self, int64_t mono_ms)
{
    if (!circuit_is_open(self) || mono_ms >= self->open_until_ms) {
        return 0;
    }
    return self->open_until_ms - mono_ms;
}

void circuit_started(struct circuit *self)
{
    self->probing = circuit_is_open(self);
}

void circuit_answered(struct circuit *self)
{
    *self = (struct circuit){0};
}

void circuit_faulted(struct circuit *self, int64_t mono_ms, uint64_t random)
{
    if (circuit_is_open(self) && !self->probing) {
        return;
    }
    self->open_until_ms =
        mono_ms + retry_backoff_ms(CIRCUIT_BASE_MS, CIRCUIT_CAP_MS, self->faults, random);
    self->faults = self->faults < INT32_MAX ? self->faults + 1 : INT32_MAX;
    self->probing = false;
}
