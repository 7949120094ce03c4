/* SPDX-License-Identifier: Apache-2.0 */
#include "mail_store.h"

enum {
    MAIL_INSERT,
    MAIL_CLAIM,
    MAIL_COLLAPSE,
    MAIL_RETRY,
    MAIL_TAKE,
    MAIL_ACCOUNT,
    MAIL_ATTEMPT,
    MAIL_NEWEST_ATTEMPT,
    MAIL_WRITE,
    MAIL_TOKEN,
    MAIL_SENT,
    MAIL_COUNT
};

static const struct pg_statement statements[] = {
    [MAIL_INSERT] = {"mail_insert", "INSERT INTO mail_requests (id, kind, email, email_canonical,"
                                    " locale, registration_id) VALUES ($1, $2, $3, $4, $5, $6)"},
    [MAIL_CLAIM] = {"mail_claim", "UPDATE mail_requests m SET attempts = attempts + 1,"
                                  " due_at = clock_timestamp() + $1::bigint * interval '1 ms'"
                                  " WHERE m.id = ANY (ARRAY("
                                  " SELECT id FROM mail_requests WHERE due_at <= now()"
                                  " ORDER BY due_at LIMIT $2::bigint FOR UPDATE SKIP LOCKED))"
                                  " RETURNING m.id, m.kind, m.email, m.email_canonical, m.locale,"
                                  " m.registration_id, m.attempts - 1"},
    /* Another mailroom that has leased one of these finds it gone, and undoes its answer. */
    [MAIL_COLLAPSE] = {"mail_collapse",
                       "DELETE FROM mail_requests WHERE id = ANY (ARRAY("
                       " SELECT id FROM mail_requests WHERE email_canonical = $1 AND kind = $2"
                       " ORDER BY id DESC OFFSET $3::bigint LIMIT $4::bigint"
                       " FOR UPDATE SKIP LOCKED))"},
    [MAIL_RETRY] = {"mail_retry", "UPDATE mail_requests"
                                  " SET due_at = clock_timestamp() + $2::bigint * interval '1 ms'"
                                  " WHERE id = $1"},
    [MAIL_TAKE] = {"mail_take", "WITH taken AS ("
                                " DELETE FROM mail_requests WHERE id = $1 RETURNING 1"
                                ") SELECT expect_one(count(*)) FROM taken"},
    [MAIL_ACCOUNT] = {"mail_account", "SELECT id, coalesce(subject, id::text), email, locale,"
                                      " email_verified_at IS NOT NULL, status = 'active'"
                                      " FROM users WHERE email_canonical = $1"},
    [MAIL_ATTEMPT] = {"mail_attempt", "SELECT id, user_id, email, locale, expires_at"
                                      " FROM registrations"
                                      " WHERE id = $1 AND expires_at > clock_timestamp()"},
    [MAIL_NEWEST_ATTEMPT] = {"mail_newest_attempt",
                             "SELECT id, user_id, email, locale, expires_at FROM registrations"
                             " WHERE email_canonical = $1 AND expires_at > clock_timestamp()"
                             " ORDER BY id DESC LIMIT 1"},
    [MAIL_WRITE] = {"mail_write",
                    "WITH written AS ("
                    " INSERT INTO outbox (id, subject, type, is_ordered, data, expires_at,"
                    " token_kid, token_purpose, token_id)"
                    " SELECT $1::uuid, $2::text, $3::text, $4::boolean, $5::text,"
                    " $6::timestamptz, $7::text, $8::text, $9::uuid"
                    " FROM users u WHERE u.id = $10 AND u.email = $11 FOR SHARE RETURNING 1"
                    ") SELECT expect_one(count(*)) FROM written"},
    [MAIL_TOKEN] = {"mail_token",
                    "WITH made AS ("
                    " INSERT INTO one_time_tokens (id, user_id, purpose, auth_ver, expires_at)"
                    " SELECT $1::uuid, u.id, $3::text, u.auth_ver, $4::timestamptz"
                    " FROM users u WHERE u.id = $2 AND u.status = 'active'"
                    " AND (u.email_verified_at IS NULL OR $3::text <> 'verification')"
                    " FOR SHARE RETURNING 1"
                    ") SELECT expect_one(count(*)) FROM made"},
    [MAIL_SENT] = {"mail_sent",
                   "SELECT count(*) FILTER (WHERE s.at > clock_timestamp() - interval '1 hour'),"
                   " count(*) FROM mail_counts c, unnest(c.sent) AS s (at)"
                   " WHERE c.key = ANY ($1::text::bytea[])"
                   " AND s.at > clock_timestamp() - interval '1 day'"},
    [MAIL_COUNT] = {"mail_count",
                    "WITH counted AS ("
                    " INSERT INTO mail_counts AS c (key, sent, until)"
                    " VALUES ($1, ARRAY[clock_timestamp()], clock_timestamp() + interval '1 day')"
                    " ON CONFLICT (key) DO UPDATE SET until = excluded.until,"
                    " sent = ARRAY(SELECT s FROM unnest(c.sent) AS s"
                    " WHERE s > clock_timestamp() - interval '1 day') || excluded.sent"
                    " WHERE (SELECT count(*) < $3::bigint AND count(*) FILTER ("
                    "WHERE s > clock_timestamp() - interval '1 hour') < $2::bigint"
                    " FROM unnest(c.sent) AS s WHERE s > clock_timestamp() - interval '1 day')"
                    " RETURNING 1) SELECT expect_one(count(*)) FROM counted"},
};

const struct pg_statements mail_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

static const struct str kinds[] = {
    [MAIL_REGISTRATION] = {"registration", 12},
    [MAIL_VERIFICATION] = {"verification", 12},
    [MAIL_PASSWORD_RESET] = {"password_reset", 14},
};

void mail_store_insert(struct pg_tx *tx, const struct mail_request *request)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MAIL_INSERT]);

    pg_bind_uuid(args, request->id);
    pg_bind_text(args, kinds[request->kind]);
    pg_bind_text(args, request->email);
    pg_bind_text(args, request->email_canonical);
    pg_bind_text_or_null(args, request->locale);
    if (request->kind == MAIL_REGISTRATION) {
        pg_bind_uuid(args, request->registration_id);
    } else {
        pg_bind_null(args);
    }
}

/* The table's CHECK allows no other. */
static enum mail_kind read_kind(struct str name)
{
    size_t kind = 0;

    while (kind < MAIL_PASSWORD_RESET && !str_equal(name, kinds[kind])) {
        kind++;
    }
    return (enum mail_kind)kind;
}

static struct mail_request read_request(const struct pg_rows *rows, int row, struct arena *arena)
{
    return (struct mail_request){
        .id = pg_uuid(rows, row, 0),
        .kind = read_kind(pg_text(rows, row, 1)),
        .email = arena_copy(arena, pg_text(rows, row, 2)),
        .email_canonical = arena_copy(arena, pg_text(rows, row, 3)),
        .locale = arena_copy(arena, pg_text(rows, row, 4)),
        .registration_id = pg_uuid(rows, row, 5),
        .attempts = (int32_t)pg_i64(rows, row, 6),
    };
}

enum error mail_store_claim(struct pg *pg, struct arena *arena, int64_t lease_ms,
                            struct mail_batch *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_i64(&args, lease_ms);
    pg_bind_i64(&args, MAIL_CLAIM_MAX);
    TRY(pg_query(pg, &statements[MAIL_CLAIM], &args, &rows));
    for (int row = 0; row < rows.count; row++) {
        out->requests[row] = read_request(&rows, row, arena);
    }
    if (arena_overflowed(arena)) {
        return ERR_NO_SPACE;
    }
    out->count = (size_t)rows.count;
    return OK;
}

enum error mail_store_collapse(struct pg *pg, const struct mail_request *like, int64_t keep)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_text(&args, like->email_canonical);
    pg_bind_text(&args, kinds[like->kind]);
    pg_bind_i64(&args, keep);
    pg_bind_i64(&args, MAIL_COLLAPSE_ROWS);
    return pg_query(pg, &statements[MAIL_COLLAPSE], &args, &rows);
}

enum error mail_store_retry(struct pg *pg, struct uuid id, int64_t retry_in_ms)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, id);
    pg_bind_i64(&args, retry_in_ms);
    return pg_query(pg, &statements[MAIL_RETRY], &args, &rows);
}

void mail_store_take(struct pg_tx *tx, struct uuid id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[MAIL_TAKE]), id);
}

enum error mail_store_account(struct pg *pg, struct arena *arena, struct str email_canonical,
                              struct mail_account *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_text(&args, email_canonical);
    TRY(pg_query(pg, &statements[MAIL_ACCOUNT], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = (struct mail_account){
        .id = pg_uuid(&rows, 0, 0),
        .sub = arena_copy(arena, pg_text(&rows, 0, 1)),
        .email = arena_copy(arena, pg_text(&rows, 0, 2)),
        .locale = arena_copy(arena, pg_text(&rows, 0, 3)),
        .is_verified = pg_bool(&rows, 0, 4),
        .is_active = pg_bool(&rows, 0, 5),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

static enum error find_attempt(struct pg *pg, struct arena *arena,
                               const struct pg_statement *statement, const struct pg_args *args,
                               struct mail_attempt *out)
{
    PG_ROWS rows = {0};

    TRY(pg_query(pg, statement, args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = (struct mail_attempt){
        .id = pg_uuid(&rows, 0, 0),
        .user_id = pg_uuid(&rows, 0, 1),
        .email = arena_copy(arena, pg_text(&rows, 0, 2)),
        .locale = arena_copy(arena, pg_text(&rows, 0, 3)),
        .expires_ms = pg_time_ms(&rows, 0, 4),
    };
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

enum error mail_store_attempt(struct pg *pg, struct arena *arena, struct uuid id,
                              struct mail_attempt *out)
{
    struct pg_args args = {0};

    pg_bind_uuid(&args, id);
    return find_attempt(pg, arena, &statements[MAIL_ATTEMPT], &args, out);
}

enum error mail_store_newest_attempt(struct pg *pg, struct arena *arena, struct str email_canonical,
                                     struct mail_attempt *out)
{
    struct pg_args args = {0};

    pg_bind_text(&args, email_canonical);
    return find_attempt(pg, arena, &statements[MAIL_NEWEST_ATTEMPT], &args, out);
}

void mail_store_write(struct pg_tx *tx, const struct mail_account *account,
                      const struct outbox_event *event)
{
    struct pg_args *args;

    if (event->is_ordered) {
        outbox_store_lock(tx, event->subject);
    }
    args = pg_tx_add(tx, &statements[MAIL_WRITE]);
    outbox_store_bind(args, event);
    pg_bind_uuid(args, account->id);
    pg_bind_text(args, account->email);
}

void mail_store_token(struct pg_tx *tx, const struct mail_account *account, struct uuid id,
                      struct str purpose, int64_t expires_ms)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MAIL_TOKEN]);

    pg_bind_uuid(args, id);
    pg_bind_uuid(args, account->id);
    pg_bind_text(args, purpose);
    pg_bind_time(args, expires_ms);
}

enum error mail_store_allowed(struct pg *pg, struct str keys, bool *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_text(&args, keys);
    TRY(pg_query(pg, &statements[MAIL_SENT], &args, &rows));
    *out = pg_i64(&rows, 0, 0) < MAIL_HOUR_MAX && pg_i64(&rows, 0, 1) < MAIL_DAY_MAX;
    return OK;
}

void mail_store_count(struct pg_tx *tx, struct str key)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MAIL_COUNT]);

    pg_bind_bytes(args, key);
    pg_bind_i64(args, MAIL_HOUR_MAX);
    pg_bind_i64(args, MAIL_DAY_MAX);
}
