/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How deep a JSON text nests, judged before a recursive parser sees it. The text need not be valid.
 *
 * Threads: pure function.
 */
#pragma once

#include "str.h"

bool json_depth_ok(struct str text, size_t levels_max);
