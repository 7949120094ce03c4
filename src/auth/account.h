/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of an account: registration, confirmation of its address, login, profile.
 *
 * A registration is an attempt: its own row, with its own password. The link in the mail activates
 * that attempt alone, and whoever clicks it must know the password that was chosen, so nobody can
 * prepare an account for somebody else's address. Where the address must be verified first, nothing
 * here tells who has an account: the same statements run whoever is asked about.
 *
 * Ownership: `struct accounts` is read-only and shared; results are in the work's arena.
 * Threads: any, each with its own work.
 */
#pragma once

#include "email.h"
#include "password.h"
#include "session.h"
#include "user_store.h"

struct accounts {
    const struct keyring *keyring;
    const struct passwords *passwords;
    const struct session_policy *sessions;
    event_set published;
    bool verification_required;
    int64_t registration_ttl_s;
};

struct account_registration {
    struct email email;
    struct str password; /* has passed password_policy */
    struct str name;     /* empty: none */
    struct str locale;   /* empty: none */
};

/* An attempt, where the address must be verified first. The answer is the same for every address. */
NODISCARD enum error account_register(const struct accounts *self, struct work *work,
                                      const struct account_registration *in);
/* An account at once, where verification is optional; ERR_EMAIL_TAKEN. */
NODISCARD enum error account_create(const struct accounts *self, struct work *work,
                                    const struct account_registration *in,
                                    struct user_profile *out);
/* Asks for the mail once more. The answer is the same for every address. */
NODISCARD enum error account_resend(const struct accounts *self, struct work *work,
                                    const struct email *email);

/* From where a session, or a change, is asked for. */
struct account_origin {
    struct str client_id;
    struct str ip;
    struct str user_agent;
    struct str request_id; /* for the audit trail; empty: none */
};

struct account_confirmation {
    struct str token;
    struct str password;
    struct account_origin origin;
};

/* ERR_INVALID_TOKEN: not genuine, used, expired, or the address has an account by now.
 * ERR_INVALID_CREDENTIALS: not the password of that attempt; the token stays usable.
 * ERR_MFA_REQUIRED as account_login: the address is verified, and the session waits for a code. */
NODISCARD enum error account_confirm(const struct accounts *self, struct work *work,
                                     const struct account_confirmation *in,
                                     struct session_grant *out);

struct account_login {
    struct email email;
    struct str password;
    struct account_origin origin;
};

/* ERR_INVALID_CREDENTIALS alike for an unknown address, a wrong password and a disabled account, after
 * exactly one password hash; ERR_EMAIL_UNVERIFIED, and ERR_MFA_REQUIRED with work->mfa_token
 * (mfa_login.h), only after the right password. */
NODISCARD enum error account_login(const struct accounts *self, struct work *work,
                                   const struct account_login *in, struct session_grant *out);
