/* SPDX-License-Identifier: Apache-2.0 */
#include "arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const size_t alignment = _Alignof(max_align_t);

void arena_init(struct arena *self, void *memory, size_t size_bytes)
{
    assert(memory != NULL || size_bytes == 0);
    *self = (struct arena){.memory = memory, .size_bytes = size_bytes};
}

static size_t left_bytes(const struct arena *self)
{
    assert(self->used_bytes <= self->size_bytes);
    return self->size_bytes - self->used_bytes;
}

/* Bytes to skip so that what follows is aligned for any type. The memory itself need not be. */
static size_t padding_bytes(const struct arena *self)
{
    uintptr_t next = (uintptr_t)self->memory + self->used_bytes;

    return (alignment - next % alignment) % alignment;
}

/* NULL when full. Not zeroed. */
static unsigned char *take(struct arena *self, size_t padding, size_t bytes)
{
    size_t left = left_bytes(self);
    unsigned char *taken;

    if (padding > left || bytes > left - padding) {
        self->overflowed = true;
        return NULL;
    }
    taken = self->memory + self->used_bytes + padding;
    self->used_bytes += padding + bytes;
    return taken;
}

void *arena_alloc(struct arena *self, size_t bytes)
{
    unsigned char *taken = take(self, padding_bytes(self), bytes);

    if (taken != NULL) {
        memset(taken, 0, bytes);
    }
    return taken;
}

void *arena_alloc_array(struct arena *self, size_t count, size_t element_bytes)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, element_bytes, &bytes)) {
        self->overflowed = true;
        return NULL;
    }
    return arena_alloc(self, bytes);
}

char *arena_terminated(struct arena *self, struct str s)
{
    char *copy;

    if (s.len == SIZE_MAX) {
        self->overflowed = true;
        return NULL;
    }
    copy = (char *)take(self, 0, s.len + 1);
    if (copy == NULL) {
        return NULL;
    }
    if (s.len > 0) {
        memcpy(copy, s.ptr, s.len);
    }
    copy[s.len] = '\0';
    return copy;
}

struct str arena_copy(struct arena *self, struct str s)
{
    unsigned char *copy;

    if (s.len == 0) {
        return STR_EMPTY;
    }
    copy = take(self, 0, s.len);
    if (copy == NULL) {
        return STR_EMPTY;
    }
    memcpy(copy, s.ptr, s.len);
    return (struct str){(const char *)copy, s.len};
}

struct str arena_printf(struct arena *self, const char *format, ...)
{
    size_t left = left_bytes(self);
    char *at = left == 0 ? NULL : (char *)self->memory + self->used_bytes;
    va_list arguments;
    int wanted;

    va_start(arguments, format);
    wanted = vsnprintf(at, left, format, arguments);
    va_end(arguments);
    assert(wanted >= 0);
    if ((size_t)wanted >= left) {
        /* The reset wipes what was used; this was not. */
        if (left > 0) {
            explicit_bzero(at, left);
        }
        self->overflowed = true;
        return STR_EMPTY;
    }
    self->used_bytes += (size_t)wanted + 1;
    return (struct str){at, (size_t)wanted};
}

bool arena_overflowed(const struct arena *self)
{
    return self->overflowed;
}

void arena_reset(struct arena *self)
{
    if (self->used_bytes > 0) {
        explicit_bzero(self->memory, self->used_bytes);
    }
    self->used_bytes = 0;
    self->overflowed = false;
}
