/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads what a secret reference names: `file:/path/to.json`. The content stays with the caller, who
 * wipes it.
 *
 * Threads: any. Errors: ERR_CONFIG with one sentence in `why` (arena): which reference, what went
 * wrong, what would be right. Never a byte of the content.
 */
#pragma once

#include "arena.h"

enum { SECRET_BYTES_MAX = 16384 };

/* The content in the arena. */
NODISCARD enum error secret_read(struct arena *arena, struct str reference, struct str *out,
                                 const char **why);
