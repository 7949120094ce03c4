/* SPDX-License-Identifier: Apache-2.0 */
#include "pg.h"

#include <assert.h>
#include <string.h>

#include <libpq-fe.h>

#include "pg_link.h"

void pg_rows_free(struct pg_rows *self)
{
    PQclear(self->result);
    *self = (struct pg_rows){.result = NULL};
}

bool pg_is_null(const struct pg_rows *self, int row, int column)
{
    assert(row >= 0 && row < self->count && column >= 0 && column < PQnfields(self->result));
    return PQgetisnull(self->result, row, column) != 0;
}

/* NULL has no bytes. */
struct str pg_text(const struct pg_rows *self, int row, int column)
{
    if (pg_is_null(self, row, column)) {
        return STR_EMPTY;
    }
    return (struct str){PQgetvalue(self->result, row, column),
                        (size_t)PQgetlength(self->result, row, column)};
}

struct uuid pg_uuid(const struct pg_rows *self, int row, int column)
{
    struct str bytes = pg_text(self, row, column);
    struct uuid id = {{0}};

    assert(bytes.len == 0 || bytes.len == sizeof id.bytes);
    memcpy(id.bytes, bytes.ptr, bytes.len);
    return id;
}

/* Big-endian two's complement of 2, 4 or 8 bytes. */
int64_t pg_i64(const struct pg_rows *self, int row, int column)
{
    struct str bytes = pg_text(self, row, column);
    uint64_t value;

    assert(bytes.len == 0 || bytes.len == 2 || bytes.len == 4 || bytes.len == 8);
    value = bytes.len > 0 && (bytes.ptr[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.len; i++) {
        value = value << 8 | (uint8_t)bytes.ptr[i];
    }
    return (int64_t)value;
}

bool pg_bool(const struct pg_rows *self, int row, int column)
{
    struct str bytes = pg_text(self, row, column);

    assert(bytes.len <= 1);
    return bytes.len == 1 && bytes.ptr[0] != 0;
}

/* Microseconds since 2000, rounded down to milliseconds; NULL is 0. */
int64_t pg_time_ms(const struct pg_rows *self, int row, int column)
{
    int64_t us = pg_i64(self, row, column);
    int64_t ms = us / 1000 - (us % 1000 < 0 ? 1 : 0);

    return pg_is_null(self, row, column) ? 0 : ms + PG_EPOCH_UNIX_MS;
}
