/* SPDX-License-Identifier: Apache-2.0 */
#include "directory_store.h"

#include <assert.h>

/* An imported user has a subject of their own, the others have the id in text form. */
static const struct pg_statement find = {
    "directory_find",
    "SELECT coalesce(u.subject, u.id::text), u.name, u.email, u.email_verified_at IS NOT NULL,"
    " u.status FROM users u WHERE u.subject = ANY (string_to_array($1, ','))"
    " OR (u.id = ANY (string_to_array($2, ',')::uuid[]) AND u.subject IS NULL)"
    " ORDER BY array_position(string_to_array($1, ','), coalesce(u.subject, u.id::text))",
};

const struct pg_statements directory_store_statements = {&find, 1};

/* Those of the list that are UUIDs as we write them: what PostgreSQL can cast. */
static struct str uuids_of(struct arena *arena, struct str subs)
{
    struct buf out = buf_in(arena, subs.len + 1);

    while (subs.len > 0) {
        struct str sub = str_cut(&subs, ',');
        struct uuid id;

        if (codec_uuid_parse(sub, &id) != OK || !str_equal(codec_uuid_in(arena, id), sub)) {
            continue;
        }
        if (out.len > 0) {
            buf_append_byte(&out, ',');
        }
        buf_append(&out, sub);
    }
    return buf_str(&out);
}

enum error directory_store_find(struct pg *pg, struct arena *arena, struct str subs,
                                struct directory_user *out, size_t *count)
{
    struct pg_args args = {0};
    PG_ROWS rows = {0};

    pg_bind_text(&args, subs);
    pg_bind_text(&args, uuids_of(arena, subs));
    TRY(pg_query(pg, &find, &args, &rows));
    assert(rows.count <= DIRECTORY_STORE_MAX);
    for (int row = 0; row < rows.count; row++) {
        out[row] = (struct directory_user){
            .sub = arena_copy(arena, pg_text(&rows, row, 0)),
            .name = arena_copy(arena, pg_text(&rows, row, 1)),
            .email = arena_copy(arena, pg_text(&rows, row, 2)),
            .email_verified = pg_bool(&rows, row, 3),
            .status = arena_copy(arena, pg_text(&rows, row, 4)),
        };
    }
    *count = (size_t)rows.count;
    return arena_overflowed(arena) ? ERR_NO_SPACE : OK;
}
