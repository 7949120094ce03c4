/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registering clients, and what becomes of them: create, rotate the secret, disable. Each is one
 * transaction with its audit row, which makes every replica read the table anew; the acting replica
 * has done so when the call returns.
 *
 * A secret is `uscs_` and 256 random bits as base64url: scanners of code can find it. It is returned
 * once; the table has its SHA-256. Two count at a time: a rotation ends the one before the last.
 *
 * Ownership: texts are in the work's arena. Threads: any, each with its own work.
 * Errors: of each change also ERR_UNAUTHENTICATED (whoever asks was disabled or logged out meanwhile:
 * nothing was done).
 */
#pragma once

#include "audit.h"
#include "client_store.h"
#include "clients.h"
#include "json_in.h"
#include "work.h"

enum {
    CLIENT_REGISTRY_NAME_CODEPOINTS_MAX = 100,
    CLIENT_REGISTRY_WORD_BYTES_MAX = 64,
    CLIENT_REGISTRY_LIST_BYTES_MAX = 384 /* of all words, with spaces between: they are in tokens */
};

struct client_registration {
    struct str name;
    bool is_public; /* then there is no audience and no scope */
    struct json_text_list audience;
    struct json_text_list scope;
};

/* What is wrong with it, at /name, /audience and /scope: ERR_VALIDATION. Words are what RFC 6749
 * section 3.3 takes as a scope-token, without the comma. */
NODISCARD enum error client_registry_check(const struct client_registration *in,
                                           struct json_findings *findings);

/* What is shown once. */
struct client_credentials {
    struct uuid id;    /* its text is the client_id */
    struct str secret; /* empty: a public client */
};

/* `in` has passed client_registry_check. ERR_CONFLICT: there are CLIENTS_MAX already. `clients` is the
 * memory to bring up to date; NULL: none (a command). */
NODISCARD enum error client_registry_create(struct clients *clients, struct work *work,
                                            const struct audit_actor *actor,
                                            const struct client_registration *in,
                                            struct client_credentials *out);
/* ERR_NOT_FOUND; ERR_CONFLICT: a public client or a disabled one, which has no secret to rotate. */
NODISCARD enum error client_registry_rotate(struct clients *clients, struct work *work,
                                            const struct audit_actor *actor, struct uuid id,
                                            struct client_credentials *out);
/* ERR_NOT_FOUND. One that is disabled already is fine. Its tokens do not count any more, and the
 * sessions of its users cannot be refreshed. */
NODISCARD enum error client_registry_disable(struct clients *clients, struct work *work,
                                             const struct audit_actor *actor, struct uuid id);
