/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Keys (RFC 7517). A key that is taken signs, and its public form shows nothing private. */
#include "buf.h"
#include "fuzz.h"
#include "json_in.h"
#include "signing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char text[SIGNING_JWK_BYTES_MAX];
    struct buf buf = buf_over(text, sizeof(text));
    struct signing_key *key = NULL;
    const char *why = NULL;

    crypto_start();
    json_in_start();
    if (signing_key_load(fuzz_str(data, size), &key, &why) != OK) {
        assert(key == NULL && why != NULL);
        return 0;
    }
    signing_key_public_jwk(key, &buf);
    assert(!buf.overflowed);
    for (size_t i = 0; i + 4 <= buf.len; i++) {
        assert(!str_equal(str_sub(buf_str(&buf), i, i + 4), STR("\"d\":")));
    }
    signing_key_free(key);
    return 0;
}
