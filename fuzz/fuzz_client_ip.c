/* SPDX-License-Identifier: Apache-2.0 */
/* X-Forwarded-For as anybody may send it: the answer is an address in its canonical form, and what a
 * client writes left of the hop that a proxy appended changes nothing. */
#include "buf.h"
#include "client_ip.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct str tail = {", 203.0.113.9, 10.0.0.2", 23};
    struct arena *arena = fuzz_arena();
    struct str header = fuzz_str(data, size);
    struct network_address address;
    struct network_list proxies;
    struct buf out;
    struct str client;

    if (size > 8192) {
        return 0;
    }
    assert(network_list_parse(STR("10.0.0.0/8"), &proxies) == OK);
    client = client_ip(&proxies, arena, STR("10.0.0.1"), header);
    assert(network_parse(client, &address) == OK);
    assert(str_equal(network_text(arena, &address), client));
    out = buf_in(arena, size + tail.len);
    buf_append(&out, header);
    buf_append(&out, tail);
    client = client_ip(&proxies, arena, STR("10.0.0.1"), buf_str(&out));
    assert(str_equal(client, STR("203.0.113.9")));
    return 0;
}
