/* SPDX-License-Identifier: Apache-2.0 */
/* Password hashes in PHC string form and in bcrypt's, as imported from elsewhere. */
#include "fuzz.h"
#include "password_hash.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = fuzz_arena();
    char *text = arena_terminated(arena, fuzz_str(data, size));

    if (!text) {
        return 0;
    }
    if (password_hash_check(text) == OK) {
        assert(text[0] == '$');
        assert(str_from(text).len < PASSWORD_HASH_BYTES_MAX);
    }
    return 0;
}
