/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration: environment variables, declared in one table (config.c). The only file that
 * reads the environment.
 *
 * Ownership: texts point into the environment or into the table; both stay. Threads: loaded on the main
 * thread before others start, read-only from then on.
 */
#pragma once

#include "arena.h"
#include "event.h"
#include "log.h"
#include "network.h"

/* The longest issuer and audiences leave room for the rest of a token (TOKEN_BYTES_MAX). */
enum { CONFIG_AUDIENCES_MAX = 8, CONFIG_NAME_BYTES_MAX = 64, CONFIG_URL_BYTES_MAX = 512 };
/* No service gives access tokens that live longer. */
/* A revocation is kept until no token that it speaks of can be alive, whichever lifetime the replica that
 * issued it has been configured with, and however far apart the clocks are. */
enum {
    CONFIG_ACCESS_TOKEN_TTL_S_MAX = 3600,
    CONFIG_REVOCATION_TTL_S = CONFIG_ACCESS_TOKEN_TTL_S_MAX + 300,
};

struct config_list {
    struct str items[CONFIG_AUDIENCES_MAX];
    size_t count;
};

struct config {
    struct str http_listen;
    struct str ops_listen;
    struct str public_url;  /* the issuer; no slash at its end */
    struct str link_verify; /* empty: the built-in page */
    struct str link_reset;  /* likewise */
    bool pages;
    bool docs;
    struct config_list audience;
    struct str token_typ;
    struct network_list trusted_proxies;
    struct config_list cors_origins;
    struct str database_url;
    struct str jwt_secret;
    struct str keyring_secret;
    struct str webhook_secret;
    int64_t secrets_refresh_s;
    int64_t key_delay_s;
    struct str notification_url;
    event_set events;
    bool verification_required;
    int64_t access_token_ttl_s;
    int64_t refresh_idle_ttl_s;
    int64_t refresh_absolute_ttl_s;
    int64_t refresh_grace_s;
    int64_t revocation_stale_max_s;
    int64_t audit_retention_s;
    uint64_t password_min_length;
    uint64_t argon2_memory_kib;
    uint64_t argon2_passes;
    bool password_pepper;
    uint64_t hash_threads; /* 0: by the CPU quota */
    uint64_t db_threads;
    uint64_t io_threads; /* 0: by the CPU quota */
    enum log_level log_level;
};

/* What is wrong, one line a variable, in `problems`; ERR_CONFIG if anything is. Variables beginning
 * with US_ that nobody knows are named in `unknown`, one line each. */
NODISCARD enum error config_load(struct config *out, struct buf *problems, struct buf *unknown);
/* For what is not the service: required variables may be missing, and then read as empty. */
NODISCARD enum error config_load_present(struct config *out, struct buf *problems,
                                         struct buf *unknown);
/* NAME=value lines of what is in force; secrets hidden. */
void config_print(struct buf *out);
/* The table with the values in force, as JSON. */
void config_describe(struct buf *out);
