/* SPDX-License-Identifier: Apache-2.0 */
/* JSON Web Keys (RFC 7517). A key that is taken signs, and its public form shows nothing private and is
 * taken as a public key again; a public key is never one that signs. */
#include "buf.h"
#include "fuzz.h"
#include "json_in.h"
#include "signing.h"

static char text[SIGNING_JWK_BYTES_MAX];

static struct str public_of(const struct signing_key *key)
{
    struct buf buf = buf_over(text, sizeof(text));

    signing_key_public_jwk(key, &buf);
    assert(!buf.overflowed);
    return buf_str(&buf);
}

static struct signing_key *load(struct str jwk, bool is_private)
{
    struct signing_key *key = NULL;
    const char *why = NULL;
    enum error error =
        is_private ? signing_key_load(jwk, &key, &why) : signing_key_load_public(jwk, &key, &why);

    assert((error == OK) == (key != NULL) && (error == OK || why != NULL));
    assert(key == NULL || signing_key_can_sign(key) == is_private);
    return key;
}

static void check_private(const struct signing_key *key)
{
    struct str jwk = public_of(key);
    struct signing_key *half = load(jwk, false);

    assert(half != NULL && signing_key_is_same(key, half));
    for (size_t i = 0; i + 4 <= jwk.len; i++) {
        assert(!str_equal(str_sub(jwk, i, i + 4), STR("\"d\":")));
    }
    signing_key_free(half);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct signing_key *key;
    struct signing_key *half;

    crypto_start();
    json_in_start();
    key = load(fuzz_str(data, size), true);
    half = load(fuzz_str(data, size), false);
    assert(key == NULL || half == NULL);
    if (key != NULL) {
        check_private(key);
    }
    if (half != NULL) {
        (void)public_of(half);
    }
    signing_key_free(key);
    signing_key_free(half);
    return 0;
}
