/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registered clients (RFC 6749 section 2), in memory: read whole at start and whenever the feed
 * says that table clients has changed. Public ones log users in and have no secret; confidential ones
 * have one or, while it is being rotated, two. SESSION_FIRST_PARTY is always there, public, and in no
 * table.
 *
 * Memory may be a moment behind the table: what it knows it vouches for, but of a client that was
 * registered just now, or a secret that was rotated just now, it knows nothing. Whoever has a
 * connection asks the table (clients_ask_*), whoever has none returns ERR_DEFER.
 *
 * Ownership: what is found is copied into the caller's arena. Threads: any.
 */
#pragma once

#include "pg.h"

enum { CLIENTS_MAX = 4096, CLIENTS_WORDS_MAX = 16, CLIENTS_SECRET_BYTES = 32 };

struct client {
    struct str id;
    struct str name;
    bool is_public;
    bool is_disabled;
    struct str audience; /* separated by spaces */
    struct str scope;    /* likewise */
};

struct clients;

struct clients *clients_new(void);
void clients_free(struct clients *self);
/* Reads the table anew; of two at once the second one waits. A failure leaves what was there. */
NODISCARD enum error clients_load(struct clients *self, struct pg *pg);
/* ERR_NOT_FOUND: nobody has that id, or not any more (disabled). */
NODISCARD enum error clients_find(const struct clients *self, struct arena *arena, struct str id,
                                  struct client *out);
/* Not disabled; what else a token of it needs is the token's. SESSION_FIRST_PARTY included. */
bool clients_is_active(const struct clients *self, struct str id);
/* Known, and disabled: that much is sure. */
bool clients_is_disabled(const struct clients *self, struct str id);
/* RFC 6749 section 2.3.1: ERR_INVALID_CLIENT unless that confidential client has that secret. */
NODISCARD enum error clients_authenticate(const struct clients *self, struct arena *arena,
                                          struct str id, struct str secret, struct client *out);

/* As clients_authenticate, but of the table. */
NODISCARD enum error clients_ask_secret(struct pg *pg, struct arena *arena, struct str id,
                                        struct str secret, struct client *out);
/* As clients_find, but of the table; SESSION_FIRST_PARTY included. */
NODISCARD enum error clients_ask(struct pg *pg, struct arena *arena, struct str id,
                                 struct client *out);
