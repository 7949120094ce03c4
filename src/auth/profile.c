/* SPDX-License-Identifier: Apache-2.0 */
#include "profile.h"

static bool has_control_character(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        /* U+0000 to U+001F, U+007F, and U+0080 to U+009F as UTF-8 */
        if (c < 0x20 || c == 0x7f ||
            (c == 0xc2 && i + 1 < s.len && (unsigned char)s.ptr[i + 1] < 0xa0)) {
            return true;
        }
    }
    return false;
}

static bool is_subtag(struct str tag, size_t min, bool letters_only)
{
    if (tag.len < min || tag.len > 8) {
        return false;
    }
    for (size_t i = 0; i < tag.len; i++) {
        char c = tag.ptr[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (letters_only || c < '0' || c > '9')) {
            return false;
        }
    }
    return true;
}

static bool is_language_tag(struct str tag)
{
    struct str rest = tag;
    bool good = is_subtag(str_cut(&rest, '-'), 2, true);

    while (good && rest.len > 0) {
        good = is_subtag(str_cut(&rest, '-'), 1, false);
    }
    return good && !str_ends(tag, STR("-"));
}

void profile_check(struct json_findings *findings, struct str name, struct str locale)
{
    if (has_control_character(name)) {
        json_findings_add(findings, STR("/name"), "invalid_format",
                          STR("a name has no control characters"));
    }
    if (locale.len > 0 && !is_language_tag(locale)) {
        json_findings_add(findings, STR("/locale"), "invalid_format",
                          STR("a locale is a language tag, as in en, de-AT or zh-Hant-TW"));
    }
}
