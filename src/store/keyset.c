/* SPDX-License-Identifier: Apache-2.0 */
#include "keyset.h"

#include <string.h>

void keyset_bind(struct pg_args *args, const struct keyset *keyset)
{
    struct uuid below = keyset->after;

    if (!keyset->has_after) {
        memset(below.bytes, 0xff,
               sizeof(below.bytes)); /* RFC 9562 section 5.10: above all others */
    }
    pg_bind_uuid(args, below);
    pg_bind_i64(args, (int64_t)keyset->limit + 1);
}

/* At least one row, or the list could not be walked. */
bool keyset_takes(const struct keyset *keyset, const struct arena *arena,
                  const struct pg_rows *rows, int at)
{
    bool has_room = at == 0 || arena->used_bytes < arena->size_bytes / 3;

    return at < rows->count && (size_t)at < keyset->limit && has_room;
}
