/* SPDX-License-Identifier: Apache-2.0 */
#include "json_depth.h"

bool json_depth_ok(struct str text, size_t levels_max)
{
    size_t depth = 0;
    bool in_string = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (in_string && c == '\\') {
            i++; /* whatever is escaped, it neither ends the string nor nests */
            continue;
        }
        if (c == '"') {
            in_string = !in_string;
        }
        if (in_string) {
            continue;
        }
        if (c == '{' || c == '[') {
            depth++;
        }
        if ((c == '}' || c == ']') && depth > 0) {
            depth--;
        }
        if (depth > levels_max) {
            return false;
        }
    }
    return true;
}
