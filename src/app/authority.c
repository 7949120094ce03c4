/* SPDX-License-Identifier: Apache-2.0 */
#include "authority.h"

#include <stdlib.h>

#include "password_policy.h"
#include "token_cache.h"

enum {
    TRUST_ARENA_BYTES = 512 * 1024,
    REGISTRATION_TTL_S = 86400,
};

struct password_hash_cost authority_hash_cost(const struct config *config)
{
    return (struct password_hash_cost){
        .memory_kib = (uint32_t)config->argon2_memory_kib,
        .passes = (uint32_t)config->argon2_passes,
    };
}

/* The secrets' text is read into memory of its own, and wiped with it as soon as it was parsed. */
static enum error load_trust(struct trust *trust, const struct config *config, struct arena *kept,
                             const char **why)
{
    void *memory = malloc(TRUST_ARENA_BYTES);
    struct arena arena;
    enum error error;

    if (memory == NULL) {
        *why = "out of memory";
        return ERR_CONFIG;
    }
    arena_init(&arena, memory, TRUST_ARENA_BYTES);
    error = trust_load(config, &arena, trust, why);
    if (error != OK) {
        *why = arena_terminated(kept, str_from(*why));
    }
    arena_reset(&arena);
    free(memory);
    return error;
}

static void make_tokens(struct authority *self, const struct config *config,
                        const struct pg_options *database)
{
    struct rotation_options rotation = {config, database, signers_new()};

    self->signers = rotation.signers;
    self->rotation = rotation_new(&rotation, &self->trust);
    self->tokens = (struct tokens){
        .issuer = config->public_url,
        .audience_count = config->audience.count,
        .typ = config->token_typ,
        .ttl_s = config->access_token_ttl_s,
        .signers = self->signers,
        .cache = token_cache_new(TOKEN_CACHE_SLOTS),
    };
    for (size_t i = 0; i < config->audience.count; i++) {
        self->tokens.audiences[i] = config->audience.items[i];
    }
}

static void make_validity(struct authority *self, const struct config *config)
{
    self->clients = clients_new();
    self->revocations = revocation_new(config->revocation_stale_max_s * 1000);
    revocation_register_metrics(self->revocations);
    self->validity = (struct validity){
        .revocations = self->revocations,
        .clients = self->clients,
        .revocation_ttl_s = CONFIG_REVOCATION_TTL_S,
    };
}

/* What everybody would put into a password of this service. */
static void name_service(struct passwords *self, const struct config *config, struct arena *arena)
{
    static const struct str always[] = {{"mallhive", 8}, {"user-service", 12}, {"userservice", 11}};

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        password_policy_word(self, arena, always[i]);
    }
    for (size_t i = 0; i < config->audience.count; i++) {
        password_policy_word(self, arena, config->audience.items[i]);
    }
    password_policy_url(self, arena, config->public_url);
}

static void make_accounts(struct authority *self, const struct config *config, struct arena *arena)
{
    self->passwords = (struct passwords){
        .keyring = self->trust.keyring,
        .codepoints_min = (unsigned)config->password_min_length,
        .peppered = config->password_pepper,
    };
    password_init(&self->passwords, authority_hash_cost(config));
    name_service(&self->passwords, config, arena);
    self->sessions = (struct session_policy){
        .keyring = self->trust.keyring,
        .tokens = &self->tokens,
        .published = config->events,
        .idle_ttl_s = config->refresh_idle_ttl_s,
        .absolute_ttl_s = config->refresh_absolute_ttl_s,
        .grace_s = config->refresh_grace_s,
        .revocations = self->revocations,
        .revocation_ttl_s = CONFIG_REVOCATION_TTL_S,
    };
    self->accounts = (struct accounts){
        .keyring = self->trust.keyring,
        .passwords = &self->passwords,
        .sessions = &self->sessions,
        .published = config->events,
        .verification_required = config->verification_required,
        .registration_ttl_s = REGISTRATION_TTL_S,
    };
}

enum error authority_load(struct authority *self, const struct config *config,
                          const struct pg_options *database, struct arena *arena, const char **why)
{
    TRY(load_trust(&self->trust, config, arena, why));
    make_tokens(self, config, database);
    make_validity(self, config);
    make_accounts(self, config, arena);
    return OK;
}

void authority_free(struct authority *self)
{
    token_cache_free(self->tokens.cache);
    clients_free(self->clients);
    revocation_free(self->revocations);
    rotation_free(self->rotation);
    signers_free(self->signers);
    trust_free(&self->trust);
}
