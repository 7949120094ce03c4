/* SPDX-License-Identifier: Apache-2.0 */
/* A user with sessions, and their refresh tokens, each presented on a work of its own. */
#pragma once

#include "support/accounts.h"

#include <stdio.h>

#include "metrics.h"
#include "refresh.h"
#include "refresh_token.h"

enum { ROW_BYTES_MAX = 2048 };

static const struct str refresh_user = STR("5f0c8a6e-3d3c-4c53-8d2b-0f8a2b1c9d3e");
static const struct str refresh_client = STR("first-party");

/* A token in memory that stays, since each work takes the arena anew. */
struct kept {
    char text[REFRESH_TOKEN_BYTES_MAX + 1];
    char hash[65]; /* hex of what the row has */
    char sid_text[UUID_TEXT_BYTES + 1];
    struct uuid sid;
    int64_t generation;
};

static inline struct kept keep(struct str text)
{
    unsigned char memory[2048];
    struct kept kept = {.generation = 0};
    struct buf hex = buf_over(kept.hash, 64);
    struct refresh_token token;
    struct arena arena;

    arena_init(&arena, memory, sizeof(memory));
    assert_true(text.len <= REFRESH_TOKEN_BYTES_MAX);
    memcpy(kept.text, text.ptr, text.len);
    assert_int_equal(refresh_token_parse(account_keyring, &arena, text, refresh_client, &token),
                     OK);
    codec_hex(&hex, refresh_token_hash(&arena, &token));
    (void)account_uuid(kept.sid_text, token.sid);
    kept.sid = token.sid;
    kept.generation = token.generation;
    return kept;
}

static inline struct kept open_session_at(int64_t auth_ver)
{
    struct session_request in = {
        .sub = refresh_user,
        .auth_ver = auth_ver,
        .roles = STR_EMPTY,
        .client_id = refresh_client,
        .ip = STR_EMPTY,
        .user_agent = STR_EMPTY,
    };
    struct work work = account_work();
    struct session_grant grant;
    struct pg_tx tx;

    assert_int_equal(codec_uuid_parse(refresh_user, &in.user_id), OK);
    pg_tx_begin(&tx, work.pg);
    database_must(session_open(&account_sessions, &work, &tx, &in, &grant));
    database_must(pg_tx_commit(&tx));
    return keep(grant.refresh_token);
}

static inline struct kept open_session(void)
{
    return open_session_at(1);
}

static inline struct refresh_request request_of(const struct kept *token, struct str key)
{
    return (struct refresh_request){
        .token = str_from(token->text),
        .client_id = refresh_client,
        .idempotency_key = key,
    };
}

static inline enum error try_refresh(const struct kept *token, struct str key,
                                     struct session_grant *out)
{
    struct refresh_request request = request_of(token, key);
    struct work work = account_work();

    return refresh_rotate(&account_sessions, &work, &request, out);
}

/* The grant's texts stay until the next work. */
static inline struct kept refreshed(const struct kept *token, struct session_grant *out)
{
    database_must(try_refresh(token, STR_EMPTY, out));
    return keep(out->refresh_token);
}

static inline struct kept next_token_with(const struct kept *token, struct str key)
{
    struct session_grant grant;

    database_must(try_refresh(token, key, &grant));
    return keep(grant.refresh_token);
}

static inline struct kept next_token(const struct kept *token)
{
    return next_token_with(token, STR_EMPTY);
}

#define assert_refused(token, key)                                                                 \
    do {                                                                                           \
        struct session_grant grant_;                                                               \
        assert_int_equal(try_refresh((token), (key), &grant_), ERR_INVALID_REFRESH_TOKEN);         \
    } while (0)

static inline enum error end_by(const struct kept *token, bool *has_events)
{
    struct refresh_request request = request_of(token, STR_EMPTY);
    struct work work = account_work();
    enum error error = refresh_revoke(&account_sessions, &work, &request);

    *has_events = work.has_events;
    return error;
}

static inline int64_t events_of(const char *type)
{
    return account_number("SELECT count(*) FROM outbox WHERE type = '%s'", type);
}

/* The one session's row, with what tells that it was written to. */
static inline void row_text(char out[ROW_BYTES_MAX])
{
    static const struct pg_statement read = {
        .sql = "SELECT s.xmin || s.ctid::text || s FROM sessions s"};
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &read, &args, &rows));
    assert_int_equal(rows.count, 1);
    (void)snprintf(out, ROW_BYTES_MAX, "%.*s", STR_ARG(pg_text(&rows, 0, 0)));
}

#define assert_row(before)                                                                         \
    do {                                                                                           \
        char now_[ROW_BYTES_MAX];                                                                  \
        row_text(now_);                                                                            \
        assert_string_equal(now_, (before));                                                       \
    } while (0)

/* The next `count` updates of sessions find nothing to update. */
static inline void skip_updates(int count)
{
    database_do("CREATE TABLE IF NOT EXISTS skips (n integer NOT NULL);"
                "CREATE OR REPLACE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$"
                " BEGIN UPDATE skips SET n = n - 1 WHERE n > 0;"
                " IF FOUND THEN RETURN NULL; END IF; RETURN NEW; END $$;"
                "CREATE OR REPLACE TRIGGER skip BEFORE UPDATE ON sessions"
                " FOR EACH ROW EXECUTE FUNCTION skip()");
    account_do("TRUNCATE skips; INSERT INTO skips VALUES (%d)", count);
}

static inline void assert_counted(const char *result, int count)
{
    static char text[262144];
    struct buf out = buf_over(text, sizeof(text) - 1);
    char line[128];

    metrics_render(&out);
    text[out.len] = '\0';
    (void)snprintf(line, sizeof(line), "user_service_refreshes_total{result=\"%s\"} %d\n", result,
                   count);
    if (strstr(text, line) == NULL) {
        fail_msg("no %s in\n%s", line, text);
    }
}

static inline int refresh_start(void **state)
{
    (void)state;
    account_start();
    return 0;
}

static inline int refresh_stop(void **state)
{
    (void)state;
    account_stop();
    return 0;
}

static inline int refresh_afresh(void **state)
{
    (void)state;
    account_reset();
    account_sessions.grace_s = 60;
    account_do("INSERT INTO users (id, email, email_canonical, password_hash)"
               " VALUES ('%.*s', 'a@example.com', 'a@example.com', 'x')",
               STR_ARG(refresh_user));
    return 0;
}

#define REFRESH(name) cmocka_unit_test_setup(name, refresh_afresh)
