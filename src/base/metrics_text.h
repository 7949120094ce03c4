/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines of the Prometheus text exposition format, version 0.0.4. Used by metrics alone.
 *
 * Threads: pure functions. Errors: the buffer's `overflowed`.
 */
#pragma once

#include "buf.h"

struct metrics_text_sample {
    const char *name;
    const char *suffix;              /* "", "_bucket", "_sum", "_count" */
    const char *const *label_names;  /* label_count of them */
    const char *const *label_values; /* in the same order */
    size_t label_count;
    const double *le; /* the upper bound of a bucket; or NULL */
    double value;
};

void metrics_text_head(struct buf *out, const char *name, const char *type, const char *help);
void metrics_text_sample(struct buf *out, const struct metrics_text_sample *sample);
