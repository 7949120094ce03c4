/* SPDX-License-Identifier: Apache-2.0 */
/* A keyring with one key, for the targets whose tokens carry a MAC. */
#pragma once

#include "fuzz.h"
#include "json_in.h"
#include "keyring.h"

static inline const struct keyring *keyring_of_one(void)
{
    static const struct str secret = STR(
        "{\"current\":\"k1\",\"keys\":{\"k1\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}}");
    static struct keyring *loaded;
    const char *why = "";

    if (loaded) {
        return loaded;
    }
    crypto_start();
    json_in_start();
    if (keyring_load(fuzz_arena(), secret, &loaded, &why) != OK) {
        assert(!"the keyring is good");
    }
    return loaded;
}
