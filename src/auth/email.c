/* SPDX-License-Identifier: Apache-2.0 */
#include "email.h"

#include <idn2.h>
#include <string.h>

#include "buf.h"

enum { LOCAL_BYTES_MAX = 64 };

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 5322 section 3.2.3 */
static bool is_atext(char c)
{
    return is_alnum(c) || (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool is_local_part(struct str local)
{
    if (local.len == 0 || local.len > LOCAL_BYTES_MAX) {
        return false;
    }
    for (size_t i = 0; i < local.len; i++) {
        bool dot_inside =
            local.ptr[i] == '.' && i > 0 && i + 1 < local.len && local.ptr[i - 1] != '.';
        if (!is_atext(local.ptr[i]) && !dot_inside) {
            return false;
        }
    }
    return true;
}

/* A host name of two labels or more whose last is not all digits (that would be an IPv4 address). */
static bool is_host_name(struct str host)
{
    size_t labels = 0;
    bool digits_only = false;

    if (str_ends(host, STR("."))) { /* of other scripts' full stops, too */
        return false;
    }
    while (host.len > 0) {
        struct str label = str_cut(&host, '.');
        if (label.len == 0 || label.ptr[0] == '-' || label.ptr[label.len - 1] == '-') {
            return false;
        }
        digits_only = true;
        for (size_t i = 0; i < label.len; i++) {
            if (!is_alnum(label.ptr[i]) && label.ptr[i] != '-') {
                return false;
            }
            digits_only = digits_only && label.ptr[i] >= '0' && label.ptr[i] <= '9';
        }
        labels++;
    }
    return labels >= 2 && !digits_only;
}

static void append_lower(struct buf *out, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        buf_append_byte(out, (c >= 'A' && c <= 'Z') ? (char)(c + ('a' - 'A')) : c);
    }
}

/* The domain as A-labels (RFC 5891 section 5), by IDNA 2008 without the transitional mapping. */
static enum error append_domain(struct arena *arena, struct buf *out, struct str domain)
{
    char *terminated = arena_terminated(arena, domain);
    uint8_t *ascii = NULL;
    int result;
    bool good;

    /* A NUL would end the text early for libidn2, and only for it. */
    if (terminated == NULL || !str_is_utf8(domain)) {
        return ERR_INVALID;
    }
    result =
        idn2_lookup_u8((const uint8_t *)terminated, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result != IDN2_OK) {
        return ERR_INVALID;
    }
    good = is_host_name(str_from((const char *)ascii));
    append_lower(out, str_from((const char *)ascii));
    idn2_free(ascii);
    return good ? OK : ERR_INVALID;
}

enum error email_parse(struct arena *arena, struct str text, struct email *out, const char **why)
{
    struct str domain = text;
    struct str local = str_cut(&domain, '@');
    struct buf canonical = buf_in(arena, EMAIL_CANONICAL_BYTES_MAX);

    if (local.len == text.len || str_find(domain, '@', &(size_t){0})) {
        *why = "an e-mail address has exactly one @, as in ada@example.com";
        return ERR_INVALID;
    }
    if (!is_local_part(local)) {
        *why =
            "before the @ stand 1 to 64 letters, digits or !#$%&'*+-/=?^_`{|}~, with single dots "
            "between them";
        return ERR_INVALID;
    }
    append_lower(&canonical, local);
    buf_append_byte(&canonical, '@');
    if (append_domain(arena, &canonical, domain) != OK && !arena_overflowed(arena)) {
        *why = "behind the @ stands a domain name, as in ada@example.com";
        return ERR_INVALID;
    }
    if (canonical.overflowed && !arena_overflowed(arena)) {
        *why = "an e-mail address has at most 254 bytes";
        return ERR_INVALID;
    }
    struct str written = arena_copy(arena, text);
    if (arena_overflowed(arena)) {
        *why = "there is no memory for an e-mail address";
        return ERR_NO_SPACE;
    }
    out->written = written;
    out->canonical = buf_str(&canonical);
    return OK;
}
