/* SPDX-License-Identifier: Apache-2.0 */
/* What happens to an account, step by step, each on a work of its own. */
#pragma once

#include "support/accounts.h"

#include "onetime.h"

static const struct str good_password = STR("correct horse battery staple");
static const struct str other_password = STR("another password of mine");

static const struct account_origin origin = {
    .client_id = {"first-party", 11},
    .ip = {"192.0.2.7", 9},
    .user_agent = {"test/1", 6},
    .request_id = {"r-1", 3},
};

/* In static memory, since each work takes the arena anew. */
static inline struct email address(const char *text)
{
    static unsigned char memory[2][2048];
    static struct arena arenas[2];
    static size_t at;
    struct arena *arena = &arenas[at % 2];
    struct email email;
    const char *why = "";

    arena_init(arena, memory[at++ % 2], sizeof(memory[0]));
    if (email_parse(arena, str_from(text), &email, &why) != OK) {
        fail_msg("%s: %s", text, why);
    }
    return email;
}

static inline enum error try_register(const char *email, struct str password, struct work *work)
{
    const struct account_registration in = {
        .email = address(email),
        .password = password,
        .name = STR("Ada"),
        .locale = STR("de-AT"),
    };

    return account_register(&account_service, work, &in);
}

/* The id of the newest attempt. */
static inline struct uuid newest_attempt(void)
{
    static const struct pg_statement newest = {
        .sql = "SELECT id FROM registrations ORDER BY expires_at DESC LIMIT 1"};
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    database_must(pg_query(database(), &newest, &args, &rows));
    assert_int_equal(rows.count, 1);
    return pg_uuid(&rows, 0, 0);
}

static inline struct uuid start_registration(const char *email, struct str password)
{
    struct work work = account_work();

    database_must(try_register(email, password, &work));
    return newest_attempt();
}

/* The token of the mail, in static memory. */
static inline struct str token_of(enum onetime_purpose purpose, struct uuid id)
{
    static char text[ONETIME_TOKEN_BYTES_MAX];
    struct buf out = buf_over(text, sizeof(text));

    assert_int_equal(onetime_token(account_keyring, STR("k1"), purpose, id, &out), OK);
    return buf_str(&out);
}

static inline enum error try_confirm(struct str token, struct str password,
                                     struct session_grant *out)
{
    const struct account_confirmation in = {token, password, origin};
    struct work work = account_work();

    return account_confirm(&account_service, &work, &in, out);
}

static inline enum error confirm(struct str token, struct str password)
{
    struct session_grant grant;

    return try_confirm(token, password, &grant);
}

static inline enum error try_login(const char *email, struct str password,
                                   struct session_grant *out)
{
    const struct account_login in = {address(email), password, origin};
    struct work work = account_work();

    return account_login(&account_service, &work, &in, out);
}

static inline enum error login(const char *email, struct str password)
{
    struct session_grant grant;

    return try_login(email, password, &grant);
}

/* An account of its own, by the front door. */
static inline void make_account(const char *email, struct str password)
{
    struct uuid id = start_registration(email, password);

    database_must(confirm(token_of(ONETIME_REGISTRATION, id), password));
}

static inline enum error try_create(const char *email, struct user_profile *out)
{
    const struct account_registration in = {
        .email = address(email),
        .password = good_password,
        .name = STR_EMPTY,
        .locale = STR_EMPTY,
    };
    struct work work = account_work();

    return account_create(&account_service, &work, &in, out);
}

static inline int journey_start(void **state)
{
    (void)state;
    account_start();
    return 0;
}

static inline int journey_stop(void **state)
{
    (void)state;
    account_stop();
    return 0;
}

static inline int journey_afresh(void **state)
{
    (void)state;
    account_reset();
    return 0;
}

#define JOURNEY(name) cmocka_unit_test_setup(name, journey_afresh)
