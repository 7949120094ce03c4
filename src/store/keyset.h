/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where in a list a page begins and how long it is: lists go by keys, from the newest id down, so that
 * rows which come and go meanwhile neither shift nor repeat the others.
 *
 * A page whose rows would take more than a third of the arena ends early: their JSON must fit, too.
 *
 * Threads: pure functions.
 */
#pragma once

#include "pg.h"

struct keyset {
    bool has_after;
    struct uuid after; /* the last one of the page before */
    size_t limit;
};

/* Two parameters: the id that all of the page are below, and one more than the limit. */
void keyset_bind(struct pg_args *args, const struct keyset *keyset);

struct keyset_found {
    size_t count;
    bool has_more;
};

/* Whether row `at` of those found belongs to the page. */
bool keyset_takes(const struct keyset *keyset, const struct arena *arena,
                  const struct pg_rows *rows, int at);
