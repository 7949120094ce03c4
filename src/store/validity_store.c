/* SPDX-License-Identifier: Apache-2.0 */
#include "validity_store.h"

#include "client_store.h"

enum { VALIDITY_SESSION, VALIDITY_CLIENT };

static const struct pg_statement statements[] = {
    [VALIDITY_SESSION] = {"validity_session",
                          "SELECT 1 FROM sessions s, users u WHERE " USER_STORE_SESSION_COUNTS
                          " AND coalesce(u.subject, u.id::text) = $3 AND s.client_id = $4"
                          " AND " CLIENT_STORE_COUNTS("$5")},
    [VALIDITY_CLIENT] = {"validity_client", "SELECT 1 FROM clients WHERE id = $1"
                                            " AND NOT is_public AND disabled_at IS NULL"},
};

const struct pg_statements validity_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

enum error validity_store_session(struct pg *pg, const struct user_session *session, struct str sub,
                                  struct str client_id)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, session->session_id);
    pg_bind_i64(&args, session->auth_ver);
    pg_bind_text(&args, sub);
    pg_bind_text(&args, client_id);
    client_store_bind(&args, client_id);
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
