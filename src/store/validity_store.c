/* SPDX-License-Identifier: Apache-2.0 */
#include "validity_store.h"

#include "client_store.h"

enum { VALIDITY_SESSION, VALIDITY_CLIENT, VALIDITY_REQUIRE_SESSION, VALIDITY_REQUIRE_CLIENT };

#define SESSION_COUNTS                                                                             \
    "SELECT 1 FROM sessions s, users u WHERE " USER_STORE_SESSION_COUNTS                           \
    " AND coalesce(u.subject, u.id::text) = $3 AND s.client_id = $4"                               \
    " AND " CLIENT_STORE_COUNTS("$5")
#define CLIENT_COUNTS                                                                              \
    "SELECT 1 FROM clients WHERE id = $1 AND NOT is_public AND disabled_at IS NULL"
#define REQUIRE(counts, rows)                                                                      \
    "WITH acting AS (" counts " FOR SHARE OF " rows ") SELECT expect_one(count(*)) FROM acting"

static const struct pg_statement statements[] = {
    [VALIDITY_SESSION] = {"validity_session", SESSION_COUNTS},
    [VALIDITY_CLIENT] = {"validity_client", CLIENT_COUNTS},
    /* The user before the session: whoever disables a user takes them in that order. */
    [VALIDITY_REQUIRE_SESSION] = {"validity_require_session", REQUIRE(SESSION_COUNTS, "u, s")},
    [VALIDITY_REQUIRE_CLIENT] = {"validity_require_client", REQUIRE(CLIENT_COUNTS, "clients")},
};

const struct pg_statements validity_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

static void bind_session(struct pg_args *args, const struct user_session *session, struct str sub,
                         struct str client_id)
{
    pg_bind_uuid(args, session->session_id);
    pg_bind_i64(args, session->auth_ver);
    pg_bind_text(args, sub);
    pg_bind_text(args, client_id);
    client_store_bind(args, client_id);
}

enum error validity_store_session(struct pg *pg, const struct user_session *session, struct str sub,
                                  struct str client_id)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    bind_session(&args, session, sub, client_id);
    TRY(pg_query(pg, &statements[VALIDITY_SESSION], &args, &rows));
    return rows.count == 1 ? OK : ERR_UNAUTHENTICATED;
}

enum error validity_store_client(struct pg *pg, struct uuid id)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    TRY(pg_query(pg, &statements[VALIDITY_CLIENT], &args, &rows));
    return rows.count == 1 ? OK : ERR_UNAUTHENTICATED;
}

void validity_store_require_session(struct pg_tx *tx, const struct user_session *session,
                                    struct str sub, struct str client_id)
{
    bind_session(pg_tx_add(tx, &statements[VALIDITY_REQUIRE_SESSION]), session, sub, client_id);
}

void validity_store_require_client(struct pg_tx *tx, struct str client_id)
{
    client_store_bind(pg_tx_add(tx, &statements[VALIDITY_REQUIRE_CLIENT]), client_id);
}
