/* SPDX-License-Identifier: Apache-2.0 */
#include "unicode.h"

#include <utf8proc.h>

/* Decomposed code points and the composed text are both in the arena. */
static enum error normalise(struct arena *arena, struct str text, utf8proc_option_t options,
                            struct str *out)
{
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text.ptr;
    utf8proc_ssize_t length = (utf8proc_ssize_t)text.len;
    utf8proc_ssize_t count = utf8proc_decompose(bytes, length, NULL, 0, options);
    utf8proc_int32_t *codepoints;

    if (count < 0) {
        return ERR_INVALID;
    }
    /* One more: utf8proc_reencode terminates what it wrote, in place. */
    codepoints = arena_alloc_array(arena, (size_t)count + 1, sizeof(*codepoints));
    if (codepoints == NULL) {
        return ERR_NO_SPACE;
    }
    count = utf8proc_decompose(bytes, length, codepoints, count, options);
    if (count >= 0) {
        count = utf8proc_reencode(codepoints, count, options);
    }
    if (count < 0) {
        return ERR_INVALID;
    }
    *out = (struct str){(const char *)codepoints, (size_t)count};
    return OK;
}

enum error unicode_nfc(struct arena *arena, struct str text, struct str *out)
{
    return normalise(arena, text, (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE), out);
}

enum error unicode_fold(struct arena *arena, struct str text, struct str *out)
{
    const int options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD;

    return normalise(arena, text, (utf8proc_option_t)options, out);
}
