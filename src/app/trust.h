/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the secrets hold, loaded at start: signing keys, keyring, webhook secrets.
 *
 * Ownership: trust_free wipes and frees all of it. Threads: read-only after load.
 */
#pragma once

#include "config.h"
#include "keyring.h"
#include "token.h"
#include "webhook.h"

enum { TRUST_SIGNING_KEYS_MAX = 4 };

struct trust {
    struct signing_key *keys[TRUST_SIGNING_KEYS_MAX]; /* the first signs */
    size_t key_count;
    struct keyring *keyring;
    struct webhook_secrets webhook;
};

/* ERR_CONFIG with one sentence in `why` (arena), which names the variable. */
NODISCARD enum error trust_load(const struct config *config, struct arena *arena, struct trust *out,
                                const char **why);
void trust_free(struct trust *self);
