/* SPDX-License-Identifier: Apache-2.0 */
/* A request's body: RFC 8259, and the members that a table names. */
#include "fuzz.h"
#include "json_in.h"

struct body {
    struct str email;
    struct str password;
    struct str name;
};

enum { PASSWORD_CODEPOINTS_MAX = 16 };

static const struct json_field fields[] = {
    JSON_TEXT(struct body, email, 1, 320, JSON_REQUIRED),
    JSON_TEXT(struct body, password, 1, PASSWORD_CODEPOINTS_MAX, JSON_REQUIRED),
    JSON_TEXT(struct body, name, 0, 100, JSON_NULLABLE),
};
static const size_t field_count = sizeof(fields) / sizeof(fields[0]);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct str text = fuzz_str(data, size);
    struct body strict = {0};
    struct body lenient = {0};
    struct json_pair pairs[4];
    struct str elements[4];
    size_t count = 0;

    json_in_start();
    if (json_in_decode(fuzz_arena(), text, fields, field_count, &strict, NULL) == OK) {
        assert(strict.email.len > 0 && str_is_utf8(strict.email));
        assert(str_is_utf8(strict.password));
        assert(str_codepoints(strict.password) <= PASSWORD_CODEPOINTS_MAX);
        /* What the strict form takes, the lenient one takes. */
        assert(json_in_decode_lenient(fuzz_arena(), text, fields, field_count, &lenient, NULL) ==
               OK);
    }
    if (json_in_text_map(fuzz_arena(), text, "keys", pairs, 4, &count) == OK) {
        assert(count <= 4);
    }
    if (json_in_elements(fuzz_arena(), text, "keys", elements, 4, &count) == OK) {
        assert(count <= 4);
    }
    return 0;
}
