/* SPDX-License-Identifier: Apache-2.0 */
/* A user with sessions, and what administrators do to them. This replica's memory is kept as the feed
 * keeps it. */
#pragma once

#include "support/refreshes.h"

#include "revocation_reader.h"
#include "roles.h"

static struct revocation_reader administered_reader;
static struct administration administered_rules;

static const struct administrator administered_by = {
    .audit = {{"boss", 4}, {"request-1", 9}, {"192.0.2.9", 9}},
    .own_sub = {"boss", 4},
};

/* An administrator who is a user with a session, or a client: their token counts until they are ended. */
struct boss {
    char id[UUID_TEXT_BYTES + 1];
    struct uuid uuid;
    struct token_claims claims;
    struct administrator by;
};

static inline void boss_named(struct boss *out, int number)
{
    (void)snprintf(out->id, sizeof(out->id), "00000000-0000-4000-8000-%012d", number);
    assert_int_equal(codec_uuid_parse(str_from(out->id), &out->uuid), OK);
    out->claims = (struct token_claims){.sub = str_from(out->id)};
    out->by = (struct administrator){.audit = {.actor = out->claims.sub, .bearer = &out->claims}};
}

static inline void boss_user(struct boss *out, int number)
{
    boss_named(out, number);
    out->claims.client_id = refresh_client;
    out->claims.sid = out->uuid;
    out->claims.auth_ver = 1;
    out->by.own_sub = out->claims.sub;
    account_do("INSERT INTO users (id, email, email_canonical, password_hash, roles)"
               " VALUES ('%s', '%d@example.com', '%d@example.com', 'x', '{admin}');"
               "INSERT INTO sessions (id, user_id, client_id, kid, token_hash, auth_ver, auth_time,"
               " amr, created_at, idle_expires_at, absolute_expires_at)"
               " VALUES ('%s', '%s', 'first-party', 'k1', '\\x00', 1, now(), '{pwd,otp}', now(),"
               " now() + interval '1 day', now() + interval '1 day')",
               out->id, number, number, out->id, out->id);
}

static inline void boss_client(struct boss *out, int number)
{
    boss_named(out, number);
    out->claims.client_id = out->claims.sub;
    out->claims.is_client = true;
    account_do("INSERT INTO clients (id, name, is_public, secret_hash, scope)"
               " VALUES ('%s', 'boss', false, '\\x00', '{users:admin}')",
               out->id);
}

/* As the feed does. */
static inline void administered_read(void)
{
    const int64_t began_ms = clock_mono_ms();
    bool more = true;

    revocation_reader_begin(&administered_reader);
    while (more) {
        database_must(revocation_reader_page(&administered_reader, database(), &more));
    }
    revocation_reader_done(&administered_reader, began_ms);
}

static inline int administered_afresh(void **state)
{
    (void)refresh_afresh(state);
    database_do("TRUNCATE audit, clients");
    revocation_free(account_revocations);
    account_revocations = revocation_new(60000);
    account_sessions.revocations = account_revocations;
    revocation_reader_restart(&administered_reader, account_revocations);
    administered_read();
    administered_rules = (struct administration){
        .published = UINT32_MAX,
        .revocation_ttl_s = 600,
        .revocations = account_revocations,
    };
    return 0;
}

#define ADMINISTERED(name) cmocka_unit_test_setup(name, administered_afresh)

/* Whether a token of that session, issued at that auth_ver, counts by this replica's memory. */
static inline bool token_counts(const struct kept *token, int64_t auth_ver)
{
    const struct revocation_query query = {token->sid, refresh_user, auth_ver};

    return revocation_judge(account_revocations, &query) == REVOCATION_NONE;
}

static inline int64_t audits_of(const char *type)
{
    return account_number("SELECT count(*) FROM audit WHERE type = '%s'", type);
}

static inline int64_t live_sessions(void)
{
    return database_number("SELECT count(*) FROM sessions WHERE revoked_at IS NULL");
}
