/* SPDX-License-Identifier: Apache-2.0 */
#include "session_store.h"

enum { SESSION_INSERT, SESSION_REVOKE };

static const struct pg_statement statements[] = {
    [SESSION_INSERT] =
        {"session_insert",
         "WITH holder AS ("
         " SELECT id FROM users WHERE id = $1 AND status = 'active' AND auth_ver = $2 FOR SHARE"
         "), made AS ("
         " INSERT INTO sessions (id, user_id, auth_ver, client_id, kid, token_hash, amr, auth_time,"
         "  created_at, idle_expires_at, absolute_expires_at, ip, user_agent)"
         " SELECT $3, holder.id, $2, $4, $5, $6, string_to_array($7, ' '), t, t,"
         "  t + $8::bigint * interval '1 second', t + $9::bigint * interval '1 second', $10, $11"
         " FROM holder, clock_timestamp() AS t RETURNING 1"
         ") SELECT expect_one(count(*)) FROM made"},
    [SESSION_REVOKE] = {"session_revoke", "WITH ended AS ("
                                          " UPDATE sessions SET revoked_at = clock_timestamp()"
                                          " WHERE id = $1 AND revoked_at IS NULL RETURNING 1"
                                          ") SELECT expect_one(count(*)) FROM ended"},
};

const struct pg_statements session_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

void session_store_insert(struct pg_tx *tx, const struct session_row *row)
{
    struct pg_args *args = pg_tx_add(tx, &statements[SESSION_INSERT]);

    pg_bind_uuid(args, row->user_id);
    pg_bind_i64(args, row->auth_ver);
    pg_bind_uuid(args, row->id);
    pg_bind_text(args, row->client_id);
    pg_bind_text(args, row->kid);
    pg_bind_bytes(args, row->token_hash);
    pg_bind_text(args, row->amr);
    pg_bind_i64(args, row->idle_ttl_s);
    pg_bind_i64(args, row->absolute_ttl_s);
    pg_bind_text_or_null(args, row->ip);
    pg_bind_text_or_null(args, row->user_agent);
}

void session_store_revoke(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[SESSION_REVOKE]), id);
}
