/* SPDX-License-Identifier: Apache-2.0 */
#include "json_shape.h"

/* What stands outside of strings. `level` is the depth at this point. */
static void json_shape_mark(struct json_shape *self, size_t *level, char c)
{
    switch (c) {
    case '{':
    case '[':
        ++*level;
        self->values++; /* the first one within; each comma has another */
        if (*level > self->depth) {
            self->depth = *level;
        }
        break;
    case '}':
    case ']':
        *level -= *level > 0 ? 1 : 0;
        break;
    case ',':
        self->values++;
        break;
    default:
        break;
    }
}

struct json_shape json_shape_of(struct str text)
{
    struct json_shape shape = {.depth = 0, .values = 1};
    size_t level = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_string && c == '\\') {
            i++; /* whatever is escaped, it does not end the string */
            continue;
        }
        if (c == '"') {
            in_string = !in_string;
        }
        if (!in_string) {
            json_shape_mark(&shape, &level, c);
        }
    }
    return shape;
}

enum error json_shape_check(struct arena *arena, struct str text, struct json_findings *findings)
{
    struct json_shape shape = json_shape_of(text);

    if (shape.depth <= JSON_DEPTH_MAX && shape.values <= JSON_VALUES_MAX) {
        return OK;
    }
    json_findings_add(findings, STR_EMPTY, "malformed",
                      arena_printf(arena,
                                   "Not acceptable JSON: at most %d levels and %d values are, and "
                                   "this has %zu and %zu.",
                                   JSON_DEPTH_MAX, JSON_VALUES_MAX, shape.depth, shape.values));
    return arena_overflowed(arena) ? ERR_NO_SPACE : ERR_MALFORMED_JSON;
}
