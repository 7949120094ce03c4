/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <stdlib.h>
#include <string.h>

#include "json_in.h"

struct keyring_entry {
    char kid[KEYRING_KID_BYTES_MAX + 1];
    struct crypto_key keys[KEYRING_PURPOSE_COUNT];
};

struct keyring {
    struct keyring_entry entries[KEYRING_KEYS_MAX];
    size_t count;
    size_t current;
};

struct keyring_secret {
    struct str current;
};

static const struct json_field keyring_fields[] = {
    JSON_TEXT(struct keyring_secret, current, 1, KEYRING_KID_BYTES_MAX, JSON_REQUIRED),
};

static struct str purpose_label(enum keyring_purpose purpose)
{
    static const struct str labels[KEYRING_PURPOSE_COUNT] = {
        [KEYRING_PEPPER] = {"pepper", 6}, [KEYRING_REFRESH] = {"refresh", 7},
        [KEYRING_CHAIN] = {"chain", 5},   [KEYRING_ONE_TIME] = {"one-time", 8},
        [KEYRING_CURSOR] = {"cursor", 6},
    };
    return labels[purpose];
}

/* A key id stands between dots in tokens, so its alphabet is narrow. */
static bool is_kid(struct str kid)
{
    if (kid.len == 0 || kid.len > KEYRING_KID_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < kid.len; i++) {
        char c = kid.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_') {
            return false;
        }
    }
    return true;
}

static enum error refuse(struct arena *arena, struct str sentence, const char **why)
{
    *why = arena_terminated(arena, sentence);
    if (*why == NULL) {
        *why = "the keyring is too large";
    }
    return ERR_CONFIG;
}

static void derive(struct keyring_entry *entry, const struct crypto_key *root)
{
    for (size_t purpose = 0; purpose < KEYRING_PURPOSE_COUNT; purpose++) {
        entry->keys[purpose] = crypto_hkdf(root, purpose_label((enum keyring_purpose)purpose));
    }
}

static enum error load_entry(struct arena *arena, const struct json_pair *pair,
                             struct keyring_entry *entry, const char **why)
{
    struct str bytes;
    struct crypto_key root;

    if (!is_kid(pair->name)) {
        return refuse(arena,
                      arena_printf(arena,
                                   "keyring: the key id \"%.*s\" is not 1 to 16 letters, digits, "
                                   "'-' or '_'",
                                   STR_ARG(pair->name)),
                      why);
    }
    if (codec_base64_decode(arena, pair->value, &bytes) != OK || bytes.len != CRYPTO_KEY_BYTES) {
        return refuse(arena,
                      arena_printf(arena,
                                   "keyring: the key \"%.*s\" is not the base64 form of 32 bytes",
                                   STR_ARG(pair->name)),
                      why);
    }
    memcpy(root.bytes, bytes.ptr, CRYPTO_KEY_BYTES);
    memcpy(entry->kid, pair->name.ptr, pair->name.len);
    derive(entry, &root);
    crypto_wipe(&root, sizeof(root));
    return OK;
}

static const struct keyring_entry *find(const struct keyring *self, struct str kid)
{
    for (size_t i = 0; i < self->count; i++) {
        if (str_equal(str_from(self->entries[i].kid), kid)) {
            return &self->entries[i];
        }
    }
    return NULL;
}

static enum error load(struct arena *arena, struct str json, struct keyring *keyring,
                       const char **why)
{
    struct keyring_secret secret = {0};
    struct json_findings findings = {0};
    struct json_pair pairs[KEYRING_KEYS_MAX];
    size_t count = 0;
    const struct keyring_entry *current;

    if (json_in_decode_lenient(arena, json, keyring_fields, 1, &secret, &findings) != OK ||
        json_in_text_map(arena, json, "keys", pairs, KEYRING_KEYS_MAX, &count) != OK ||
        count == 0) {
        return refuse(
            arena,
            STR("keyring: not of the form {\"current\":\"k1\",\"keys\":{\"k1\":\"<base64 of "
                "32 bytes>\"}} with 1 to 8 keys"),
            why);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(load_entry(arena, &pairs[i], &keyring->entries[i], why));
        keyring->count = i + 1;
    }
    current = find(keyring, secret.current);
    if (current == NULL) {
        return refuse(
            arena,
            arena_printf(arena, "keyring: \"current\" names \"%.*s\", which is not among its keys",
                         STR_ARG(secret.current)),
            why);
    }
    keyring->current = (size_t)(current - keyring->entries);
    return OK;
}

enum error keyring_load(struct arena *arena, struct str json, struct keyring **out,
                        const char **why)
{
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    enum error error;

    if (keyring == NULL) {
        *why = "keyring: out of memory";
        return ERR_CONFIG;
    }
    error = load(arena, json, keyring, why);
    if (error != OK) {
        keyring_free(keyring);
        return error;
    }
    *out = keyring;
    return OK;
}

void keyring_free(struct keyring *self)
{
    if (self == NULL) {
        return;
    }
    crypto_wipe(self, sizeof(*self));
    free(self);
}

const char *keyring_current(const struct keyring *self)
{
    return self->entries[self->current].kid;
}

const struct crypto_key *keyring_key(const struct keyring *self, struct str kid,
                                     enum keyring_purpose purpose)
{
    const struct keyring_entry *entry = find(self, kid);

    return entry == NULL ? NULL : &entry->keys[purpose];
}
