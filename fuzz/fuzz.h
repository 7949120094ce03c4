/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzz targets share. A target feeds one parser and asserts what must hold whatever the
 * input: a wrong answer stops it like a crash does.
 */
#pragma once

#include <assert.h>
#include <stdint.h>

#include "arena.h"
#include "str.h"

enum { FUZZ_ARENA_BYTES = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline struct str fuzz_str(const uint8_t *data, size_t size)
{
    return (struct str){size ? (const char *)data : "", size};
}

/* A fresh arena; each test input has it for itself. */
static inline struct arena *fuzz_arena(void)
{
    static unsigned char memory[FUZZ_ARENA_BYTES];
    static struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    return &arena;
}
