/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and secrets that change while the service runs: a thread that reads the three secrets again
 * every US_SECRETS_REFRESH, applies what has changed, and holds signing keys and keyring to their tables.
 * What is wrong in a secret changes nothing and is logged once.
 *
 * Ownership: takes the signing keys out of `trust`; all else of the options must stay until rotation_free.
 * Threads: the main thread, but for rotation_keys_changed. Errors: logged; they never end the thread.
 */
#pragma once

#include <signal.h>

#include "pg.h"
#include "relay.h"
#include "signers.h"
#include "trust.h"

struct rotation_options {
    const struct config *config;
    const struct pg_options *database;
    struct signers *signers;
};

struct rotation;

/* The signers have the secret's keys from here on. */
struct rotation *rotation_new(const struct rotation_options *options, struct trust *trust);
/* After the migration: the tables' part in what is in force, however long the database is away.
 * ERR_CONFIG with one sentence in `why` (static) when the keyring lacks a key in use; ERR_UNAVAILABLE
 * when a signal to stop came first. */
NODISCARD enum error rotation_begin(struct rotation *self, const sigset_t *waited,
                                    const char **why);
/* The thread; the relay gets new webhook secrets, and must stay until rotation_stop. */
void rotation_start(struct rotation *self, struct relay *relay);
/* Table signing_keys has changed. Does not wait; from any thread. */
void rotation_keys_changed(struct rotation *self);
void rotation_stop(struct rotation *self); /* one that was not started, or NULL, is fine */
void rotation_free(struct rotation *self);
void rotation_register_metrics(void);
/* How long others may keep the JWKS: half of the delay, so that a new key is known before its use. */
int64_t rotation_document_max_age_s(const struct config *config);
