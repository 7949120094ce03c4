/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the three secrets hold: signing keys, keyring, webhook secrets.
 *
 * Ownership: trust_free wipes and frees all that is in it; who takes a part out clears its place.
 * Threads: one at a time.
 */
#pragma once

#include "config.h"
#include "keyring.h"
#include "token.h"
#include "webhook.h"

enum { TRUST_SIGNING_KEYS_MAX = 4 };

struct trust {
    struct signing_key *keys[TRUST_SIGNING_KEYS_MAX]; /* the newest first */
    size_t key_count;
    struct keyring *keyring;
    struct webhook_secrets webhook;
};

enum trust_part { TRUST_JWT, TRUST_KEYRING, TRUST_WEBHOOK, TRUST_PART_COUNT };

/* "jwt", "keyring", "webhook" */
const char *trust_part_name(enum trust_part part);
/* All failures are ERR_CONFIG with one sentence in `why` (arena), which names the variable. */
NODISCARD enum error trust_read(const struct config *config, enum trust_part part,
                                struct arena *arena, struct str *json, const char **why);
/* Into `out`, where that part must be empty. */
NODISCARD enum error trust_parse(enum trust_part part, struct arena *arena, struct str json,
                                 struct trust *out, const char **why);
/* All three. */
NODISCARD enum error trust_load(const struct config *config, struct arena *arena, struct trust *out,
                                const char **why);
void trust_free(struct trust *self);
