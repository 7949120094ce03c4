/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forms. What is taken lies within the table's limits and is UTF-8; a repeated parameter is never
 * taken.
 */
#include <stddef.h>

#include "form_in.h"
#include "fuzz.h"

struct form {
    struct str a;
    struct str b;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct form, a, 1, 8, JSON_REQUIRED),
    JSON_TEXT(struct form, b, 2, 16, JSON_OPTIONAL),
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct form form = {0};
    enum error error = form_in_decode(fuzz_arena(), fuzz_str(data, size), fields, 2, &form);

    assert(error == OK || error == ERR_MALFORMED_REQUEST || error == ERR_NO_SPACE);
    if (error == OK) {
        size_t length = str_codepoints(form.a);
        assert(str_is_utf8(form.a) && length >= 1 && length <= 8);
        assert(form.b.ptr == NULL || (str_is_utf8(form.b) && str_codepoints(form.b) >= 2));
    }
    return 0;
}
