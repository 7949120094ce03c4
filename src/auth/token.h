/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Access tokens: JWTs (RFC 7519) of the RFC 9068 profile, signed with the service's own key, and
 * their check. Issuing and checking are separate; the algorithm is the key's (RFC 8725 section 3.1).
 *
 * A user's token speaks of a session (`sid`); one of an administrator has the issuer as its only
 * audience and the scope users:admin. A client's own token has `sub` = `client_id` and no session.
 *
 * Ownership: `struct tokens` is read-only and shared; texts and claims are in the arena.
 * Threads: any. Errors: ERR_UNAUTHENTICATED for every token that is not a live one of this issuer.
 */
#pragma once

#include "json_in.h"
#include "signers.h"

enum { TOKEN_BYTES_MAX = 4096, TOKEN_AUDIENCES_MAX = 8 };

#define TOKEN_SCOPE_ADMIN STR("users:admin")
#define TOKEN_SCOPE_READ STR("users:read")

struct token_cache;

struct tokens {
    struct str issuer;
    struct str audiences[TOKEN_AUDIENCES_MAX]; /* `aud` of users' tokens */
    size_t audience_count;
    struct str typ; /* "at+jwt" (RFC 9068 section 2.1) */
    int64_t ttl_s;
    const struct signers *signers;
    struct token_cache *cache; /* of tokens that were verified; NULL: none */
};

struct token_subject {
    struct str sub;
    struct str client_id;
    bool is_client; /* the client itself: what speaks of a user's session is left out */
    struct uuid sid;
    int64_t auth_ver;
    struct str roles; /* separated by spaces; empty: none */
    struct str scope; /* likewise */
    int64_t auth_time_s;
    struct str amr;             /* separated by spaces */
    const struct str *audience; /* NULL: the users' */
    size_t audience_count;
};

/* ERR_NO_SIGNING_KEY when there is none to sign with. */
NODISCARD enum error token_issue(const struct tokens *self, struct arena *arena,
                                 const struct token_subject *subject, struct str *out);

struct token_claims {
    struct str sub;
    struct str client_id;
    bool is_client; /* then sid, auth_ver and auth_time_s are zero */
    struct uuid sid;
    int64_t auth_ver;
    int64_t auth_time_s;
    int64_t iat_s;
    int64_t exp_s;
    struct str jti;
    struct str roles; /* separated by spaces; empty: none */
    struct str scope; /* likewise */
    struct json_text_list aud;
};

/* A live token of this issuer, whoever it is for. What costs little is asked first: size, key, type and
 * expiry, then the signature. */
NODISCARD enum error token_verify(const struct tokens *self, struct arena *arena, struct str token,
                                  struct token_claims *out);
/* The same for the users' own routes: a user's, with one of the users' audiences in its `aud`. */
NODISCARD enum error token_check(const struct tokens *self, struct arena *arena, struct str token,
                                 struct token_claims *out);
bool token_is_for(const struct token_claims *claims, struct str audience);
/* Whether `word` is among words that are separated by spaces. */
bool token_has_word(struct str words, struct str word);
/* Of checked claims: ERR_UNAUTHENTICATED unless the issuer is its only audience,
 * ERR_INSUFFICIENT_SCOPE without the scope users:admin. */
NODISCARD enum error token_require_admin(const struct tokens *self,
                                         const struct token_claims *claims);
/* Of checked claims: ERR_UNAUTHENTICATED unless the issuer is in its audience, ERR_INSUFFICIENT_SCOPE
 * without the scope users:read. */
NODISCARD enum error token_require_reader(const struct tokens *self,
                                          const struct token_claims *claims);
