/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "json_in.h"

struct keyring_entry {
    char kid[KEYRING_KID_BYTES_MAX + 1];
    struct crypto_key keys[KEYRING_PURPOSE_COUNT];
};

/* What readers may change. */
struct keyring_misses {
    struct keyring_watch watch;
    atomic_bool any;
};

struct keyring {
    struct keyring_entry entries[KEYRING_SLOTS_MAX];
    atomic_size_t count; /* an entry is complete before it is counted */
    atomic_size_t current;
    struct keyring_misses *misses;
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
        [KEYRING_CURSOR] = {"cursor", 6}, [KEYRING_THROTTLE] = {"throttle", 8},
        [KEYRING_TOTP] = {"totp", 4},
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

static size_t count_of(const struct keyring *self)
{
    return atomic_load_explicit(&self->count, memory_order_acquire);
}

static const struct keyring_entry *find(const struct keyring *self, struct str kid)
{
    size_t count = count_of(self);

    for (size_t i = 0; i < count; i++) {
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
                "32 bytes>\"}} with 1 to 32 keys"),
            why);
    }
    for (size_t i = 0; i < count; i++) {
        TRY(load_entry(arena, &pairs[i], &keyring->entries[i], why));
        atomic_store(&keyring->count, i + 1);
    }
    current = find(keyring, secret.current);
    if (current == NULL) {
        return refuse(
            arena,
            arena_printf(arena, "keyring: \"current\" names \"%.*s\", which is not among its keys",
                         STR_ARG(secret.current)),
            why);
    }
    atomic_store(&keyring->current, (size_t)(current - keyring->entries));
    return OK;
}

enum error keyring_load(struct arena *arena, struct str json, struct keyring **out,
                        const char **why)
{
    struct keyring *keyring = calloc(1, sizeof(*keyring));
    enum error error;

    if (keyring != NULL) {
        keyring->misses = calloc(1, sizeof(*keyring->misses));
    }
    if (keyring == NULL || keyring->misses == NULL) {
        keyring_free(keyring);
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
    free(self->misses);
    crypto_wipe(self, sizeof(*self));
    free(self);
}

const char *keyring_current(const struct keyring *self)
{
    return self->entries[atomic_load_explicit(&self->current, memory_order_acquire)].kid;
}

/* Only what could be an id of the secret is worth a look at it. */
static void note_missed(const struct keyring *self, struct str kid)
{
    struct keyring_misses *misses = self->misses;

    if (misses->watch.missed != NULL && is_kid(kid) && !atomic_load(&misses->any) &&
        !atomic_exchange(&misses->any, true)) {
        misses->watch.missed(misses->watch.context);
    }
}

const struct crypto_key *keyring_key(const struct keyring *self, struct str kid,
                                     enum keyring_purpose purpose)
{
    const struct keyring_entry *entry = find(self, kid);

    if (entry == NULL) {
        note_missed(self, kid);
        return NULL;
    }
    return &entry->keys[purpose];
}

bool keyring_has(const struct keyring *self, struct str kid)
{
    return find(self, kid) != NULL;
}

const char *keyring_kid(const struct keyring *self, size_t index)
{
    return index < count_of(self) ? self->entries[index].kid : NULL;
}

static bool is_same(const struct keyring_entry *entry, const struct keyring_entry *other)
{
    return crypto_equal(entry->keys, other->keys, sizeof(entry->keys));
}

static enum error check_merge(const struct keyring *self, const struct keyring *fresh,
                              const char **kid)
{
    size_t slots = KEYRING_SLOTS_MAX - count_of(self);

    for (size_t i = 0; i < count_of(fresh); i++) {
        const struct keyring_entry *entry = &fresh->entries[i];
        const struct keyring_entry *known = find(self, str_from(entry->kid));

        if ((known != NULL && !is_same(known, entry)) || (known == NULL && slots == 0)) {
            *kid = entry->kid;
            return known != NULL ? ERR_CONFLICT : ERR_NO_SPACE;
        }
        slots -= known == NULL ? 1 : 0;
    }
    return OK;
}

enum error keyring_merge(struct keyring *self, const struct keyring *fresh, const char **kid)
{
    TRY(check_merge(self, fresh, kid));
    for (size_t i = 0; i < count_of(fresh); i++) {
        const struct keyring_entry *entry = &fresh->entries[i];
        size_t count = count_of(self);

        if (find(self, str_from(entry->kid)) == NULL) {
            self->entries[count] = *entry;
            atomic_store_explicit(&self->count, count + 1, memory_order_release);
        }
    }
    return OK;
}

void keyring_use(struct keyring *self, struct str kid)
{
    const struct keyring_entry *entry = find(self, kid);

    assert(entry != NULL);
    atomic_store_explicit(&self->current, (size_t)(entry - self->entries), memory_order_release);
}

void keyring_set_watch(struct keyring *self, struct keyring_watch watch)
{
    self->misses->watch = watch;
}

bool keyring_has_missed(const struct keyring *self)
{
    return atomic_load(&self->misses->any);
}

void keyring_forget_missed(struct keyring *self)
{
    atomic_store(&self->misses->any, false);
}
