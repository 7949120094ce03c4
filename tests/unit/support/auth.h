/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the floor auth share: keyrings, an arena of their own, and passwords at a cost that a
 * test can afford.
 */
#pragma once

#include "unit.h"

#include "json_in.h"
#include "keyring.h"
#include "password.h"

#define AUTH_K1 "\"k1\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\""
#define AUTH_K2 "\"k2\":\"AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\""
#define AUTH_K1_OTHER "\"k1\":\"AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\""

static unsigned char auth_memory[256 * 1024];
static struct arena auth_arena;

/* What was in the arena is gone. */
static inline struct arena *auth_fresh_arena(void)
{
    if (auth_arena.memory != NULL) {
        arena_reset(&auth_arena);
    }
    arena_init(&auth_arena, auth_memory, sizeof(auth_memory));
    return &auth_arena;
}

static inline struct keyring *auth_keyring(const char *json)
{
    unsigned char memory[16384];
    struct keyring *keyring = NULL;
    const char *why = "";
    struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    if (keyring_load(&arena, str_from(json), &keyring, &why) != OK) {
        fail_msg("%s", why);
    }
    return keyring;
}

static inline struct password_hash_cost auth_cheap(void)
{
    return (struct password_hash_cost){.memory_kib = 64, .passes = 1};
}

static inline struct passwords auth_passwords(const struct keyring *keyring)
{
    struct passwords passwords = {
        .keyring = keyring,
        .codepoints_min = 15,
        .peppered = true,
    };

    password_init(&passwords, auth_cheap());
    return passwords;
}
