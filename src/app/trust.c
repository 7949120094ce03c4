/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <string.h>

#include "json_in.h"
#include "secrets.h"

static enum error refuse(struct arena *arena, const char *variable, const char *reason,
                         const char **why)
{
    const char *sentence = arena_terminated(arena, arena_printf(arena, "%s: %s", variable, reason));

    *why = sentence == NULL ? variable : sentence;
    return ERR_CONFIG;
}

/* Whether the kid of key `last` is that of one before it. */
static bool is_known(const struct trust *trust, size_t last)
{
    for (size_t i = 0; i < last; i++) {
        if (strcmp(signing_key_kid(trust->keys[i]), signing_key_kid(trust->keys[last])) == 0) {
            return true;
        }
    }
    return false;
}

/* A JWK set (RFC 7517 section 5), or a single JWK. */
static enum error load_keys(struct arena *arena, struct str json, struct trust *out,
                            const char **reason)
{
    struct str elements[TRUST_SIGNING_KEYS_MAX];
    size_t count = 0;
    enum error error = json_in_elements(arena, json, "keys", elements, TRUST_SIGNING_KEYS_MAX, &count);

    if (error == ERR_NOT_FOUND) {
        elements[0] = json;
        count = 1;
        error = OK;
    }
    if (error != OK || count == 0) {
        *reason = "not a JWK or a JWK set of 1 to 4 keys in JSON";
        return ERR_CONFIG;
    }
    for (size_t i = 0; i < count; i++) {
        if (signing_key_load(elements[i], &out->keys[i], reason) != OK) {
            return ERR_CONFIG;
        }
        out->key_count = i + 1;
        if (is_known(out, i)) {
            *reason = "two keys of the set have the same kid; a kid names one key";
            return ERR_CONFIG;
        }
    }
    return OK;
}

static enum error load_keyring(struct arena *arena, struct str json, struct trust *out,
                               const char **reason)
{
    return keyring_load(arena, json, &out->keyring, reason);
}

static enum error load_webhook(struct arena *arena, struct str json, struct trust *out,
                               const char **reason)
{
    return webhook_secrets_parse(arena, json, &out->webhook, reason);
}

struct trust_part {
    const char *variable;
    struct str reference;
    enum error (*load)(struct arena *arena, struct str json, struct trust *out,
                       const char **reason);
};

static enum error load_part(const struct trust_part *part, struct arena *arena, struct trust *out,
                            const char **why)
{
    const char *reason = "";
    struct str json;

    if (secret_read(arena, part->reference, &json, &reason) != OK ||
        part->load(arena, json, out, &reason) != OK) {
        return refuse(arena, part->variable, reason, why);
    }
    return OK;
}

enum error trust_load(const struct config *config, struct arena *arena, struct trust *out,
                      const char **why)
{
    const struct trust_part parts[] = {
        {"US_JWT_SECRET", config->jwt_secret, load_keys},
        {"US_KEYRING_SECRET", config->keyring_secret, load_keyring},
        {"US_WEBHOOK_SECRET", config->webhook_secret, load_webhook},
    };

    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        TRY(load_part(&parts[i], arena, out, why));
    }
    return OK;
}

void trust_free(struct trust *self)
{
    for (size_t i = 0; i < self->key_count; i++) {
        signing_key_free(self->keys[i]);
    }
    keyring_free(self->keyring);
    webhook_secrets_wipe(&self->webhook);
    *self = (struct trust){0};
}
