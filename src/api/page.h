/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists: `limit` and `cursor` of the query, and the answer {items, next_cursor}. A cursor is bound to
 * its list, filters included.
 *
 * Ownership: texts are in the request's arena. Threads: as the request.
 */
#pragma once

#include "keyset.h"
#include "request.h"

struct json_out;

struct page {
    struct keyset keyset;
    struct str list; /* names the list, its owner and its filters */
};

/* ERR_VALIDATION with a finding at /limit or /cursor. */
NODISCARD enum error page_read(struct request *request, struct str list, struct page *out);

/* What a page shows: `write` appends item `at`, at most `item_bytes_max` long, as one JSON value. */
struct page_items {
    const void *items;
    struct keyset_found found;
    struct uuid last; /* of the last item; where there is none it is not read */
    size_t item_bytes_max;
    void (*write)(struct json_out *json, const void *items, size_t at);
};

NODISCARD enum error page_reply(struct request *request, const struct page *page,
                                const struct page_items *items);
