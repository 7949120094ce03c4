/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_table.h"

#include <assert.h>
#include <sys/mman.h>

enum { PLACES_MIN = 512 }; /* 16 KiB */

static size_t bytes_of(size_t places)
{
    return places * sizeof(struct revocation_entry);
}

enum error revocation_table_make(size_t entries, struct revocation_table *out)
{
    size_t places = PLACES_MIN;
    void *memory;

    while (places < 2 * entries) {
        places *= 2;
    }
    memory =
        mmap(NULL, bytes_of(places), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return ERR_NO_SPACE;
    }
    *out = (struct revocation_table){.entries = memory, .places = places};
    return OK;
}

void revocation_table_free(struct revocation_table *self)
{
    if (self->places > 0) {
        (void)munmap(self->entries, bytes_of(self->places));
    }
    *self = (struct revocation_table){0};
}

bool revocation_table_is_full(const struct revocation_table *self)
{
    return self->used >= self->places / 4 * 3;
}

/* Where the key is, or would be: there is always a free place. */
static struct revocation_entry *place_of(const struct revocation_table *self, struct siphash key)
{
    const size_t mask = self->places - 1;
    size_t at = key.words[0] & mask;

    while (self->entries[at].expires_s != 0 && !siphash_equal(self->entries[at].key, key)) {
        at = (at + 1) & mask;
    }
    return &self->entries[at];
}

struct revocation_entry *revocation_table_find(const struct revocation_table *self,
                                               struct siphash key)
{
    struct revocation_entry *entry = place_of(self, key);

    return entry->expires_s == 0 ? NULL : entry;
}

void revocation_table_add(struct revocation_table *self, const struct revocation_entry *entry)
{
    struct revocation_entry *place = place_of(self, entry->key);

    assert(place->expires_s == 0 && !revocation_table_is_full(self));
    *place = *entry;
    self->used++;
}

size_t revocation_table_live(const struct revocation_table *self, int64_t now_s)
{
    size_t live = 0;

    for (size_t i = 0; i < self->places; i++) {
        live += self->entries[i].expires_s > now_s;
    }
    return live;
}

void revocation_table_copy(const struct revocation_table *self, int64_t now_s,
                           struct revocation_table *out)
{
    for (size_t i = 0; i < self->places; i++) {
        if (self->entries[i].expires_s > now_s) {
            revocation_table_add(out, &self->entries[i]);
        }
    }
}
