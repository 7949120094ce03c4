/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Standard Webhooks signatures: "v1," and base64 of HMAC-SHA-256 over "<id>.<timestamp>.<body>", one
 * for each secret, separated by spaces, so that the receiver can be moved from one secret to the next.
 *
 * Ownership: the secrets are the caller's, who wipes them (webhook_secrets_wipe).
 * Threads: pure functions.
 */
#pragma once

#include "crypto.h"

enum {
    WEBHOOK_SECRETS_MAX = 4,
    WEBHOOK_SECRET_BYTES_MIN = 24,
    WEBHOOK_SECRET_BYTES_MAX = 64,
    WEBHOOK_SIGNATURE_BYTES_MAX = WEBHOOK_SECRETS_MAX * 48 /* "v1," + 44 + space */
};

struct webhook_secret {
    uint8_t bytes[WEBHOOK_SECRET_BYTES_MAX];
    size_t len;
};

struct webhook_secrets {
    struct webhook_secret items[WEBHOOK_SECRETS_MAX];
    size_t count;
};

/* {"secrets":["whsec_<base64 of 24 to 64 bytes>", …]}. ERR_CONFIG with one sentence in `why` (arena),
 * which never quotes a secret. */
NODISCARD enum error webhook_secrets_parse(struct arena *arena, struct str json,
                                           struct webhook_secrets *out, const char **why);
void webhook_secrets_wipe(struct webhook_secrets *self);

/* `content` is "<id>.<timestamp>.<body>" in one piece. */
void webhook_sign(const struct webhook_secrets *secrets, struct str content, struct buf *out);
