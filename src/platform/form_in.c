/* SPDX-License-Identifier: Apache-2.0 */
#include "form_in.h"

#include <assert.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* '+' is a space, %XX a byte. */
enum error form_in_unescape(struct arena *arena, struct str escaped, struct str *out)
{
    struct buf text = buf_in(arena, escaped.len);

    for (size_t i = 0; i < escaped.len; i++) {
        char c = escaped.ptr[i];

        if (c == '%') {
            int high = i + 2 <= escaped.len - 1 ? hex_value(escaped.ptr[i + 1]) : -1;
            int low = i + 2 <= escaped.len - 1 ? hex_value(escaped.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return ERR_MALFORMED_REQUEST;
            }
            c = (char)(high * 16 + low);
            i += 2;
        } else if (c == '+') {
            c = ' ';
        }
        buf_append_byte(&text, c);
    }
    if (text.overflowed) {
        return ERR_NO_SPACE;
    }
    *out = buf_str(&text);
    return str_is_utf8(*out) ? OK : ERR_MALFORMED_REQUEST;
}

static const struct json_field *find(const struct json_field *fields, size_t count, struct str name)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(str_from(fields[i].name), name)) {
            return &fields[i];
        }
    }
    return NULL;
}

static struct str *member(const struct json_field *field, void *out)
{
    assert(field->type == JSON_TYPE_TEXT);
    return (struct str *)(void *)((char *)out + field->offset);
}

static enum error store(const struct json_field *field, struct str value, void *out)
{
    size_t codepoints = str_codepoints(value);

    if (member(field, out)->ptr != NULL || codepoints < field->codepoints_min ||
        codepoints > field->codepoints_max) {
        return ERR_MALFORMED_REQUEST;
    }
    *member(field, out) = value;
    return OK;
}

static bool is_complete(const struct json_field *fields, size_t count, void *out)
{
    for (size_t i = 0; i < count; i++) {
        if ((fields[i].flags & JSON_REQUIRED) != 0 && member(&fields[i], out)->ptr == NULL) {
            return false;
        }
    }
    return true;
}

enum error form_in_decode(struct arena *arena, struct str body, const struct json_field *fields,
                          size_t count, void *out)
{
    while (body.len > 0) {
        struct str value = str_cut(&body, '&');
        struct str name = str_cut(&value, '=');
        const struct json_field *field;

        TRY(form_in_unescape(arena, name, &name));
        TRY(form_in_unescape(arena, value, &value));
        field = find(fields, count, name);
        if (field != NULL && value.len > 0) {
            TRY(store(field, value, out));
        }
    }
    return is_complete(fields, count, out) ? OK : ERR_MALFORMED_REQUEST;
}

/* No longer than the form itself. */
enum error form_in_list(struct arena *arena, struct str body, struct str wanted, struct str *out)
{
    struct buf values = buf_in(arena, body.len + 1);

    while (body.len > 0) {
        struct str value = str_cut(&body, '&');
        struct str name = str_cut(&value, '=');

        TRY(form_in_unescape(arena, name, &name));
        TRY(form_in_unescape(arena, value, &value));
        if (!str_equal(name, wanted) || value.len == 0) {
            continue;
        }
        if (values.len > 0) {
            buf_append_byte(&values, ',');
        }
        buf_append(&values, value);
    }
    return buf_finish(&values, out);
}

bool form_in_is_empty(struct str body, struct str name)
{
    while (body.len > 0) {
        struct str value = str_cut(&body, '&');

        if (str_equal(str_cut(&value, '='), name) && value.len == 0) {
            return true;
        }
    }
    return false;
}
