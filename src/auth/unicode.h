/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Normal forms of text (Unicode Standard Annex #15), without a heap.
 *
 * Ownership: results are in the arena. Threads: pure functions. utf8proc is named here alone.
 * Errors: ERR_INVALID for what is not UTF-8; ERR_NO_SPACE when the arena is full.
 */
#pragma once

#include "arena.h"

/* NFC, with no other change. */
NODISCARD enum error unicode_nfc(struct arena *arena, struct str text, struct str *out);
/* NFC of the case-folded text: equal for texts that differ in case or in composition alone. */
NODISCARD enum error unicode_fold(struct arena *arena, struct str text, struct str *out);
