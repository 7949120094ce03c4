/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A circuit breaker for one endpoint. Closed: everything is sent. A fault that is the endpoint's own
 * opens it: nothing is sent for a while (full jitter, 1 s doubling to 60 s); then one probe is, and its
 * fate closes the circuit or opens it for longer.
 *
 * Threads: one. Time and random numbers come from the caller: pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { CIRCUIT_BASE_MS = 1000, CIRCUIT_CAP_MS = 60000 };

struct circuit {
    int32_t faults;        /* in a row; 0: closed */
    int64_t open_until_ms; /* clock_mono_ms */
    bool probing;          /* the probe is on its way */
};

bool circuit_is_open(const struct circuit *self);
/* How many of `wanted` calls may start now. */
unsigned circuit_allows(const struct circuit *self, int64_t mono_ms, unsigned wanted);
/* How long until a call may start again; 0 if one may now. */
int64_t circuit_wait_ms(const struct circuit *self, int64_t mono_ms);
/* A call has started: while open it is the probe. */
void circuit_started(struct circuit *self);
/* The endpoint answered, be it with an error. */
void circuit_answered(struct circuit *self);
/* The endpoint is at fault. Of several calls that were under way together only the first counts. */
void circuit_faulted(struct circuit *self, int64_t mono_ms, uint64_t random);
