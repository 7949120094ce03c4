/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_label.h"

#include "metrics.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

static_assert((int)METRIC_LABEL_VALUES_MAX < (int)METRICS_LABEL_OTHER, "numbers must fit");

static const char other[] = "_other";

/* An open hash table from which nothing is ever taken. */
static _Atomic(const char *) values[METRIC_LABEL_VALUES_MAX];

static uint32_t hash(const char *text)
{
    uint32_t value = 2166136261U; /* FNV-1a */

    for (; *text != '\0'; text++) {
        value = (value ^ (unsigned char)*text) * 16777619U;
    }
    return value;
}

uint64_t metrics_label_number(const char *text)
{
    uint32_t start = hash(text);

    if (strcmp(text, other) == 0) {
        return METRICS_LABEL_OTHER;
    }
    for (uint32_t i = 0; i < METRIC_LABEL_VALUES_MAX; i++) {
        uint32_t at = (start + i) % METRIC_LABEL_VALUES_MAX;
        const char *seen = atomic_load_explicit(&values[at], memory_order_acquire);

        if (seen == NULL && atomic_compare_exchange_strong(&values[at], &seen, text)) {
            return at + 1;
        }
        /* Not free, or taken this moment by another thread: `seen` is what stands there. */
        if (strcmp(seen, text) == 0) {
            return at + 1;
        }
    }
    return METRICS_LABEL_OTHER;
}

const char *metrics_label_text(uint64_t number)
{
    if (number == METRICS_LABEL_OTHER) {
        return other;
    }
    assert(number > 0 && number <= METRIC_LABEL_VALUES_MAX);
    return atomic_load_explicit(&values[number - 1], memory_order_acquire);
}
