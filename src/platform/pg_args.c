/* SPDX-License-Identifier: Apache-2.0 */
#include "pg.h"

#include <assert.h>
#include <string.h>

#include "pg_link.h"

static struct pg_param *pg_bind_next(struct pg_args *self)
{
    assert(self->count < PG_PARAMS_MAX);
    return &self->params[self->count++];
}

static void pg_bind_scalar(struct pg_args *self, const void *bytes, int length)
{
    struct pg_param *param = pg_bind_next(self);

    *param = (struct pg_param){.is_scalar = true, .length = length};
    memcpy(param->scalar, bytes, (size_t)length);
}

static void pg_bind_big_endian(struct pg_args *self, int64_t value)
{
    uint64_t rest = (uint64_t)value;
    uint8_t bytes[8];

    for (int i = 7; i >= 0; i--) {
        bytes[i] = (uint8_t)rest;
        rest >>= 8;
    }
    pg_bind_scalar(self, bytes, sizeof bytes);
}

void pg_bind_text(struct pg_args *self, struct str value)
{
    assert(value.len <= INT32_MAX);
    *pg_bind_next(self) = (struct pg_param){
        .ptr = value.ptr == NULL ? "" : value.ptr, /* a null pointer would be SQL NULL */
        .length = (int)value.len,
    };
}

void pg_bind_text_or_null(struct pg_args *self, struct str value)
{
    if (value.len == 0) {
        pg_bind_null(self);
        return;
    }
    pg_bind_text(self, value);
}

void pg_bind_bytes(struct pg_args *self, struct str value)
{
    pg_bind_text(self, value);
}

void pg_bind_uuid(struct pg_args *self, struct uuid value)
{
    pg_bind_scalar(self, value.bytes, sizeof value.bytes);
}

void pg_bind_i64(struct pg_args *self, int64_t value)
{
    pg_bind_big_endian(self, value);
}

void pg_bind_bool(struct pg_args *self, bool value)
{
    pg_bind_scalar(self, &(uint8_t){value ? 1 : 0}, 1);
}

void pg_bind_time(struct pg_args *self, int64_t unix_ms)
{
    assert(unix_ms > -PG_TIME_MS_MAX && unix_ms < PG_TIME_MS_MAX);
    pg_bind_big_endian(self, (unix_ms - PG_EPOCH_UNIX_MS) * 1000);
}

void pg_bind_null(struct pg_args *self)
{
    *pg_bind_next(self) = (struct pg_param){.ptr = NULL};
}
