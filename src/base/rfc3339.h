/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads times as RFC 3339 section 5.6 has them: 2026-01-31T23:59:59.123Z, 2026-02-01T00:59:59+01:00. (codec.h
 * writes them.) Digits behind the milliseconds are dropped; a leap second reads as the second after it.
 *
 * Threads: pure functions. Errors: ERR_INVALID, also for a day that no calendar has and before 1970.
 */
#pragma once

#include "str.h"

NODISCARD enum error rfc3339_parse(struct str text, int64_t *unix_ms);
