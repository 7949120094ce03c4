/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-time tokens. The input is tried as a token, and its first bytes as the id of a row whose token
 * must be good, and whose token with one other byte must not.
 */
#include "buf.h"
#include "keyring_of.h"
#include "onetime.h"

static enum error check(struct str token)
{
    enum onetime_purpose purpose = ONETIME_PURPOSE_COUNT;
    struct uuid id;
    enum error error = onetime_check(keyring_of_one(), token, &purpose, &id);

    assert(error == ERR_INVALID_TOKEN || (error == OK && purpose < ONETIME_PURPOSE_COUNT));
    return error;
}

static void check_made(const uint8_t *data, size_t size)
{
    char text[ONETIME_TOKEN_BYTES_MAX];
    struct buf buf = buf_over(text, sizeof(text));
    struct uuid id;

    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        id.bytes[i] = data[i];
    }
    if (onetime_token(keyring_of_one(), STR("k1"), ONETIME_REGISTRATION, id, &buf) != OK) {
        assert(!"every id has a token");
    }
    assert(check(buf_str(&buf)) == OK);
    text[data[0] % buf.len] ^= (char)(1 + data[1] % 127);
    assert(size > 0 && check(buf_str(&buf)) == ERR_INVALID_TOKEN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)check(fuzz_str(data, size));
    if (size >= sizeof(struct uuid)) {
        check_made(data, size);
    }
    return 0;
}
