/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "siphash.h"

/* Key 00…0f, data 00, 01, 02, …: as `openssl mac -macopt size:16 … SIPHASH` answers. */
static const struct {
    size_t len;
    uint8_t bytes[16];
} known[] = {
    {0,
     {0xA3, 0x81, 0x7F, 0x04, 0xBA, 0x25, 0xA8, 0xE6, 0x6D, 0xF6, 0x72, 0x14, 0xC7, 0x55, 0x02,
      0x93}},
    {1,
     {0xDA, 0x87, 0xC1, 0xD8, 0x6B, 0x99, 0xAF, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9B, 0x22, 0xFC,
      0x45}},
    {7,
     {0xA1, 0xF1, 0xEB, 0xBE, 0xD8, 0xDB, 0xC1, 0x53, 0xC0, 0xB8, 0x4A, 0xA6, 0x1F, 0xF0, 0x82,
      0x39}},
    {8,
     {0x3B, 0x62, 0xA9, 0xBA, 0x62, 0x58, 0xF5, 0x61, 0x0F, 0x83, 0xE2, 0x64, 0xF3, 0x14, 0x97,
      0xB4}},
    {15,
     {0x54, 0x93, 0xE9, 0x99, 0x33, 0xB0, 0xA8, 0x11, 0x7E, 0x08, 0xEC, 0x0F, 0x97, 0xCF, 0xC3,
      0xD9}},
    {16,
     {0x6E, 0xE2, 0xA4, 0xCA, 0x67, 0xB0, 0x54, 0xBB, 0xFD, 0x33, 0x15, 0xBF, 0x85, 0x23, 0x05,
      0x77}},
    {36,
     {0x3D, 0xC4, 0x7D, 0x1F, 0x29, 0xC4, 0x48, 0x46, 0x1E, 0x9E, 0x76, 0xED, 0x90, 0x4F, 0x67,
      0x11}},
    {63,
     {0x51, 0x50, 0xD1, 0x77, 0x2F, 0x50, 0x83, 0x4A, 0x50, 0x3E, 0x06, 0x9A, 0x97, 0x3F, 0xBD,
      0x7C}},
};

static struct siphash_key counting_key(void)
{
    struct siphash_key key;

    for (uint8_t i = 0; i < SIPHASH_KEY_BYTES; i++) {
        key.bytes[i] = i;
    }
    return key;
}

static void known_answers(void **state)
{
    const struct siphash_key key = counting_key();
    char data[64];

    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (char)i;
    }
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct siphash got = siphash_of(&key, (struct str){data, known[i].len});

        for (size_t byte = 0; byte < 16; byte++) {
            assert_int_equal((uint8_t)(got.words[byte / 8] >> (8 * (byte % 8))),
                             known[i].bytes[byte]);
        }
    }
}

static void the_key_matters(void **state)
{
    struct siphash_key other = counting_key();
    const struct siphash_key key = counting_key();

    (void)state;
    other.bytes[15] ^= 1;
    assert_true(siphash_equal(siphash_of(&key, STR("a")), siphash_of(&key, STR("a"))));
    assert_false(siphash_equal(siphash_of(&key, STR("a")), siphash_of(&other, STR("a"))));
    assert_false(siphash_equal(siphash_of(&key, STR("a")), siphash_of(&key, STR("b"))));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(the_key_matters),
    };

    return cmocka_run_group_tests_name("siphash", tests, NULL, NULL);
}
