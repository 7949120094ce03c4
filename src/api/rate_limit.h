/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often one network (/24, /64) may ask for what costs a hash or a mail: RATE_LIMIT_MAX times a minute
 * and replica, in memory. The minute begins with its first request.
 *
 * The table is of a fixed size. Where more networks ask at once than fit, the one that began first is
 * forgotten.
 *
 * Threads: any. Errors: ERR_TOO_MANY_ATTEMPTS.
 */
#pragma once

#include "str.h"

enum { RATE_LIMIT_MAX = 60, RATE_LIMIT_WINDOW_MS = 60000 };

struct rate_limit;

struct rate_limit *rate_limit_new(void);
void rate_limit_free(struct rate_limit *self); /* NULL is fine */
/* `now_ms` is clock_mono_ms. A client without a readable address is a network of its own. */
NODISCARD enum error rate_limit_take(struct rate_limit *self, struct str client, int64_t now_ms,
                                     int64_t *retry_after_s);
