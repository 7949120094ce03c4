/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed piece of memory for one request: allocate forward, give all back at once. What was used
 * is wiped when it is given back, so copies of a password in it are gone with the request.
 *
 * Ownership: the arena borrows its memory; what it hands out is valid until arena_reset.
 * Threads: one at a time; a hand-over needs a lock or a queue between the two.
 * Errors: a full arena returns NULL and stays full-marked (arena_overflowed) until the reset, so a
 * caller that builds a string in many steps checks once. What still fits is given out even then:
 * the answer that says so needs memory too.
 */
#pragma once

#include "str.h"

struct arena {
    unsigned char *memory;
    size_t size_bytes;
    size_t used_bytes;
    bool overflowed;
};

void arena_init(struct arena *self, void *memory, size_t size_bytes);
/* Zeroed, aligned for any type. NULL when full. */
NODISCARD void *arena_alloc(struct arena *self, size_t bytes);
NODISCARD void *arena_alloc_array(struct arena *self, size_t count, size_t element_bytes);
/* A NUL-terminated copy, for library borders. NULL when full. A NUL inside of `s` ends it early for
 * its reader: input that may hold one is refused before (str_is_utf8). */
NODISCARD char *arena_terminated(struct arena *self, struct str s);
/* A copy; the empty string when full. */
struct str arena_copy(struct arena *self, struct str s);
/* The empty string when full. */
struct str arena_printf(struct arena *self, const char *format, ...) PRINTF_LIKE(2, 3);
bool arena_overflowed(const struct arena *self);
void arena_reset(struct arena *self);
