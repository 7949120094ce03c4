/* SPDX-License-Identifier: Apache-2.0 */
#include "token_cache.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"

enum {
    WAYS = 4,
    AUDIENCES_MAX = 8,
    FIXED_TEXTS = 5, /* sub, client_id, jti, roles, scope */
    TEXTS_MAX = FIXED_TEXTS + AUDIENCES_MAX,
};

/* Readers count themselves in `lock`; one writer at most, and only where no reader is. */
static const uint32_t writing = UINT32_C(1) << 31;

/* What a slot holds beside the texts, which follow one another in the order of `bytes`. */
struct slot_head {
    struct token_cache_key key;
    int64_t exp_s;
    int64_t iat_s;
    int64_t auth_time_s;
    int64_t auth_ver;
    struct uuid sid;
    bool is_client;
    uint8_t audience_count;
    uint16_t bytes[TEXTS_MAX];
};

struct slot {
    _Atomic uint32_t lock;
    _Atomic uint64_t tag; /* of the digest, to pass by what is not it; 0: empty */
    _Atomic int64_t used_ms;
    struct slot_head head;
    char texts[TOKEN_CACHE_SLOT_BYTES - 24 - sizeof(struct slot_head)];
};

_Static_assert(sizeof(struct slot) == TOKEN_CACHE_SLOT_BYTES, "four of them are a page");

struct token_cache {
    struct slot *slots;
    size_t count;
};

struct token_cache *token_cache_new(size_t slots)
{
    struct token_cache *self = calloc(1, sizeof(*self));
    size_t bytes = slots * sizeof(struct slot);
    void *memory;

    assert(slots >= WAYS && (slots & (slots - 1)) == 0);
    memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1, 0);
    if (self == NULL || memory == MAP_FAILED) {
        free(self);
        return NULL;
    }
    (void)madvise(memory, bytes, MADV_NOHUGEPAGE); /* or the first entry touches 2 MiB */
    self->slots = memory;
    self->count = slots;
    return self;
}

void token_cache_free(struct token_cache *self)
{
    if (self != NULL) {
        munmap(self->slots, self->count * sizeof(struct slot));
        free(self);
    }
}

struct token_cache_key token_cache_key_of(struct str token, uint64_t generation)
{
    return (struct token_cache_key){.digest = crypto_sha256(token), .generation = generation};
}

static uint64_t word_of(const struct token_cache_key *key, size_t at)
{
    uint64_t word;

    memcpy(&word, key->digest.bytes + at, sizeof(word));
    return word;
}

static uint64_t tag_of(const struct token_cache_key *key)
{
    return word_of(key, 0) | 1;
}

static struct slot *ways_of(const struct token_cache *self, const struct token_cache_key *key)
{
    return &self->slots[word_of(key, 8) & (self->count - 1) & ~(uint64_t)(WAYS - 1)];
}

static bool begin_reading(struct slot *slot)
{
    uint32_t seen = atomic_fetch_add_explicit(&slot->lock, 1, memory_order_acquire);

    if ((seen & writing) == 0) {
        return true;
    }
    atomic_fetch_sub_explicit(&slot->lock, 1, memory_order_relaxed);
    return false;
}

static void end_reading(struct slot *slot)
{
    atomic_fetch_sub_explicit(&slot->lock, 1, memory_order_release);
}

static bool begin_writing(struct slot *slot)
{
    uint32_t nobody = 0;

    return atomic_compare_exchange_strong_explicit(&slot->lock, &nobody, writing,
                                                   memory_order_acquire, memory_order_relaxed);
}

static void end_writing(struct slot *slot)
{
    atomic_fetch_sub_explicit(&slot->lock, writing, memory_order_release);
}

static bool is_of(const struct slot *slot, const struct token_cache_key *key)
{
    const struct slot_head *head = &slot->head;

    return crypto_equal(&head->key.digest, &key->digest, sizeof(key->digest)) &&
           head->key.generation == key->generation && head->exp_s > clock_wall_s();
}

static size_t texts_bytes(const struct slot_head *head)
{
    size_t bytes = 0;

    for (size_t i = 0; i < FIXED_TEXTS + (size_t)head->audience_count; i++) {
        bytes += head->bytes[i];
    }
    return bytes;
}

static struct str take(const char **text, size_t bytes)
{
    struct str out = {*text, bytes};

    *text += bytes;
    return out;
}

static bool read_slot(const struct slot *slot, struct arena *arena, struct token_claims *out)
{
    const struct slot_head *head = &slot->head;
    struct str texts = arena_copy(arena, (struct str){slot->texts, texts_bytes(head)});
    const char *text = texts.ptr;

    if (arena_overflowed(arena)) {
        return false;
    }
    *out = (struct token_claims){
        .sub = take(&text, head->bytes[0]),
        .client_id = take(&text, head->bytes[1]),
        .jti = take(&text, head->bytes[2]),
        .roles = take(&text, head->bytes[3]),
        .scope = take(&text, head->bytes[4]),
        .is_client = head->is_client,
        .sid = head->sid,
        .auth_ver = head->auth_ver,
        .auth_time_s = head->auth_time_s,
        .iat_s = head->iat_s,
        .exp_s = head->exp_s,
    };
    for (size_t i = 0; i < head->audience_count; i++) {
        out->aud.items[out->aud.count++] = take(&text, head->bytes[FIXED_TEXTS + i]);
    }
    return true;
}

bool token_cache_find(struct token_cache *self, struct arena *arena,
                      const struct token_cache_key *key, struct token_claims *out)
{
    struct slot *ways = ways_of(self, key);
    bool found = false;

    for (size_t i = 0; i < WAYS && !found; i++) {
        struct slot *slot = &ways[i];

        if (atomic_load_explicit(&slot->tag, memory_order_relaxed) != tag_of(key) ||
            !begin_reading(slot)) {
            continue;
        }
        found = is_of(slot, key) && read_slot(slot, arena, out);
        end_reading(slot);
        if (found) {
            atomic_store_explicit(&slot->used_ms, clock_mono_ms(), memory_order_relaxed);
        }
    }
    return found;
}

static bool fill_head(struct slot_head *head, const struct token_cache_key *key,
                      const struct token_claims *claims, const struct str texts[TEXTS_MAX])
{
    *head = (struct slot_head){
        .key = *key,
        .exp_s = claims->exp_s,
        .iat_s = claims->iat_s,
        .auth_time_s = claims->auth_time_s,
        .auth_ver = claims->auth_ver,
        .sid = claims->sid,
        .is_client = claims->is_client,
        .audience_count = (uint8_t)claims->aud.count,
    };
    for (size_t i = 0; i < FIXED_TEXTS + claims->aud.count; i++) {
        if (texts[i].len > sizeof(((struct slot *)NULL)->texts)) {
            return false;
        }
        head->bytes[i] = (uint16_t)texts[i].len;
    }
    return texts_bytes(head) <= sizeof(((struct slot *)NULL)->texts);
}

/* The one that has it already, of an earlier generation perhaps; else the one unused for the longest. */
static struct slot *choose(struct slot *ways, uint64_t tag)
{
    struct slot *oldest = &ways[0];

    for (size_t i = 0; i < WAYS; i++) {
        if (atomic_load_explicit(&ways[i].tag, memory_order_relaxed) == tag) {
            return &ways[i];
        }
        if (atomic_load_explicit(&ways[i].used_ms, memory_order_relaxed) <
            atomic_load_explicit(&oldest->used_ms, memory_order_relaxed)) {
            oldest = &ways[i];
        }
    }
    return oldest;
}

void token_cache_store(struct token_cache *self, const struct token_cache_key *key,
                       const struct token_claims *claims)
{
    struct str texts[TEXTS_MAX] = {claims->sub, claims->client_id, claims->jti, claims->roles,
                                   claims->scope};
    struct slot *slot = choose(ways_of(self, key), tag_of(key));
    struct slot_head head;
    char *to = slot->texts;

    for (size_t i = 0; i < claims->aud.count && i < AUDIENCES_MAX; i++) {
        texts[FIXED_TEXTS + i] = claims->aud.items[i];
    }
    if (claims->aud.count > AUDIENCES_MAX || !fill_head(&head, key, claims, texts) ||
        !begin_writing(slot)) {
        return;
    }
    slot->head = head;
    for (size_t i = 0; i < FIXED_TEXTS + claims->aud.count; i++) {
        if (texts[i].len > 0) {
            memcpy(to, texts[i].ptr, texts[i].len);
            to += texts[i].len;
        }
    }
    atomic_store_explicit(&slot->tag, tag_of(key), memory_order_relaxed);
    atomic_store_explicit(&slot->used_ms, clock_mono_ms(), memory_order_relaxed);
    end_writing(slot);
}
