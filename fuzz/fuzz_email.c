/* SPDX-License-Identifier: Apache-2.0 */
/* E-mail addresses, and the domain names in them (RFC 5321, RFC 5891). */
#include "email.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char second_memory[FUZZ_ARENA_BYTES];
    const struct str text = fuzz_str(data, size);
    struct arena second;
    struct email email;
    struct email again;
    const char *why = NULL;
    enum error error = email_parse(fuzz_arena(), text, &email, &why);

    if (error != OK) {
        assert(error == ERR_NO_SPACE || why != NULL);
        return 0;
    }
    assert(email.canonical.len > 0 && email.canonical.len <= EMAIL_CANONICAL_BYTES_MAX);
    assert(str_is_utf8(email.canonical));

    /* A canonical form is its own canonical form. */
    arena_init(&second, second_memory, sizeof(second_memory));
    if (email_parse(&second, email.canonical, &again, &why) != OK) {
        assert(!"a canonical form is an address");
    }
    assert(str_equal(email.canonical, again.canonical));
    return 0;
}
