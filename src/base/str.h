/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strings with a length, passed by value. A `struct str` owns nothing: it points into an arena, a
 * buffer or a literal that must outlive it, and is not NUL-terminated.
 *
 * Threads: pure functions. Comparison is not constant time: secrets go through crypto_equal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct str {
    const char *ptr;
    size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_EMPTY ((struct str){"", 0})
/* For printf("%.*s"): lengths are bounded far below INT_MAX everywhere. */
#define STR_ARG(s) (int)(s).len, (s).ptr

struct str str_from(const char *terminated); /* NULL gives the empty string */
bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b); /* ASCII letters only */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_find(struct str s, char byte, size_t *at);
struct str str_sub(struct str s, size_t from, size_t to); /* clamped to s */
struct str str_trim(struct str s);                        /* spaces and tabs at both ends */
/* Cuts `rest` at the first `separator`: returns what stands before it and moves `rest` behind it.
 * Without a separator the whole of it is returned and `rest` becomes empty. */
struct str str_cut(struct str *rest, char separator);
/* Whole string, decimal digits only, no sign, no leading zero but "0" itself; ERR_INVALID. */
NODISCARD enum error str_to_u64(struct str s, uint64_t *out);
/* Bytes of the well-formed UTF-8 sequence that `s` begins with; 0 if there is none. */
size_t str_utf8_step(struct str s);
/* True for well-formed UTF-8 (Unicode table 3-7) without U+0000. */
bool str_is_utf8(struct str s);
/* Code points of well-formed UTF-8. */
size_t str_codepoints(struct str s);
