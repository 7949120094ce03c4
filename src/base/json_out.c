/* SPDX-License-Identifier: Apache-2.0 */
#include "json_out.h"

#include <assert.h>
#include <string.h>

struct json_out json_out_to(struct buf *buf)
{
    return (struct json_out){.buf = buf};
}

/* The comma before a member or an element, if it is not the first. */
static void separate(struct json_out *self)
{
    if (self->comma[self->depth]) {
        buf_append_byte(self->buf, ',');
    }
    self->comma[self->depth] = true;
}

static void open(struct json_out *self, char bracket)
{
    separate(self);
    buf_append_byte(self->buf, bracket);
    assert(self->depth < JSON_OUT_DEPTH_MAX);
    self->depth++;
    self->comma[self->depth] = false;
}

static void close(struct json_out *self, char bracket)
{
    assert(self->depth > 0);
    self->depth--;
    buf_append_byte(self->buf, bracket);
}

void json_object(struct json_out *self)
{
    open(self, '{');
}

void json_object_end(struct json_out *self)
{
    close(self, '}');
}

void json_array(struct json_out *self)
{
    open(self, '[');
}

void json_array_end(struct json_out *self)
{
    close(self, ']');
}

/* RFC 8259 section 7: what must be escaped; the short forms where there is one. */
static void escape(struct buf *out, unsigned char byte)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    static const char hex[] = "0123456789abcdef";
    const char *at = byte == '\0' ? NULL : strchr(from, byte);
    char short_form[] = {'\\', at == NULL ? 'u' : to[at - from]};
    char digits[] = {'0', '0', hex[byte >> 4], hex[byte & 0xF]};

    buf_append(out, (struct str){short_form, sizeof(short_form)});
    if (at == NULL) {
        buf_append(out, (struct str){digits, sizeof(digits)});
    }
}

/* Bytes at the start of `s` that stand in JSON as they are: well-formed UTF-8 without quotes,
 * backslashes and control characters. */
static size_t plain_bytes(struct str s)
{
    size_t at = 0;

    while (at < s.len) {
        unsigned char byte = (unsigned char)s.ptr[at];
        size_t step = byte < 0x80 ? 1 : str_utf8_step(str_sub(s, at, s.len));

        if (byte < 0x20 || byte == '"' || byte == '\\' || step == 0) {
            break;
        }
        at += step;
    }
    return at;
}

static void quoted(struct buf *out, struct str s)
{
    static const char replacement[] = "\xEF\xBF\xBD"; /* U+FFFD */

    buf_append_byte(out, '"');
    for (size_t at = 0; at < s.len && !out->overflowed; at++) {
        size_t plain = plain_bytes(str_sub(s, at, s.len));
        unsigned char special;

        buf_append(out, str_sub(s, at, at + plain));
        at += plain;
        if (at == s.len) {
            break;
        }
        special = (unsigned char)s.ptr[at];
        if (special >= 0x80) {
            buf_append(out, (struct str){replacement, sizeof(replacement) - 1});
            continue;
        }
        escape(out, special);
    }
    buf_append_byte(out, '"');
}

void json_key(struct json_out *self, const char *name)
{
    assert(self->depth > 0);
    separate(self);
    quoted(self->buf, str_from(name));
    buf_append_byte(self->buf, ':');
    self->comma[self->depth] = false; /* none before the member's value */
}

void json_str(struct json_out *self, struct str value)
{
    separate(self);
    quoted(self->buf, value);
}

void json_i64(struct json_out *self, int64_t value)
{
    separate(self);
    buf_append_i64(self->buf, value);
}

void json_bool(struct json_out *self, bool value)
{
    json_raw(self, value ? STR("true") : STR("false"));
}

void json_null(struct json_out *self)
{
    json_raw(self, STR("null"));
}

void json_raw(struct json_out *self, struct str valid_json)
{
    separate(self);
    buf_append(self->buf, valid_json);
}

void json_member_str(struct json_out *self, const char *name, struct str value)
{
    json_key(self, name);
    json_str(self, value);
}

void json_member_str_or_null(struct json_out *self, const char *name, struct str value)
{
    json_key(self, name);
    if (value.len == 0) {
        json_null(self);
        return;
    }
    json_str(self, value);
}

void json_member_words(struct json_out *self, const char *name, struct str words)
{
    json_key(self, name);
    json_array(self);
    while (words.len > 0) {
        json_str(self, str_cut(&words, ' '));
    }
    json_array_end(self);
}

void json_member_time(struct json_out *self, const char *name, int64_t unix_ms)
{
    char text[RFC3339_BYTES_MAX];
    struct buf buf = buf_over(text, sizeof(text));

    codec_rfc3339(&buf, unix_ms);
    json_member_str(self, name, buf_str(&buf));
}

void json_member_time_or_null(struct json_out *self, const char *name, int64_t unix_ms)
{
    if (unix_ms == 0) {
        json_member_str_or_null(self, name, STR_EMPTY);
        return;
    }
    json_member_time(self, name, unix_ms);
}

void json_member_uuid(struct json_out *self, const char *name, struct uuid id)
{
    char text[UUID_TEXT_BYTES];
    struct buf buf = buf_over(text, sizeof(text));

    codec_uuid(&buf, id);
    json_member_str(self, name, buf_str(&buf));
}

void json_member_i64(struct json_out *self, const char *name, int64_t value)
{
    json_key(self, name);
    json_i64(self, value);
}

void json_member_bool(struct json_out *self, const char *name, bool value)
{
    json_key(self, name);
    json_bool(self, value);
}

void json_member_raw(struct json_out *self, const char *name, struct str valid_json)
{
    json_key(self, name);
    json_raw(self, valid_json);
}
