/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How deep a JSON text nests and how many values it has, judged before a parser spends stack and
 * memory on it (RFC 8259 section 9 allows both limits): jansson recurses once a level, and takes up
 * to 240 bytes of arena for a value of three. The text need not be valid.
 *
 * Threads: pure functions.
 */
#pragma once

#include "json_findings.h"

enum { JSON_DEPTH_MAX = 32, JSON_VALUES_MAX = 256 };

struct json_shape {
    size_t depth;  /* arrays and objects within each other */
    size_t values; /* no fewer than there are */
};

struct json_shape json_shape_of(struct str text);
/* ERR_MALFORMED_JSON and a finding for what is beyond the limits. */
NODISCARD enum error json_shape_check(struct arena *arena, struct str text,
                                      struct json_findings *findings);
