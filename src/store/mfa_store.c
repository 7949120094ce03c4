/* SPDX-License-Identifier: Apache-2.0 */
#include "mfa_store.h"

enum {
    MFA_PUT,
    MFA_ATTEMPT,
    MFA_USE_STEP,
    MFA_USE_RECOVERY,
    MFA_CONFIRM,
    MFA_LOCK,
    MFA_PUT_RECOVERY,
    MFA_DROP_RECOVERY,
    MFA_REMOVE,
    MFA_DROP_PENDING,
    MFA_RAISE,
    MFA_RAISE_ENROLLED,
    MFA_KEEP,
    MFA_END_OTHERS,
    MFA_HAS
};

/* A change that must match. */
#define ONE(change)                                                                                \
    "WITH changed AS (" change " RETURNING 1) SELECT expect_one(count(*)) FROM changed"

/* $2 says which of the two kinds is meant. */
#define FACTOR                                                                                     \
    "f.user_id = $1 AND (f.confirmed_at IS NULL) = $2"                                             \
    " AND (f.confirmed_at IS NOT NULL OR f.created_at > clock_timestamp() - interval '1 hour')"

static const struct pg_statement statements[] = {
    [MFA_PUT] = {"mfa_put",
                 "WITH acting AS (SELECT u.id FROM sessions s, users u"
                 " WHERE " USER_STORE_SESSION_COUNTS "), changed AS ("
                 " INSERT INTO totp_factors AS f (user_id, kid, nonce, secret)"
                 " SELECT acting.id, $3, $4, $5 FROM acting"
                 " ON CONFLICT (user_id) DO UPDATE SET kid = excluded.kid, nonce = excluded.nonce,"
                 " secret = excluded.secret, created_at = clock_timestamp()"
                 " WHERE f.confirmed_at IS NULL RETURNING 1"
                 ") SELECT expect_one(count(*)) FROM changed"},
    /* The array keeps the last ten, the oldest first, no two alike: each is taken out by its value. */
    [MFA_ATTEMPT] =
        {"mfa_attempt",
         "WITH counted AS ("
         " UPDATE totp_factors f"
         " SET failed_at = (f.failed_at || greatest("
         " date_trunc('milliseconds', clock_timestamp()),"
         " f.failed_at[cardinality(f.failed_at)] + interval '1 millisecond'"
         " ))[cardinality(f.failed_at) - 8 :] WHERE " FACTOR " AND (cardinality(f.failed_at) < 10"
         " OR f.failed_at[1] <= clock_timestamp() - interval '1 hour')"
         " RETURNING f.user_id, f.failed_at[cardinality(f.failed_at)] AS t, f.kid, f.nonce, "
         "f.secret, f.last_step"
         ") SELECT c.user_id IS NULL, greatest(1, ceil(extract(epoch FROM"
         " f.failed_at[1] + interval '1 hour' - clock_timestamp())))::bigint,"
         " c.t, c.kid, c.nonce, c.secret, c.last_step,"
         " EXISTS (SELECT 1 FROM recovery_codes r WHERE r.user_id = $1 AND r.code_hash = $3)"
         " FROM totp_factors f LEFT JOIN counted c ON c.user_id = f.user_id WHERE " FACTOR},
    [MFA_USE_STEP] = {"mfa_use_step",
                      ONE("UPDATE totp_factors SET last_step = $3, kid = $5, nonce = $6,"
                          " secret = $7, failed_at = array_remove(failed_at, $4)"
                          " WHERE user_id = $1 AND nonce = $2 AND confirmed_at IS NOT NULL"
                          " AND last_step < $3")},
    [MFA_USE_RECOVERY] = {"mfa_use_recovery",
                          "WITH changed AS (DELETE FROM recovery_codes"
                          " WHERE user_id = $1 AND code_hash = $2 RETURNING user_id"
                          "), forgiven AS (UPDATE totp_factors f"
                          " SET failed_at = array_remove(f.failed_at, $3)"
                          " FROM changed WHERE f.user_id = changed.user_id"
                          ") SELECT expect_one(count(*)) FROM changed"},
    [MFA_CONFIRM] = {"mfa_confirm", ONE("UPDATE totp_factors SET confirmed_at = clock_timestamp(),"
                                        " last_step = $3, failed_at = array_remove(failed_at, $4)"
                                        " WHERE user_id = $1 AND nonce = $2"
                                        " AND confirmed_at IS NULL")},
    [MFA_LOCK] = {"mfa_lock", "WITH held AS (SELECT 1 FROM totp_factors WHERE user_id = $1"
                              " AND confirmed_at IS NOT NULL FOR UPDATE"
                              ") SELECT expect_one(count(*)) FROM held"},
    [MFA_PUT_RECOVERY] = {"mfa_put_recovery",
                          "INSERT INTO recovery_codes (user_id, code_hash)"
                          " SELECT $1, substring($2::bytea FROM i FOR 32)"
                          " FROM generate_series(1, length($2::bytea), 32) AS i"},
    [MFA_DROP_RECOVERY] = {"mfa_drop_recovery", "DELETE FROM recovery_codes WHERE user_id = $1"},
    [MFA_REMOVE] = {"mfa_remove", ONE("DELETE FROM totp_factors WHERE user_id = $1"
                                      " AND confirmed_at IS NOT NULL")},
    [MFA_DROP_PENDING] = {"mfa_drop_pending",
                          "DELETE FROM totp_factors WHERE user_id = $1 AND confirmed_at IS NULL"},
    [MFA_RAISE] = {"mfa_raise", ONE("UPDATE users u SET auth_ver = u.auth_ver + 1 FROM sessions s"
                                    " WHERE " USER_STORE_SESSION_COUNTS)},
    [MFA_RAISE_ENROLLED] = {"mfa_raise_enrolled",
                            ONE("UPDATE users u SET auth_ver = u.auth_ver + 1 WHERE u.id = $1"
                                " AND " USER_STORE_HAS_MFA)},
    [MFA_KEEP] = {"mfa_keep", ONE("UPDATE sessions SET auth_ver = $2 + 1,"
                                  " amr = coalesce(string_to_array($3, ' '), amr)"
                                  " WHERE id = $1 AND auth_ver = $2 AND revoked_at IS NULL")},
    [MFA_END_OTHERS] =
        {"mfa_end_others",
         "WITH ended AS ("
         " UPDATE sessions SET revoked_at = clock_timestamp()"
         " WHERE user_id = $1 AND id <> $3 AND revoked_at IS NULL RETURNING id,"
         " clock_timestamp() < least(idle_expires_at, absolute_expires_at) AS was_live"
         ") INSERT INTO outbox (id, subject, type, is_ordered, data)"
         " SELECT gen_random_uuid(), $2, 'session.revoked', true,"
         " json_build_object('session_id', ended.id, 'reason', 'mfa_changed')::text"
         " FROM ended WHERE $4::boolean AND was_live"},
    [MFA_HAS] = {"mfa_has", "SELECT " USER_STORE_HAS_MFA " FROM sessions s"
                            " JOIN users u ON u.id = s.user_id WHERE s.id = $1"},
};

const struct pg_statements mfa_store_statements = {
    statements,
    sizeof(statements) / sizeof(statements[0]),
};

static void bind_acting(struct pg_args *args, const struct user_session *acting)
{
    pg_bind_uuid(args, acting->session_id);
    pg_bind_i64(args, acting->auth_ver);
}

static void bind_secret(struct pg_args *args, const struct mfa_secret *secret)
{
    pg_bind_text(args, secret->kid);
    pg_bind_bytes(args, secret->nonce);
    pg_bind_bytes(args, secret->sealed);
}

void mfa_store_put(struct pg_tx *tx, const struct user_session *acting,
                   const struct mfa_secret *secret)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MFA_PUT]);

    bind_acting(args, acting);
    bind_secret(args, secret);
}

static struct mfa_attempt read_attempt(const struct pg_rows *rows, struct arena *arena)
{
    if (pg_bool(rows, 0, 0)) {
        return (struct mfa_attempt){.is_braked = true, .retry_after_s = pg_i64(rows, 0, 1)};
    }
    return (struct mfa_attempt){
        .counted_ms = pg_time_ms(rows, 0, 2),
        .secret = {.kid = arena_copy(arena, pg_text(rows, 0, 3)),
                   .nonce = arena_copy(arena, pg_text(rows, 0, 4)),
                   .sealed = arena_copy(arena, pg_text(rows, 0, 5))},
        .last_step = pg_i64(rows, 0, 6),
        .has_recovery = pg_bool(rows, 0, 7),
    };
}

enum error mfa_store_attempt(struct pg *pg, struct arena *arena, const struct mfa_try *attempt,
                             struct mfa_attempt *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, attempt->user_id);
    pg_bind_bool(&args, attempt->is_pending);
    pg_bind_bytes(&args, attempt->recovery_hash);
    TRY(pg_query(pg, &statements[MFA_ATTEMPT], &args, &rows));
    if (rows.count == 0) {
        return ERR_NOT_FOUND;
    }
    *out = read_attempt(&rows, arena);
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}

static struct pg_args *queue_step(struct pg_tx *tx, unsigned statement, const struct mfa_use *use)
{
    struct pg_args *args = pg_tx_add(tx, &statements[statement]);

    pg_bind_uuid(args, use->user_id);
    pg_bind_bytes(args, use->seen_nonce);
    pg_bind_i64(args, use->step);
    pg_bind_time(args, use->counted_ms);
    return args;
}

void mfa_store_use_step(struct pg_tx *tx, const struct mfa_use *use)
{
    bind_secret(queue_step(tx, MFA_USE_STEP, use), &use->secret);
}

void mfa_store_confirm(struct pg_tx *tx, const struct mfa_use *use)
{
    (void)queue_step(tx, MFA_CONFIRM, use);
}

void mfa_store_use_recovery(struct pg_tx *tx, const struct mfa_use *use)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MFA_USE_RECOVERY]);

    pg_bind_uuid(args, use->user_id);
    pg_bind_bytes(args, use->recovery_hash);
    pg_bind_time(args, use->counted_ms);
}

void mfa_store_lock(struct pg_tx *tx, struct uuid user_id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[MFA_LOCK]), user_id);
}

void mfa_store_put_recovery(struct pg_tx *tx, struct uuid user_id, struct str hashes)
{
    struct pg_args *args;

    pg_bind_uuid(pg_tx_add(tx, &statements[MFA_DROP_RECOVERY]), user_id);
    args = pg_tx_add(tx, &statements[MFA_PUT_RECOVERY]);
    pg_bind_uuid(args, user_id);
    pg_bind_bytes(args, hashes);
}

void mfa_store_remove(struct pg_tx *tx, struct uuid user_id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[MFA_REMOVE]), user_id);
    pg_bind_uuid(pg_tx_add(tx, &statements[MFA_DROP_RECOVERY]), user_id);
}

enum error mfa_store_drop_pending(struct pg *pg, struct uuid user_id)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, user_id);
    return pg_query(pg, &statements[MFA_DROP_PENDING], &args, &rows);
}

void mfa_store_raise(struct pg_tx *tx, const struct user_session *acting)
{
    bind_acting(pg_tx_add(tx, &statements[MFA_RAISE]), acting);
}

void mfa_store_raise_enrolled(struct pg_tx *tx, struct uuid user_id)
{
    pg_bind_uuid(pg_tx_add(tx, &statements[MFA_RAISE_ENROLLED]), user_id);
}

void mfa_store_keep(struct pg_tx *tx, const struct user_session *acting, struct str amr)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MFA_KEEP]);

    bind_acting(args, acting);
    pg_bind_text_or_null(args, amr);
}

void mfa_store_end_others(struct pg_tx *tx, const struct mfa_ending *ending)
{
    struct pg_args *args = pg_tx_add(tx, &statements[MFA_END_OTHERS]);

    pg_bind_uuid(args, ending->user_id);
    pg_bind_text(args, ending->sub);
    pg_bind_uuid(args, ending->kept);
    pg_bind_bool(args, ending->tells);
}

enum error mfa_store_has(struct pg *pg, struct uuid session_id, bool *out)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_uuid(&args, session_id);
    TRY(pg_query(pg, &statements[MFA_HAS], &args, &rows));
    *out = rows.count == 1 && pg_bool(&rows, 0, 0);
    return OK;
}
