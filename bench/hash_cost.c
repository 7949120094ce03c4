/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For each line of its input makes one Argon2id hash and prints its CPU time in nanoseconds, so that
 * who measures can do so in turns: hash_plain calls crypto_pwhash of libsodium as shipped,
 * hash_resident our password_hash_make.
 *
 * usage: hash_plain MEMORY_KIB PASSES
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "str.h"

#ifdef RESIDENT
#include "password_hash.h"

static struct password_hasher *hasher;

static int start(uint32_t memory_kib, uint32_t passes)
{
    crypto_start();
    hasher = password_hasher_new((struct password_hash_cost){memory_kib, passes});
    return hasher != NULL;
}

static int hash_once(void)
{
    struct password_hash out;

    return password_hash_make(hasher, STR("correct horse battery staple"), &out) == OK;
}
#else
#include <sodium.h>

static size_t memory_bytes;
static unsigned long long operations;

static int start(uint32_t memory_kib, uint32_t passes)
{
    memory_bytes = (size_t)memory_kib * 1024;
    operations = passes;
    return sodium_init() >= 0;
}

static int hash_once(void)
{
    static const unsigned char salt[crypto_pwhash_SALTBYTES] = "0123456789abcde";
    static const char password[] = "correct horse battery staple";
    unsigned char out[32];

    return crypto_pwhash(out, sizeof(out), password, sizeof(password) - 1, salt, operations,
                         memory_bytes, crypto_pwhash_ALG_ARGON2ID13) == 0;
}
#endif

int main(int argc, char **argv)
{
    uint64_t numbers[2];

    for (int i = 0; i < 2; i++) {
        if (argc != 3 || str_to_u64(str_from(argv[i + 1]), &numbers[i]) != OK) {
            (void)fprintf(stderr, "usage: %s MEMORY_KIB PASSES\n", argv[0]);
            return 2;
        }
    }
    if (!start((uint32_t)numbers[0], (uint32_t)numbers[1]) || !hash_once()) { /* warm */
        return EXIT_FAILURE;
    }
    while (getchar() == '\n') {
        int64_t before_ns = clock_process_cpu_ns();

        if (!hash_once()) {
            return EXIT_FAILURE;
        }
        (void)printf("%" PRId64 "\n", clock_process_cpu_ns() - before_ns);
        (void)fflush(stdout);
    }
    return EXIT_SUCCESS;
}
