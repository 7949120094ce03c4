/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refresh tokens: rt1.<kid>.<sid>.<generation>.<secret>.<tag>
 *
 * The first secret is 256 random bits; each successor is an HMAC of it with the chain key, so it is a
 * function of the token presented. The tag is 128 bits of HMAC(refresh key[kid], all before it ‖
 * client_id): a forgery is refused without a look at the database. The row keeps the SHA-256 of the
 * secret: neither the keys nor the database, nor both, can make a valid token. A session keeps its
 * login's kid for life.
 *
 * Ownership: texts are in the arena. Threads: any.
 * Errors: ERR_INVALID_REFRESH_TOKEN for all that is not a genuine token given to that client.
 */
#pragma once

#include "keyring.h"

enum { REFRESH_TOKEN_BYTES_MAX = 256, REFRESH_TOKEN_SECRET_BYTES = 32 };

struct refresh_token {
    struct str kid;
    struct uuid sid;
    int64_t generation; /* 0 at login */
    struct str secret;  /* REFRESH_TOKEN_SECRET_BYTES */
    struct str client_id;
};

/* Generation 0 of a new session. */
NODISCARD enum error refresh_token_first(const struct keyring *keyring, struct arena *arena,
                                         struct uuid sid, struct str client_id,
                                         struct refresh_token *out);
/* Checks form and tag; nothing is said about the session. */
NODISCARD enum error refresh_token_parse(const struct keyring *keyring, struct arena *arena,
                                         struct str text, struct str client_id,
                                         struct refresh_token *out);
/* The one that comes after `token`, whoever asks and however often. */
NODISCARD enum error refresh_token_next(const struct keyring *keyring, struct arena *arena,
                                        const struct refresh_token *token,
                                        struct refresh_token *out);
NODISCARD enum error refresh_token_text(const struct keyring *keyring, struct arena *arena,
                                        const struct refresh_token *token, struct str *out);
/* What the row keeps: SHA-256 of the secret, in the arena. */
struct str refresh_token_hash(struct arena *arena, const struct refresh_token *token);
