/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to a password, step by step, each on a work of its own. */
#pragma once

#include "support/journey.h"

#include "credential.h"

static const struct str new_password = STR("a rather different phrase");

/* How bad what was wrong with the new password is; of the last call. */
static struct json_findings credential_findings;

/* The claims of an access token that was just granted. */
static inline struct token_claims claims_of(const struct session_grant *grant)
{
    static unsigned char memory[16384];
    static struct arena arena;
    struct token_claims claims;

    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(token_check(&account_tokens, &arena, grant->access_token, &claims), OK);
    return claims;
}

static inline enum error change_with(struct work *work, const struct token_claims *claims,
                                     struct str current, struct session_grant *out)
{
    const struct credential_password_change in = {
        .claims = claims,
        .current_password = current,
        .new_password = new_password,
        .origin = origin,
    };

    credential_findings.count = 0;
    return credential_change(&account_service, work, &in, &credential_findings, out);
}

static inline enum error try_change(const struct token_claims *claims, struct str current,
                                    struct session_grant *out)
{
    struct work work = account_work();

    return change_with(&work, claims, current, out);
}

/* The row that the mailroom makes for a mail to the one user, and its id. `number` tells several
 * apart. */
static inline struct uuid mailed_reset(unsigned number)
{
    char text[UUID_TEXT_BYTES + 1];
    struct uuid id;

    (void)snprintf(text, sizeof(text), "0197c3e8-0000-7000-8000-%012u", number);
    account_do("INSERT INTO one_time_tokens (id, user_id, purpose, auth_ver, expires_at)"
               " SELECT '%s', id, 'reset', auth_ver, clock_timestamp() + interval '1 h' FROM users",
               text);
    assert_int_equal(codec_uuid_parse(str_from(text), &id), OK);
    return id;
}

static inline enum error reset_with(struct work *work, struct str token, struct str password)
{
    const struct credential_password_reset in = {token, password, origin};

    return credential_reset(&account_service, work, &in, &credential_findings);
}

static inline enum error try_reset(struct str token, struct str password)
{
    struct work work = account_work();

    credential_findings.count = 0;
    return reset_with(&work, token, password);
}

/* A session, or a one-time token that still works, of an auth_ver that has passed. */
static inline int64_t outdated_sessions(void)
{
    return database_number("SELECT count(*) FROM sessions s JOIN users u ON u.id = s.user_id"
                           " WHERE s.revoked_at IS NULL AND s.auth_ver <> u.auth_ver");
}

static inline int64_t live_sessions(void)
{
    return database_number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL");
}

static inline int64_t events_of(const char *type)
{
    return account_number("SELECT count(*) FROM outbox WHERE type = '%s'", type);
}
