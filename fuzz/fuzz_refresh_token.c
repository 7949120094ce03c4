/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refresh tokens and cursors. The input is tried as both, and its first bytes as the id of a session
 * whose token must be good, whose successor must be, and whose token with one other byte must not.
 */
#include "cursor.h"
#include "keyring_of.h"
#include "refresh_token.h"

#include <string.h>

static const struct str client = STR("first-party");

static enum error parse(struct arena *arena, struct str text)
{
    struct refresh_token token;
    enum error error = refresh_token_parse(keyring_of_one(), arena, text, client, &token);

    assert(error == OK || error == ERR_INVALID_REFRESH_TOKEN);
    assert(error != OK ||
           (token.generation >= 0 && token.secret.len == REFRESH_TOKEN_SECRET_BYTES));
    return error;
}

static struct str text_of(struct arena *arena, const struct refresh_token *token)
{
    struct str text = STR_EMPTY;

    if (refresh_token_text(keyring_of_one(), arena, token, &text) != OK) {
        assert(!"every token has a text");
    }
    return text;
}

static void check_made(const uint8_t *data)
{
    struct arena *arena = fuzz_arena();
    struct refresh_token token;
    struct refresh_token next;
    struct uuid sid;
    struct str text;

    memcpy(sid.bytes, data, sizeof(sid.bytes));
    if (refresh_token_first(keyring_of_one(), arena, sid, client, &token) != OK ||
        refresh_token_next(keyring_of_one(), arena, &token, &next) != OK) {
        assert(!"every session has a first and a second token");
    }
    assert(parse(arena, text_of(arena, &next)) == OK);
    text = text_of(arena, &token);
    assert(parse(arena, text) == OK);
    char *changed = arena_terminated(arena, text);
    changed[data[0] % text.len] ^= (char)(1 + data[1] % 127);
    assert(parse(arena, (struct str){changed, text.len}) == ERR_INVALID_REFRESH_TOKEN);
}

static void check_cursor(struct str input)
{
    struct arena *arena = fuzz_arena();
    struct uuid last;

    if (cursor_read(keyring_of_one(), arena, STR("sessions:1"), input, &last) == OK) {
        assert(str_equal(cursor_make(keyring_of_one(), arena, STR("sessions:1"), last), input));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)keyring_of_one();
    (void)parse(fuzz_arena(), fuzz_str(data, size));
    check_cursor(fuzz_str(data, size));
    if (size >= sizeof(struct uuid)) {
        check_made(data);
    }
    return 0;
}
