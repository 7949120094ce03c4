/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions: how one begins, and how it ends. Their refresh tokens are refresh_token.h's, the rotation
 * of those is refresh.h's.
 *
 * Ownership: texts are in the arena. Threads: any.
 */
#pragma once

#include "event.h"
#include "keyring.h"
#include "revocation.h"
#include "session_store.h"
#include "token.h"
#include "work.h"

/* The client of those who name none. */
#define SESSION_FIRST_PARTY STR("first-party")

struct session_policy {
    const struct keyring *keyring;
    const struct tokens *tokens;
    event_set published;
    int64_t idle_ttl_s;
    int64_t absolute_ttl_s;
    int64_t grace_s; /* a previous refresh token is answered again for so long */
    struct revocations *revocations;
    int64_t revocation_ttl_s; /* longer than any access token lives, by any clock */
};

/* Who logs in, how and from where. */
struct session_request {
    struct uuid user_id;
    struct str sub;
    int64_t auth_ver; /* the one that the password was checked against */
    struct str roles;
    struct str client_id;
    struct str ip;
    struct str user_agent;
    struct str amr; /* separated by spaces; empty: the password alone */
};

/* What the client gets. */
struct session_grant {
    struct str access_token;
    int64_t expires_in_s;
    struct str refresh_token;
    int64_t refresh_expires_in_s;
    struct uuid session_id;
};

/* Queues the session row (the transaction aborts whole if the user is no longer active with that
 * auth_ver) and makes the tokens, which are worth nothing until the transaction commits. */
NODISCARD enum error session_open(const struct session_policy *self, struct work *work,
                                  struct pg_tx *tx, const struct session_request *request,
                                  struct session_grant *out);

/* How a session ends. */
struct session_ending {
    enum event_type event; /* EVENT_SESSION_REVOKED or EVENT_SESSION_REUSE_DETECTED */
    struct uuid sid;
    struct str sub;
    struct str client_id; /* of a reuse */
    const char *reason;   /* of a revocation */
};

/* Ending one that has ended is fine. When it returns this replica knows that the session is over; the
 * others hear of it by the feed. */
NODISCARD enum error session_end(const struct session_policy *self, struct work *work,
                                 const struct session_ending *ending);

/* After a commit that ended the session and wrote its revocation. */
void session_note_end(const struct session_policy *self, struct uuid sid);

/* Ends the token's session; ending one that has ended is fine. */
NODISCARD enum error session_logout(const struct session_policy *self, struct work *work,
                                    const struct token_claims *claims);
