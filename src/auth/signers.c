/* SPDX-License-Identifier: Apache-2.0 */
#include "signers.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "clock.h"

enum { JWKS_FRAME_BYTES = 32 };

/* A set that was replaced waits here until nobody can hold it any more. */
struct kept_set {
    struct signer_set set;
    int64_t replaced_ms; /* clock_mono_ms */
    struct kept_set *older;
};

struct signers {
    _Atomic(struct kept_set *) now;
    uint64_t generation;
};

void signers_etag(struct str document, struct buf *out)
{
    struct crypto_digest digest = crypto_sha256(document);

    buf_append_byte(out, '"');
    codec_base64url(out, (struct str){(const char *)digest.bytes, 12});
    buf_append_byte(out, '"');
}

static void write_jwks(const struct signer_set *set, struct buf *out)
{
    buf_append(out, STR("{\"keys\":["));
    for (size_t i = 0; i < set->count; i++) {
        if (i > 0) {
            buf_append_byte(out, ',');
        }
        signing_key_public_jwk(set->keys[i], out);
    }
    buf_append(out, STR("]}"));
}

/* Text and tag in one piece. */
static void jwks_new(struct signer_set *set)
{
    size_t bytes = JWKS_FRAME_BYTES + set->count * SIGNING_JWK_BYTES_MAX + SIGNERS_ETAG_BYTES;
    char *memory = malloc(bytes);
    struct buf out = buf_over(memory, bytes);
    size_t text_bytes;

    assert(memory != NULL);
    write_jwks(set, &out);
    text_bytes = out.len;
    signers_etag(buf_str(&out), &out);
    assert(!out.overflowed);
    memory = realloc(memory, out.len);
    assert(memory != NULL);
    set->jwks = (struct str){memory, text_bytes};
    set->jwks_etag = (struct str){memory + text_bytes, out.len - text_bytes};
}

static struct kept_set *kept_new(const struct signer_set *set, uint64_t generation)
{
    struct kept_set *kept = calloc(1, sizeof(*kept));

    assert(kept != NULL);
    kept->set = *set;
    kept->set.generation = generation;
    jwks_new(&kept->set);
    return kept;
}

static void kept_free(struct kept_set *kept)
{
    while (kept != NULL) {
        struct kept_set *older = kept->older;

        for (size_t i = 0; i < kept->set.count; i++) {
            signing_key_free(kept->set.keys[i]);
        }
        free((void *)(uintptr_t)kept->set.jwks.ptr);
        free(kept);
        kept = older;
    }
}

struct signers *signers_new(void)
{
    struct signers *self = calloc(1, sizeof(*self));
    const struct signer_set none = {.count = 0};

    assert(self != NULL);
    atomic_init(&self->now, kept_new(&none, 0));
    return self;
}

struct signers *signers_new_of(struct signing_key *key)
{
    struct signers *self = signers_new();
    const struct signer_set set = {.keys = {key}, .count = 1, .signer = key};

    signers_replace(self, &set);
    return self;
}

void signers_free(struct signers *self)
{
    if (self != NULL) {
        kept_free(atomic_load(&self->now));
        free(self);
    }
}

const struct signer_set *signers_now(const struct signers *self)
{
    return &atomic_load_explicit(&self->now, memory_order_acquire)->set;
}

/* The list is in order of time, so all behind one that is old enough are older still. */
static void free_outlived(struct kept_set *kept)
{
    int64_t before_ms = clock_mono_ms() - (int64_t)SIGNERS_GRACE_S * 1000;

    while (kept->older != NULL && kept->older->replaced_ms >= before_ms) {
        kept = kept->older;
    }
    kept_free(kept->older);
    kept->older = NULL;
}

void signers_replace(struct signers *self, const struct signer_set *set)
{
    struct kept_set *old = atomic_load(&self->now);
    struct kept_set *fresh = kept_new(set, ++self->generation);

    old->replaced_ms = clock_mono_ms();
    fresh->older = old;
    atomic_store_explicit(&self->now, fresh, memory_order_release);
    free_outlived(fresh);
}

const struct signing_key *signers_find(const struct signer_set *set, struct str kid)
{
    for (size_t i = 0; i < set->count; i++) {
        if (str_equal(str_from(signing_key_kid(set->keys[i])), kid)) {
            return set->keys[i];
        }
    }
    return NULL;
}
