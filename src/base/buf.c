/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { U64_DIGITS_MAX = 20 };

struct buf buf_over(void *memory, size_t cap_bytes)
{
    assert(memory != NULL || cap_bytes == 0);
    return (struct buf){.ptr = memory, .cap = cap_bytes};
}

struct buf buf_in(struct arena *arena, size_t cap_bytes)
{
    void *memory = arena_alloc(arena, cap_bytes);

    if (memory == NULL) {
        return (struct buf){.overflowed = true};
    }
    return buf_over(memory, cap_bytes);
}

void buf_append(struct buf *self, struct str s)
{
    assert(self->len <= self->cap);
    if (self->overflowed || s.len == 0) {
        return;
    }
    if (s.len > self->cap - self->len) {
        self->overflowed = true;
        return;
    }
    memcpy(self->ptr + self->len, s.ptr, s.len);
    self->len += s.len;
}

void buf_append_byte(struct buf *self, char byte)
{
    buf_append(self, (struct str){&byte, 1});
}

/* Digits at the end of `text`; returns how many. */
static size_t decimal(uint64_t value, char text[static U64_DIGITS_MAX])
{
    size_t digits = 0;

    do {
        digits++;
        text[U64_DIGITS_MAX - digits] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    return digits;
}

void buf_append_u64(struct buf *self, uint64_t value)
{
    char text[U64_DIGITS_MAX];
    size_t digits = decimal(value, text);

    buf_append(self, (struct str){text + U64_DIGITS_MAX - digits, digits});
}

void buf_append_i64(struct buf *self, int64_t value)
{
    char text[U64_DIGITS_MAX + 1];
    size_t digits;

    if (value >= 0) {
        buf_append_u64(self, (uint64_t)value);
        return;
    }
    /* Negated as unsigned: INT64_MIN has no positive twin. */
    digits = decimal(-(uint64_t)value, text + 1);
    text[U64_DIGITS_MAX - digits] = '-';
    buf_append(self, (struct str){text + U64_DIGITS_MAX - digits, digits + 1});
}

void buf_printf(struct buf *self, const char *format, ...)
{
    size_t left = self->cap - self->len;
    va_list arguments;
    int wanted;

    assert(self->len <= self->cap);
    if (self->overflowed) {
        return;
    }
    va_start(arguments, format);
    wanted = vsnprintf(left == 0 ? NULL : self->ptr + self->len, left, format, arguments);
    va_end(arguments);
    assert(wanted >= 0);
    if ((size_t)wanted >= left) {
        self->overflowed = true;
        return;
    }
    self->len += (size_t)wanted;
}

struct str buf_str(const struct buf *self)
{
    if (self->len == 0) {
        return STR_EMPTY;
    }
    return (struct str){self->ptr, self->len};
}

enum error buf_finish(const struct buf *self, struct str *out)
{
    if (self->overflowed) {
        return ERR_NO_SPACE;
    }
    *out = buf_str(self);
    return OK;
}
