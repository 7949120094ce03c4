/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a look at the set of revocations costs. Prints three numbers of nanoseconds: of a token that is
 * revoked, of one that is not, both on average with so many entries in the set; and the 99th
 * percentile of one that is not, while another thread fills the set.
 *
 * usage: revocation_cost ENTRIES
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "crypto.h"
#include "revocation.h"

enum { LOOKS = 2000000, KEPT = 4000000, TTL_S = 3600, STALE_MS = 3600000 };

static struct revocations *set;
static uint64_t entries;
static atomic_bool is_full;
static uint32_t kept[KEPT];

static struct uuid numbered(uint64_t number)
{
    struct uuid out = {{0x01, 0x9a}};

    for (unsigned i = 0; i < 8; i++) {
        out.bytes[15 - i] = (uint8_t)(number >> (8 * i));
    }
    return out;
}

static enum revocation_verdict look(uint64_t number)
{
    const struct revocation_query query = {
        .sid = numbered(number),
        .sub = STR("7fa52954-021f-4b19-ac1c-76de14cd36d3"),
        .auth_ver = 1,
    };

    return revocation_judge(set, &query);
}

static void *fill(void *context)
{
    const int64_t expires_s = clock_wall_s() + TTL_S;

    (void)context;
    for (uint64_t i = 0; i < entries; i++) {
        revocation_add_session(set, numbered(i), expires_s);
    }
    atomic_store(&is_full, true);
    return NULL;
}

/* Places in memory in no order that a cache could foresee. */
static double average_ns(uint64_t from, enum revocation_verdict wanted)
{
    const int64_t began_ns = clock_thread_cpu_ns();

    for (uint64_t i = 0; i < LOOKS; i++) {
        if (look(from + i * UINT64_C(2654435761) % entries) != wanted) {
            (void)fputs("a wrong verdict\n", stderr);
            exit(EXIT_FAILURE);
        }
    }
    return (double)(clock_thread_cpu_ns() - began_ns) / LOOKS;
}

static int by_size(const void *a, const void *b)
{
    const uint32_t first = *(const uint32_t *)a;
    const uint32_t second = *(const uint32_t *)b;

    return first < second ? -1 : first > second;
}

/* Those of the whole time: what comes late replaces what came early. */
static uint32_t slow_ns_while_filling(void)
{
    size_t count = 0;
    size_t have;

    while (!atomic_load(&is_full)) {
        const int64_t began_ns = clock_mono_ns();

        (void)look(entries + count);
        kept[count++ % KEPT] = (uint32_t)(clock_mono_ns() - began_ns);
    }
    have = count < KEPT ? count : KEPT;
    qsort(kept, have, sizeof(kept[0]), by_size);
    return have == 0 ? 0 : kept[have - 1 - have / 100];
}

int main(int argc, char **argv)
{
    pthread_t filler;
    uint32_t slow_ns;

    if (argc != 2 || str_to_u64(str_from(argv[1]), &entries) != OK || entries == 0) {
        (void)fprintf(stderr, "usage: %s ENTRIES\n", argv[0]);
        return 2;
    }
    crypto_start();
    set = revocation_new(STALE_MS);
    revocation_read(set, clock_mono_ms());
    if (pthread_create(&filler, NULL, fill, NULL) != 0) {
        return EXIT_FAILURE;
    }
    slow_ns = slow_ns_while_filling();
    (void)pthread_join(filler, NULL);
    (void)printf("%.0f %.0f %" PRIu32 "\n", average_ns(0, REVOCATION_FOUND),
                 average_ns(entries, REVOCATION_NONE), slow_ns);
    return EXIT_SUCCESS;
}
