/* SPDX-License-Identifier: Apache-2.0 */
#include "str.h"

#include <assert.h>
#include <string.h>

/* The forms of well-formed UTF-8: Unicode 15, table 3-7. Only the second byte has ranges of its
 * own (they keep out overlong forms, surrogates and what is above U+10FFFF). */
static const struct utf8_form {
    unsigned char lead_min, lead_max;
    unsigned char second_min, second_max;
    unsigned char bytes;
} utf8_forms[] = {
    {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3}, {0xE1, 0xEC, 0x80, 0xBF, 3},
    {0xED, 0xED, 0x80, 0x9F, 3}, {0xEE, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4},
    {0xF1, 0xF3, 0x80, 0xBF, 4}, {0xF4, 0xF4, 0x80, 0x8F, 4},
};

enum { UTF8_FORMS = sizeof(utf8_forms) / sizeof(utf8_forms[0]) };

struct str str_from(const char *terminated)
{
    if (terminated == NULL) {
        return STR_EMPTY;
    }
    return (struct str){terminated, strlen(terminated)};
}

bool str_equal(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static char lower(char byte)
{
    return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.len != b.len) {
        return false;
    }
    for (size_t i = 0; i < a.len; i++) {
        if (lower(a.ptr[i]) != lower(b.ptr[i])) {
            return false;
        }
    }
    return true;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && str_equal(str_sub(s, 0, prefix.len), prefix);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len && str_equal(str_sub(s, s.len - suffix.len, s.len), suffix);
}

bool str_find(struct str s, char byte, size_t *at)
{
    const char *found = s.len == 0 ? NULL : memchr(s.ptr, byte, s.len);

    if (found == NULL) {
        return false;
    }
    *at = (size_t)(found - s.ptr);
    return true;
}

struct str str_sub(struct str s, size_t from, size_t to)
{
    size_t end = to < s.len ? to : s.len;

    if (from >= end) {
        return STR_EMPTY;
    }
    return (struct str){s.ptr + from, end - from};
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

struct str str_trim(struct str s)
{
    size_t from = 0;
    size_t to = s.len;

    while (from < to && is_blank(s.ptr[from])) {
        from++;
    }
    while (to > from && is_blank(s.ptr[to - 1])) {
        to--;
    }
    return str_sub(s, from, to);
}

struct str str_cut(struct str *rest, char separator)
{
    struct str whole = *rest;
    size_t at;

    if (!str_find(whole, separator, &at)) {
        *rest = STR_EMPTY;
        return whole;
    }
    *rest = str_sub(whole, at + 1, whole.len);
    return str_sub(whole, 0, at);
}

enum error str_to_u64(struct str s, uint64_t *out)
{
    uint64_t value = 0;

    if (s.len == 0 || (s.len > 1 && s.ptr[0] == '0')) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return ERR_INVALID;
        }
        if (__builtin_mul_overflow(value, 10U, &value) ||
            __builtin_add_overflow(value, (unsigned)(s.ptr[i] - '0'), &value)) {
            return ERR_INVALID;
        }
    }
    *out = value;
    return OK;
}

static bool form_matches(const struct utf8_form *form, const unsigned char *bytes, size_t len)
{
    if (bytes[0] < form->lead_min || bytes[0] > form->lead_max || len < form->bytes ||
        bytes[1] < form->second_min || bytes[1] > form->second_max) {
        return false;
    }
    for (size_t i = 2; i < form->bytes; i++) {
        if ((bytes[i] & 0xC0) != 0x80) {
            return false;
        }
    }
    return true;
}

size_t str_utf8_step(struct str s)
{
    const unsigned char *bytes = (const unsigned char *)s.ptr;

    if (s.len == 0) {
        return 0;
    }
    if (bytes[0] < 0x80) {
        return 1;
    }
    for (size_t i = 0; i < UTF8_FORMS; i++) {
        if (form_matches(&utf8_forms[i], bytes, s.len)) {
            return utf8_forms[i].bytes;
        }
    }
    return 0;
}

bool str_is_utf8(struct str s)
{
    for (size_t at = 0; at < s.len;) {
        size_t step = str_utf8_step(str_sub(s, at, s.len));

        if (step == 0 || s.ptr[at] == '\0') {
            return false;
        }
        at += step;
    }
    return true;
}

size_t str_codepoints(struct str s)
{
    size_t count = 0;

    /* Every byte but a continuation byte begins one. */
    for (size_t i = 0; i < s.len; i++) {
        count += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    }
    return count;
}
