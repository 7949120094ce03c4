/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table users. `sub` is the imported subject, else the id in text form.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "throttle_store.h"

extern const struct pg_statements user_store_statements;

/* What a login needs to know of an account. */
struct user_login {
    struct uuid id;
    struct str sub;
    struct str password_phc;
    struct str pepper_kid; /* empty: hashed without a pepper */
    struct str roles;      /* separated by spaces */
    int64_t auth_ver;
    bool is_active;
    bool is_verified;
    bool has_mfa; /* a second factor that was confirmed */
};

/* In SQL, of `users u`. */
#define USER_STORE_HAS_MFA                                                                         \
    "EXISTS (SELECT 1 FROM totp_factors x"                                                         \
    " WHERE x.user_id = u.id AND x.confirmed_at IS NOT NULL)"

/* ERR_NOT_FOUND when no account has that address. The throttle's state is read in any case. */
NODISCARD enum error user_store_find_login(struct pg *pg, struct arena *arena,
                                           struct str email_canonical,
                                           struct throttle_look *throttle, struct user_login *out);

struct user_new {
    struct uuid id;
    struct str email;
    struct str email_canonical;
    bool is_verified;
    struct str password_phc;
    struct str pepper_kid; /* empty: none */
    struct str name;       /* empty: none */
    struct str locale;     /* empty: none */
    int64_t created_ms;    /* told to the client before it could be read back */
};

/* ERR_CONFLICT on users_email_canonical_key when the address has an account. Texts are borrowed until
 * the commit. */
void user_store_insert(struct pg_tx *tx, const struct user_new *user);
/* The address of an account that is not verified yet; else ERR_NO_MATCH. */
void user_store_verify_email(struct pg_tx *tx, struct uuid id, int64_t auth_ver);

/* What users see of themselves. */
struct user_profile {
    struct str sub;
    struct str email;
    bool email_verified;
    struct str name;   /* empty: none */
    struct str locale; /* empty: none */
    struct str roles;  /* separated by spaces */
    int64_t created_ms;
};

/* A session that still counts: not ended, not expired, its user active with that auth_ver. */
struct user_session {
    struct uuid session_id;
    int64_t auth_ver;
};

/* In SQL, of `sessions s, users u`, with $1 and $2 bound to the members above. */
#define USER_STORE_SESSION_COUNTS                                                                  \
    "s.id = $1 AND s.revoked_at IS NULL"                                                           \
    " AND clock_timestamp() < least(s.idle_expires_at, s.absolute_expires_at)"                     \
    " AND u.id = s.user_id AND u.status = 'active' AND u.auth_ver = $2 AND s.auth_ver = $2"

/* ERR_UNAUTHENTICATED when the session does not count any more. */
NODISCARD enum error user_store_profile(struct pg *pg, struct arena *arena,
                                        const struct user_session *session,
                                        struct user_profile *out);

struct user_patch {
    bool has_name;
    struct str name; /* empty: removed */
    bool has_locale;
    struct str locale; /* empty: removed */
};
NODISCARD enum error user_store_patch(struct pg *pg, struct arena *arena,
                                      const struct user_session *session,
                                      const struct user_patch *patch, struct user_profile *out);
