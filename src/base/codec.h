/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text forms of bytes, ids and times. Decoders are strict: one text for one value, no white space,
 * no missing or surplus padding, no stray bits; anything else is ERR_INVALID. ERR_NO_SPACE when the arena is full.
 *
 * Ownership: results are in the arena or the caller's memory. Threads: pure functions.
 */
#pragma once

#include "buf.h"

enum { UUID_TEXT_BYTES = 36, RFC3339_BYTES_MAX = 30 };

struct uuid {
    uint8_t bytes[16];
};

/* Characters of the unpadded base64url form of `bytes` bytes. */
#define CODEC_BASE64URL_LEN(bytes) (((bytes)*4 + 2) / 3)

/* RFC 4648 section 5 without padding. */
void codec_base64url(struct buf *out, struct str bytes);
NODISCARD enum error codec_base64url_decode(struct arena *arena, struct str text, struct str *out);
/* Exactly `bytes` bytes into `out`: the length is checked before anything is decoded. */
NODISCARD enum error codec_base64url_decode_exact(struct str text, void *out, size_t bytes);
/* RFC 4648 section 4 with padding. */
void codec_base64(struct buf *out, struct str bytes);
NODISCARD enum error codec_base64_decode(struct arena *arena, struct str text, struct str *out);
/* RFC 4648 section 6, without padding. */
void codec_base32(struct buf *out, struct str bytes);
void codec_hex(struct buf *out, struct str bytes); /* lower case */

/* RFC 9562: 8-4-4-4-12 hex digits, written in lower case, read in either. */
void codec_uuid(struct buf *out, struct uuid id);
struct str codec_uuid_in(struct arena *arena, struct uuid id);
NODISCARD enum error codec_uuid_parse(struct str text, struct uuid *out);
bool uuid_equal(struct uuid a, struct uuid b);

/* RFC 3339 in UTC with milliseconds: 2026-01-31T23:59:59.123Z. The format ends at the years 0000
 * and 9999: what is beyond is written as the first or the last millisecond of them. As every
 * buf_printf it wants one byte more than it writes. */
void codec_rfc3339(struct buf *out, int64_t unix_ms);
void codec_rfc3339_ns(struct buf *out, int64_t unix_ns); /* with nanoseconds */
struct str codec_rfc3339_in(struct arena *arena, int64_t unix_ms);
