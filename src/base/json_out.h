/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes JSON (RFC 8259) into a bounded buffer, one value after another; commas are its affair.
 * Strings must be UTF-8: what is not is written as U+FFFD, so the output is always valid JSON.
 * Nesting deeper than JSON_OUT_DEPTH_MAX is the programmer's error.
 *
 *     json_object(&json);
 *     json_member_str(&json, "id", id);
 *     json_key(&json, "roles"); json_array(&json); … json_array_end(&json);
 *     json_object_end(&json);
 *
 * Ownership: borrows the buffer. Threads: one at a time. Errors: the buffer's `overflowed`.
 */
#pragma once

#include "codec.h"

enum { JSON_OUT_DEPTH_MAX = 8 };

struct json_out {
    struct buf *buf;
    unsigned depth;
    bool comma[JSON_OUT_DEPTH_MAX + 1];
};

struct json_out json_out_to(struct buf *buf);
void json_object(struct json_out *self);
void json_object_end(struct json_out *self);
void json_array(struct json_out *self);
void json_array_end(struct json_out *self);
void json_key(struct json_out *self, const char *name);
void json_str(struct json_out *self, struct str value);
void json_i64(struct json_out *self, int64_t value);
void json_bool(struct json_out *self, bool value);
void json_null(struct json_out *self);
void json_raw(struct json_out *self, struct str valid_json); /* already JSON; not checked */

void json_member_str(struct json_out *self, const char *name, struct str value);
/* An empty string is written as null. */
void json_member_str_or_null(struct json_out *self, const char *name, struct str value);
/* The words of a text, separated by single spaces, as an array. */
void json_member_words(struct json_out *self, const char *name, struct str words);
/* Milliseconds since 1970 as an RFC 3339 text. */
void json_member_time(struct json_out *self, const char *name, int64_t unix_ms);
void json_member_time_or_null(struct json_out *self, const char *name,
                              int64_t unix_ms); /* 0: null */
void json_member_uuid(struct json_out *self, const char *name, struct uuid id);
void json_member_i64(struct json_out *self, const char *name, int64_t value);
void json_member_bool(struct json_out *self, const char *name, bool value);
void json_member_raw(struct json_out *self, const char *name, struct str valid_json);
