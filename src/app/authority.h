/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of floor auth one process runs with, each thing made once by the configuration and the secrets:
 * keys and tokens, passwords, sessions, accounts, clients and revocations.
 *
 * Ownership: all of it is the authority's; config, arena and database must stay until authority_free.
 * Threads: made and freed by the main thread; in between its parts may be used from any (see their own
 * headers).
 */
#pragma once

#include "account.h"
#include "rotation.h"
#include "validity.h"

struct authority {
    struct trust trust;
    struct signers *signers;
    struct rotation *rotation;
    struct tokens tokens;
    struct clients *clients;
    struct revocations *revocations;
    struct validity validity;
    struct passwords passwords;
    struct session_policy sessions;
    struct accounts accounts;
};

struct password_hash_cost authority_hash_cost(const struct config *config);
/* Reads the secrets. ERR_CONFIG with one sentence in `why` (arena). */
NODISCARD enum error authority_load(struct authority *self, const struct config *config,
                                    const struct pg_options *database, struct arena *arena,
                                    const char **why);
void authority_free(struct authority *self);
