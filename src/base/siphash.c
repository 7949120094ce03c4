/* SPDX-License-Identifier: Apache-2.0 */
#include "siphash.h"

enum { ROUNDS_A_WORD = 2, ROUNDS_AT_END = 4, WORD_BYTES = 8 };

struct state {
    uint64_t v[4];
};

static uint64_t rotate(uint64_t word, unsigned bits)
{
    return (word << bits) | (word >> (64 - bits));
}

/* Up to eight bytes, little endian. */
static uint64_t load(const char *bytes, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < count; i++) {
        word |= (uint64_t)(unsigned char)bytes[i] << (8 * i);
    }
    return word;
}

static void rounds(struct state *s, unsigned count)
{
    uint64_t *v = s->v;

    for (unsigned i = 0; i < count; i++) {
        v[0] += v[1];
        v[2] += v[3];
        v[1] = rotate(v[1], 13) ^ v[0];
        v[3] = rotate(v[3], 16) ^ v[2];
        v[0] = rotate(v[0], 32);
        v[2] += v[1];
        v[0] += v[3];
        v[1] = rotate(v[1], 17) ^ v[2];
        v[3] = rotate(v[3], 21) ^ v[0];
        v[2] = rotate(v[2], 32);
    }
}

static void absorb(struct state *s, uint64_t word)
{
    s->v[3] ^= word;
    rounds(s, ROUNDS_A_WORD);
    s->v[0] ^= word;
}

static uint64_t fold(const struct state *s)
{
    return s->v[0] ^ s->v[1] ^ s->v[2] ^ s->v[3];
}

/* The constants are "somepseudorandomlygeneratedbytes"; 0xee and 0xdd belong to the long output. */
struct siphash siphash_of(const struct siphash_key *key, struct str data)
{
    const uint64_t k0 = load((const char *)key->bytes, WORD_BYTES);
    const uint64_t k1 = load((const char *)key->bytes + WORD_BYTES, WORD_BYTES);
    const size_t whole = data.len - data.len % WORD_BYTES;
    struct siphash out;
    struct state s = {{
        k0 ^ UINT64_C(0x736f6d6570736575),
        k1 ^ UINT64_C(0x646f72616e646f6d) ^ 0xee,
        k0 ^ UINT64_C(0x6c7967656e657261),
        k1 ^ UINT64_C(0x7465646279746573),
    }};

    for (size_t at = 0; at < whole; at += WORD_BYTES) {
        absorb(&s, load(data.ptr + at, WORD_BYTES));
    }
    absorb(&s, load(data.ptr + whole, data.len - whole) | ((uint64_t)data.len << 56));
    s.v[2] ^= 0xee;
    rounds(&s, ROUNDS_AT_END);
    out.words[0] = fold(&s);
    s.v[1] ^= 0xdd;
    rounds(&s, ROUNDS_AT_END);
    out.words[1] = fold(&s);
    return out;
}

bool siphash_equal(struct siphash a, struct siphash b)
{
    return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}
