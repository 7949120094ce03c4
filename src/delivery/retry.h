/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the answer to a delivery means, and when an event is tried again.
 *
 *   2xx                               delivered
 *   429, 5xx, 408, 425, time-out,     later: full jitter, 1 s doubling to 5 min, not before
 *   broken answer                     Retry-After (at most 5 min)
 *   401, 403, 410, 3xx, no connection the endpoint's fault: the circuit opens, no attempt counts
 *   any other 4xx                     rejected: three tries, then dead
 *
 * An endpoint that answered one event so, took others, and answers the first so again has no fault of
 * its own: it is that event which it does not like (a filter on the way, say). That is a rejection.
 * The first failure that counts starts the clock of a head's parking, whatever answer fails it then.
 *
 * Threads: pure functions; random numbers come from the caller.
 */
#pragma once

#include "http_client.h"
#include "outbox_store.h"

enum { RETRY_BASE_MS = 1000, RETRY_CAP_MS = 300000, RETRY_REJECTIONS_MAX = 3 };

enum retry_fate {
    RETRY_DELIVERED,
    RETRY_LATER,
    RETRY_REJECTED,
    RETRY_ENDPOINT, /* it answered that the fault is its own */
    RETRY_AWAY      /* no connection */
};

struct retry_verdict {
    enum retry_fate fate;
    const char *reason; /* a metric's label: static */
};

struct retry_verdict retry_judge(const struct http_call *call);

/* Full jitter: anything from 0 to base * 2^attempt, at most cap. */
int64_t retry_backoff_ms(int64_t base_ms, int64_t cap_ms, int32_t attempt, uint64_t random);

/* What an attempt that did not deliver does to its row. */
struct retry_state {
    bool is_ordered;
    int32_t attempts;   /* before this one */
    int32_t rejections; /* before this one */
    int64_t failing_ms;
    int64_t park_after_ms;
    int64_t retry_after_s; /* -1: none asked for */
    bool others_accepted;  /* since this event was last answered so; the circuit is closed */
};
/* Fills all but `lease` and `reason`; what does not count is the endpoint's fault. `fate` is not
 * RETRY_DELIVERED. */
struct outbox_failure retry_plan(enum retry_fate fate, const struct retry_state *state,
                                 uint64_t random);
