/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

#include <assert.h>

static struct retry_verdict judge_status(int status)
{
    if (status >= 200 && status < 300) {
        return (struct retry_verdict){RETRY_DELIVERED, "delivered"};
    }
    if (status == 429) {
        return (struct retry_verdict){RETRY_LATER, "rate_limited"};
    }
    if (status >= 500 || status == 408 || status == 425) {
        return (struct retry_verdict){RETRY_LATER, "server_error"};
    }
    if (status < 400) {
        return (struct retry_verdict){RETRY_ENDPOINT, "redirected"};
    }
    if (status == 401 || status == 403 || status == 410) {
        return (struct retry_verdict){RETRY_ENDPOINT, "refused"};
    }
    return (struct retry_verdict){RETRY_REJECTED, "rejected"};
}

struct retry_verdict retry_judge(const struct http_call *call)
{
    switch (call->outcome) {
    case HTTP_ANSWERED:
        return judge_status(call->status);
    case HTTP_NO_CONNECTION:
        return (struct retry_verdict){RETRY_AWAY, "no_connection"};
    case HTTP_TIMED_OUT:
        return (struct retry_verdict){RETRY_LATER, "timeout"};
    case HTTP_BROKEN:
        break;
    }
    return (struct retry_verdict){RETRY_LATER, "broken"};
}

int64_t retry_backoff_ms(int64_t base_ms, int64_t cap_ms, int32_t attempt, uint64_t random)
{
    int64_t most_ms = base_ms;

    assert(base_ms > 0 && cap_ms >= base_ms && attempt >= 0);
    for (int32_t i = 0; i < attempt && most_ms < cap_ms; i++) {
        most_ms *= 2;
    }
    if (most_ms > cap_ms) {
        most_ms = cap_ms;
    }
    return (int64_t)(random % ((uint64_t)most_ms + 1));
}

static int64_t delay_ms(const struct retry_state *state, uint64_t random)
{
    const int64_t left_ms = state->park_after_ms - state->failing_ms;
    int64_t asked_ms =
        state->retry_after_s < RETRY_CAP_MS / 1000 ? state->retry_after_s * 1000 : RETRY_CAP_MS;
    int64_t wait_ms = retry_backoff_ms(RETRY_BASE_MS, RETRY_CAP_MS, state->attempts, random);

    /* So that a head is parked when its time has come, and not a back-off later. */
    if (state->is_ordered && left_ms > 0 && wait_ms > left_ms) {
        wait_ms = left_ms;
    }
    return wait_ms > asked_ms ? wait_ms : asked_ms;
}

struct outbox_failure retry_plan(enum retry_fate fate, const struct retry_state *state,
                                 uint64_t random)
{
    struct outbox_failure out = {
        .is_fault = fate == RETRY_ENDPOINT,
        .is_parked =
            fate != RETRY_AWAY && state->is_ordered && state->failing_ms >= state->park_after_ms,
    };

    assert(fate != RETRY_DELIVERED);
    if (fate == RETRY_AWAY || (fate == RETRY_ENDPOINT && !state->others_accepted)) {
        return out; /* it is the circuit that waits */
    }
    out.counts = true;
    out.is_rejection = fate == RETRY_REJECTED || fate == RETRY_ENDPOINT;
    out.is_dead = out.is_rejection && state->rejections + 1 >= RETRY_REJECTIONS_MAX;
    out.retry_in_ms = delay_ms(state, random);
    return out;
}
