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
    database_do("TRUNCATE audit");
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
