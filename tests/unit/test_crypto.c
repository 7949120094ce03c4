/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <pthread.h>
#include <stdlib.h>

#include "crypto.h"

static void assert_digest(struct crypto_digest digest, const char *hex)
{
    char memory[2 * CRYPTO_SHA256_BYTES];
    struct buf text = buf_over(memory, sizeof memory);

    codec_hex(&text, (struct str){(const char *)digest.bytes, sizeof digest.bytes});
    assert_str_equal(buf_str(&text), str_from(hex));
}

/* `bytes` times the same byte. */
static struct str repeat(char *memory, char byte, size_t bytes)
{
    memset(memory, byte, bytes);
    return (struct str){memory, bytes};
}

/* FIPS 180-4, the examples of NIST's "SHA256.pdf", and the empty message. */
static void sha256_vectors(void **state)
{
    static char million[1000000];

    (void)state;
    assert_digest(crypto_sha256(STR("")),
                  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_digest(crypto_sha256(STR("abc")),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_digest(crypto_sha256(STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    assert_digest(crypto_sha256(repeat(million, 'a', sizeof million)),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

/* RFC 4231 section 4, cases 1, 2, 3, 6 and 7. */
static void hmac_vectors(void **state)
{
    char key[131];
    char data[64];

    (void)state;
    assert_digest(crypto_hmac_bytes(repeat(key, 0x0b, 20), STR("Hi There")),
                  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    assert_digest(crypto_hmac_bytes(STR("Jefe"), STR("what do ya want for nothing?")),
                  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_digest(crypto_hmac_bytes(repeat(key, (char)0xaa, 20), repeat(data, (char)0xdd, 50)),
                  "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    assert_digest(crypto_hmac_bytes(repeat(key, (char)0xaa, 131),
                                    STR("Test Using Larger Than Block-Size Key - Hash Key First")),
                  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    assert_digest(crypto_hmac_bytes(
                      repeat(key, (char)0xaa, 131),
                      STR("This is a test using a larger than block-size key and a larger than "
                          "block-size data. The key needs to be hashed before being used by the "
                          "HMAC algorithm.")),
                  "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* An empty key is a key, and not the one before. */
static void hmac_of_empty_key(void **state)
{
    static const char expected[] =
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";

    (void)state;
    (void)crypto_hmac_bytes(STR("another key"), STR("data"));
    assert_digest(crypto_hmac_bytes(STR(""), STR("")), expected);
    (void)crypto_hmac_bytes(STR("another key"), STR("data"));
    assert_digest(crypto_hmac_bytes((struct str){NULL, 0}, (struct str){NULL, 0}), expected);
}

static struct crypto_key counting_key(void)
{
    struct crypto_key key;

    for (size_t i = 0; i < sizeof key.bytes; i++) {
        key.bytes[i] = (uint8_t)i;
    }
    return key;
}

static void hmac_of_a_key_is_that_of_its_bytes(void **state)
{
    struct crypto_key key = counting_key();
    struct str bytes = {(const char *)key.bytes, sizeof key.bytes};
    struct crypto_digest a = crypto_hmac(&key, STR("data"));
    struct crypto_digest b = crypto_hmac_bytes(bytes, STR("data"));

    (void)state;
    assert_memory_equal(a.bytes, b.bytes, sizeof a.bytes);
}

/* Expected values: RFC 5869 written down in Python over hmac and hashlib, and that checked against
 * the RFC's test case 3. */
static void hkdf_vectors(void **state)
{
    struct crypto_key key = counting_key();
    struct crypto_key pepper = crypto_hkdf(&key, STR("pepper"));
    struct crypto_key refresh = crypto_hkdf(&key, STR("refresh"));
    struct crypto_digest digest;

    (void)state;
    memcpy(digest.bytes, pepper.bytes, sizeof digest.bytes);
    assert_digest(digest, "78a24b6346b3891f3b2fb3bfc15c151e7a11c8ca7a4ae6cc3f0c8f4b642585fc");
    memcpy(digest.bytes, refresh.bytes, sizeof digest.bytes);
    assert_digest(digest, "d2884b0eca815bf452861dbd8393928f9964664b394644830b424cfab6745e79");
}

static void assert_version(struct uuid id, unsigned version)
{
    assert_int_equal(id.bytes[6] >> 4, version);
    assert_int_equal(id.bytes[8] >> 6, 2); /* RFC 9562 section 4.1 */
}

static void uuid4_is_random(void **state)
{
    struct uuid before = {{0}};

    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct uuid id = crypto_uuid4();

        assert_version(id, 4);
        assert_false(uuid_equal(id, before));
        before = id;
    }
}

/* The time of RFC 9562's example, appendix A.6. */
static void uuid7_carries_its_time(void **state)
{
    static const uint8_t time[] = {0x01, 0x7f, 0x22, 0xe2, 0x79, 0xb0};
    struct uuid id = crypto_uuid7(INT64_C(0x017f22e279b0));
    struct uuid later = crypto_uuid7(INT64_C(0x017f22e279b1));

    (void)state;
    assert_version(id, 7);
    assert_memory_equal(id.bytes, time, sizeof time);
    assert_true(memcmp(id.bytes, later.bytes, sizeof id.bytes) < 0);
    assert_false(uuid_equal(id, crypto_uuid7(INT64_C(0x017f22e279b0))));
}

static void uuid7_before_1970(void)
{
    (void)crypto_uuid7(-1);
}

static void uuid7_of_an_impossible_time_aborts(void **state)
{
    (void)state;
    assert_true(unit_aborts(uuid7_before_1970));
}

/* Each bit is set in about half of the draws: 4000 of them are within 7 sigma. */
static void random_uses_every_bit(void **state)
{
    unsigned counts[64] = {0};

    (void)state;
    for (int i = 0; i < 4000; i++) {
        uint64_t value;

        crypto_random(&value, sizeof value);
        for (int bit = 0; bit < 64; bit++) {
            counts[bit] += (unsigned)(value >> bit & 1);
        }
    }
    for (int bit = 0; bit < 64; bit++) {
        assert_in_range(counts[bit], 1780, 2220);
    }
}

static void equal_looks_at_every_byte(void **state)
{
    uint8_t a[32] = {0};
    uint8_t b[32] = {0};

    (void)state;
    assert_true(crypto_equal(a, b, sizeof a));
    for (size_t i = 0; i < sizeof a; i++) {
        b[i] = 0x80;
        assert_false(crypto_equal(a, b, sizeof a));
        b[i] = 0;
    }
    assert_true(crypto_equal(a, b, 0));
}

static void wipe_leaves_zeros(void **state)
{
    uint8_t secret[] = {1, 2, 3};
    static const uint8_t zeros[3];

    (void)state;
    crypto_wipe(secret, sizeof secret);
    assert_memory_equal(secret, zeros, sizeof secret);
}

static void *hash_much(void *pointer)
{
    uint64_t seed = (uintptr_t)pointer;

    for (int i = 0; i < 2000; i++) {
        uint64_t value = unit_random(&seed);
        struct str text = {(const char *)&value, sizeof value};
        struct crypto_digest a = crypto_hmac_bytes(STR("key"), text);
        struct crypto_digest b;

        (void)crypto_sha256(text);
        b = crypto_hmac_bytes(STR("key"), text);
        if (!crypto_equal(a.bytes, b.bytes, sizeof a.bytes)) {
            return pointer;
        }
    }
    return NULL;
}

/* Each with contexts of its own, which end with it (LeakSanitizer looks). */
static void threads_do_not_meet(void **state)
{
    pthread_t threads[8];

    (void)state;
    for (uintptr_t i = 0; i < 8; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_much, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 8; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static int start(void **state)
{
    (void)state;
    crypto_start();
    crypto_start(); /* twice does no harm */
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_vectors),
        cmocka_unit_test(hmac_vectors),
        cmocka_unit_test(hmac_of_empty_key),
        cmocka_unit_test(hmac_of_a_key_is_that_of_its_bytes),
        cmocka_unit_test(hkdf_vectors),
        cmocka_unit_test(uuid4_is_random),
        cmocka_unit_test(uuid7_carries_its_time),
        cmocka_unit_test(uuid7_of_an_impossible_time_aborts),
        cmocka_unit_test(random_uses_every_bit),
        cmocka_unit_test(equal_looks_at_every_byte),
        cmocka_unit_test(wipe_leaves_zeros),
        cmocka_unit_test(threads_do_not_meet),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
