/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a worker has: a database with the schema, keys, and the services of floor auth over them.
 */
#pragma once

#include "support/auth.h"
#include "support/database.h"

#include <inttypes.h>

#include "account.h"

static struct keyring *account_keyring;
static struct signing_key *account_key;
static struct signers *account_signers;
static struct tokens account_tokens;
static struct passwords account_passwords;
static struct password_hasher *account_hasher;
static struct revocations *account_revocations;
static struct session_policy account_sessions;
static struct accounts account_service;

static inline void account_start(void)
{
    database_start();
    json_in_start();
    account_keyring = auth_keyring("{\"current\":\"k1\",\"keys\":{" AUTH_K1 "}}");
    account_key = signing_key_generate();
    account_signers = signers_new_of(account_key);
    account_tokens = (struct tokens){
        .issuer = STR("https://user.example.com"),
        .audiences = {STR("shop")},
        .audience_count = 1,
        .typ = STR("at+jwt"),
        .ttl_s = 300,
        .signers = account_signers,
    };
    account_passwords = auth_passwords(account_keyring);
    account_hasher = password_hasher_new(auth_cheap());
    account_revocations = revocation_new(1000);
    account_sessions = (struct session_policy){
        .keyring = account_keyring,
        .tokens = &account_tokens,
        .published = UINT32_MAX,
        .idle_ttl_s = 3600,
        .absolute_ttl_s = 86400,
        .revocations = account_revocations,
        .revocation_ttl_s = 600,
    };
    account_service = (struct accounts){
        .keyring = account_keyring,
        .passwords = &account_passwords,
        .sessions = &account_sessions,
        .published = UINT32_MAX,
        .verification_required = true,
        .registration_ttl_s = 3600,
    };
}

static inline void account_stop(void)
{
    password_hasher_free(account_hasher);
    revocation_free(account_revocations);
    signers_free(account_signers);
    keyring_free(account_keyring);
    database_stop();
}

/* Every table empty, every setting as account_start left it. */
static inline void account_reset(void)
{
    database_do("TRUNCATE users, registrations, one_time_tokens, sessions, mail_requests, outbox,"
                " revocations, throttle, known_networks, mail_counts, totp_factors,"
                " recovery_codes, mfa_logins");
    account_service.verification_required = true;
    account_service.published = UINT32_MAX;
    account_sessions.published = UINT32_MAX;
}

/* The main thread's work; what was in its arena is gone. */
static inline struct work account_work(void)
{
    return (struct work){
        .pg = database(),
        .hasher = account_hasher,
        .arena = auth_fresh_arena(),
    };
}

/* A number by a statement that is written like printf. */
static inline int64_t PRINTF_LIKE(1, 2) account_number(const char *format, ...)
{
    char sql[1024];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(sql, sizeof(sql), format, values);
    va_end(values);
    return database_number(sql);
}

static inline void PRINTF_LIKE(1, 2) account_do(const char *format, ...)
{
    char sql[1024];
    va_list values;

    va_start(values, format);
    (void)vsnprintf(sql, sizeof(sql), format, values);
    va_end(values);
    database_do(sql);
}

/* In the caller's memory. */
static inline const char *account_uuid(char text[UUID_TEXT_BYTES + 1], struct uuid id)
{
    struct buf out = buf_over(text, UUID_TEXT_BYTES);

    codec_uuid(&out, id);
    text[UUID_TEXT_BYTES] = '\0';
    return text;
}
