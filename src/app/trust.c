/* SPDX-License-Identifier: Apache-2.0 */
#include "trust.h"

#include <stddef.h>
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
    enum error error =
        json_in_elements(arena, json, "keys", elements, TRUST_SIGNING_KEYS_MAX, &count);

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

struct part {
    const char *name;
    const char *variable;
    size_t reference; /* offset in struct config */
    enum error (*load)(struct arena *arena, struct str json, struct trust *out,
                       const char **reason);
};

static const struct part parts[TRUST_PART_COUNT] = {
    [TRUST_JWT] = {"jwt", "US_JWT_SECRET", offsetof(struct config, jwt_secret), load_keys},
    [TRUST_KEYRING] = {"keyring", "US_KEYRING_SECRET", offsetof(struct config, keyring_secret),
                       load_keyring},
    [TRUST_WEBHOOK] = {"webhook", "US_WEBHOOK_SECRET", offsetof(struct config, webhook_secret),
                       load_webhook},
};

const char *trust_part_name(enum trust_part part)
{
    return parts[part].name;
}

enum error trust_read(const struct config *config, enum trust_part part, struct arena *arena,
                      struct str *json, const char **why)
{
    const struct str *reference =
        (const struct str *)((const char *)config + parts[part].reference);
    const char *reason = "";

    return secret_read(arena, *reference, json, &reason) == OK
               ? OK
               : refuse(arena, parts[part].variable, reason, why);
}

enum error trust_parse(enum trust_part part, struct arena *arena, struct str json,
                       struct trust *out, const char **why)
{
    const char *reason = "";

    return parts[part].load(arena, json, out, &reason) == OK
               ? OK
               : refuse(arena, parts[part].variable, reason, why);
}

enum error trust_load(const struct config *config, struct arena *arena, struct trust *out,
                      const char **why)
{
    for (unsigned part = 0; part < TRUST_PART_COUNT; part++) {
        struct str json;

        TRY(trust_read(config, (enum trust_part)part, arena, &json, why));
        TRY(trust_parse((enum trust_part)part, arena, json, out, why));
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
