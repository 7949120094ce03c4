/* SPDX-License-Identifier: Apache-2.0 */
#include "password_policy.h"

#include <string.h>

#include "common_passwords.h"
#include "unicode.h"

enum { WORD_CODEPOINTS_MIN = 4 };

static bool is_listed(struct str folded)
{
    const struct crypto_digest digest = crypto_sha256(folded);
    size_t low = 0;
    size_t high = COMMON_PASSWORDS_COUNT;
    uint64_t wanted = 0;

    for (size_t i = 0; i < sizeof(wanted); i++) {
        wanted = wanted << 8 | digest.bytes[i];
    }
    while (low < high) {
        const size_t middle = low + (high - low) / 2;

        if (common_passwords[middle] == wanted) {
            return true;
        }
        low = common_passwords[middle] < wanted ? middle + 1 : low;
        high = common_passwords[middle] < wanted ? high : middle;
    }
    return false;
}

/* The part that the whole text repeats; the text itself where it repeats none. */
static struct str repeated_part(struct str text)
{
    for (size_t len = 1; len <= text.len / 2; len++) {
        if (text.len % len == 0 &&
            str_equal(str_sub(text, 0, text.len - len), str_sub(text, len, text.len))) {
            return str_sub(text, 0, len);
        }
    }
    return text;
}

static bool is_common(struct str folded)
{
    return is_listed(folded) || is_listed(repeated_part(folded));
}

/* What is left of `text` without `word`, which both are folded. */
static struct str without(struct arena *arena, struct str text, struct str word)
{
    struct buf left = buf_in(arena, text.len);
    size_t at = 0;

    if (word.len == 0 || str_codepoints(word) < WORD_CODEPOINTS_MIN) {
        return text;
    }
    while (at < text.len) {
        struct str rest = str_sub(text, at, text.len);

        if (str_starts(rest, word)) {
            at += word.len;
        } else {
            buf_append_byte(&left, text.ptr[at++]);
        }
    }
    return buf_str(&left);
}

/* Whether something was taken out of it, and too little is left. */
static bool is_too_little(const struct passwords *self, struct str folded, struct str left)
{
    return left.len < folded.len && str_codepoints(left) < self->codepoints_min;
}

static enum error without_email(struct arena *arena, struct str text, struct str email,
                                struct str *out)
{
    struct str rest;
    struct str local;
    struct str untagged;

    TRY(unicode_fold(arena, email, &email));
    rest = email;
    local = str_cut(&rest, '@');
    rest = local;
    untagged = str_cut(&rest, '+');
    text = without(arena, text, email);
    text = without(arena, text, local);
    *out = without(arena, text, untagged);
    return OK;
}

static struct str without_words(const struct passwords *self, struct arena *arena, struct str text)
{
    for (size_t i = 0; i < self->word_count; i++) {
        text = without(arena, text, self->words[i]);
    }
    return text;
}

/* One look at one password. */
struct password_check {
    const struct passwords *passwords;
    struct arena *arena;
    const struct password_candidate *in;
    struct json_findings *findings;
};

static void add(const struct password_check *self, const char *code, struct str detail)
{
    json_findings_add(self->findings, self->in->pointer, code, detail);
}

static void add_too_little(const struct password_check *self, const char *code, const char *what)
{
    add(self, code,
        arena_printf(self->arena, "without %s in it a password has at least %u characters", what,
                     self->passwords->codepoints_min));
}

static enum error check_words(const struct password_check *self)
{
    struct str folded;
    struct str left;

    TRY(unicode_fold(self->arena, self->in->password, &folded));
    if (is_common(folded)) {
        add(self, "password_too_common",
            STR("this password is among the most common ones, which are tried first; "
                "choose another"));
    }
    TRY(without_email(self->arena, folded, self->in->email, &left));
    if (is_too_little(self->passwords, folded, left)) {
        add_too_little(self, "password_contains_email", "your e-mail address");
    }
    left = without_words(self->passwords, self->arena, folded);
    if (is_too_little(self->passwords, folded, left)) {
        add_too_little(self, "password_contains_service_name", "the name of this service");
    }
    return OK;
}

static void check_length(const struct password_check *self)
{
    const struct str password = self->in->password;
    const size_t codepoints = str_codepoints(password);

    if (password.len > PASSWORD_BYTES_MAX || codepoints > PASSWORD_CODEPOINTS_MAX) {
        add(self, "password_too_long", STR("a password has at most 256 characters and 1024 bytes"));
    }
    if (codepoints < self->passwords->codepoints_min) {
        add(self, "password_too_short",
            arena_printf(self->arena, "a password has at least %u characters",
                         self->passwords->codepoints_min));
    }
}

enum error password_policy(const struct passwords *self, struct arena *arena,
                           const struct password_candidate *in, struct json_findings *findings)
{
    const struct password_check check = {self, arena, in, findings};
    const size_t before = findings->count;

    check_length(&check);
    if (findings->count == before) {
        TRY(check_words(&check));
    }
    if (arena_overflowed(arena)) {
        return ERR_NO_SPACE;
    }
    return findings->count > before ? ERR_VALIDATION : OK;
}

/* The longest first, so that a name is taken out before a part of it. */
void password_policy_word(struct passwords *self, struct arena *arena, struct str word)
{
    struct str folded = STR_EMPTY;
    size_t at = self->word_count;

    if (unicode_fold(arena, word, &folded) != OK || self->word_count == PASSWORD_WORDS_MAX ||
        str_codepoints(folded) < WORD_CODEPOINTS_MIN) {
        return;
    }
    while (at > 0 && self->words[at - 1].len < folded.len) {
        self->words[at] = self->words[at - 1];
        at--;
    }
    self->words[at] = folded;
    self->word_count++;
}

void password_policy_url(struct passwords *self, struct arena *arena, struct str url)
{
    struct str host = url;
    size_t at;

    while (str_find(host, '/', &at) && at < host.len - 1 && host.ptr[at + 1] == '/') {
        host = str_sub(host, at + 2, host.len);
    }
    host = str_cut(&host, '/');
    host = str_cut(&host, ':');
    for (struct str rest = host; rest.len > 0;) {
        struct str label = str_cut(&rest, '.');

        if (rest.len > 0 || label.len == host.len) {
            password_policy_word(self, arena, label);
        }
    }
}
