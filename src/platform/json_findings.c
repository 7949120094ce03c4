/* SPDX-License-Identifier: Apache-2.0 */
#include "json_findings.h"

void json_findings_add(struct json_findings *self, struct str pointer, const char *code,
                       struct str detail)
{
    if (self == NULL || self->count == JSON_FINDINGS_MAX) {
        return;
    }
    self->items[self->count++] = (struct json_finding){pointer, code, detail};
}

/* RFC 6901 section 3: "~" is written as "~0" and "/" as "~1". */
struct str json_findings_pointer(struct arena *arena, struct str name)
{
    struct buf out = buf_in(arena, 1 + 2 * name.len);

    buf_append_byte(&out, '/');
    for (size_t i = 0; i < name.len; i++) {
        switch (name.ptr[i]) {
        case '~':
            buf_append(&out, STR("~0"));
            break;
        case '/':
            buf_append(&out, STR("~1"));
            break;
        default:
            buf_append_byte(&out, name.ptr[i]);
        }
    }
    return buf_str(&out);
}

struct str json_findings_shown(struct str name)
{
    size_t end = JSON_FINDINGS_NAME_BYTES_MAX;

    if (name.len <= end) {
        return name;
    }
    while (((unsigned char)name.ptr[end] & 0xc0U) == 0x80U) {
        end--;
    }
    return str_sub(name, 0, end);
}
