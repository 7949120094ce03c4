/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table under revocation.c: open addressing with linear probing, keyed by a keyed hash. Nothing is
 * ever taken out; a table is rebuilt into another without what has expired.
 *
 * Ownership: memory of its own (mmap), given back by revocation_table_free.
 * Threads: the caller's matter.
 */
#pragma once

#include "siphash.h"

struct revocation_entry {
    struct siphash key;
    int64_t min_auth_ver;
    int64_t expires_s; /* 0: a free place */
};

struct revocation_table {
    struct revocation_entry *entries;
    size_t places; /* a power of two */
    size_t used;
};

/* At most half full with so many. ERR_NO_SPACE: there is no memory. */
NODISCARD enum error revocation_table_make(size_t entries, struct revocation_table *out);
void revocation_table_free(struct revocation_table *self);
/* No more fit without making look-ups slow. */
bool revocation_table_is_full(const struct revocation_table *self);
/* NULL: not there. */
struct revocation_entry *revocation_table_find(const struct revocation_table *self,
                                               struct siphash key);
/* The table is not full, and does not have the key. */
void revocation_table_add(struct revocation_table *self, const struct revocation_entry *entry);
/* How many have not expired. */
size_t revocation_table_live(const struct revocation_table *self, int64_t now_s);
/* Adds those to `out`, which has room for them. */
void revocation_table_copy(const struct revocation_table *self, int64_t now_s,
                           struct revocation_table *out);
