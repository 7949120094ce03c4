/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded byte buffer to append to. It never grows: what does not fit sets `overflowed`, nothing
 * of that append is kept, and every later append is refused; the writer checks once at the end.
 *
 * Ownership: borrows its memory. Threads: one at a time.
 */
#pragma once

#include "arena.h"

struct buf {
    char *ptr;
    size_t len;
    size_t cap;
    bool overflowed;
};

struct buf buf_over(void *memory, size_t cap_bytes);
/* Memory from the arena; when that is full the buffer is empty and overflowed. */
struct buf buf_in(struct arena *arena, size_t cap_bytes);
void buf_append(struct buf *self, struct str s);
void buf_append_byte(struct buf *self, char byte);
void buf_append_u64(struct buf *self, uint64_t value);
void buf_append_i64(struct buf *self, int64_t value);
/* Wants one byte more than it writes (for the terminator of vsnprintf, which is then overwritten). */
void buf_printf(struct buf *self, const char *format, ...) PRINTF_LIKE(2, 3);
struct str buf_str(const struct buf *self);
/* ERR_NO_SPACE if anything was left out. */
NODISCARD enum error buf_finish(const struct buf *self, struct str *out);
