/* SPDX-License-Identifier: Apache-2.0 */
/* Times that an operator types: what reads, reads back from its own writing. */
#include "codec.h"
#include "fuzz.h"
#include "rfc3339.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char memory[RFC3339_BYTES_MAX + 1];
    struct buf out = buf_over(memory, sizeof(memory));
    int64_t again = -1;
    int64_t ms = -1;

    if (rfc3339_parse((struct str){(const char *)data, size}, &ms) != OK) {
        assert(ms == -1);
        return 0;
    }
    assert(ms >= 0);
    codec_rfc3339(&out, ms);
    assert(!out.overflowed);
    /* A day ahead of UTC the last hours of 9999 are in a year that nobody can write. */
    assert(rfc3339_parse(buf_str(&out), &again) == OK);
    assert(again == ms || ms > 253402300799999);
    return 0;
}
