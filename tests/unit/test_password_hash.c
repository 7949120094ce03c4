/* SPDX-License-Identifier: Apache-2.0 */
/* Built twice: with libsodium's memory resident, and (PASSWORD_HASH_PLAIN) as it is shipped. */
#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "password_hash.h"

enum { MEMORY_KIB = 19456, PASSES = 2 };

static const struct password_hash_cost cost = {MEMORY_KIB, PASSES};
static struct password_hasher *hasher;

struct vector {
    const char *password;
    const char *phc;
};

static const struct vector argon2_vectors[] = {
    /* libsodium, test/default/pwhash_argon2id.c, tv3; the second has three lanes */
    {"", "$argon2id$v=19$m=4882,t=2,p=1$bA81arsiXysd3WbTRzmEOw$"
         "Nm8QBM+7RH1DXo9rvp5cwKEOOOfD2g6JuxlXihoNcpE"},
    {"K3S=KyH#)36_?]LxeR8QNKw6X=gFbxai$C%29V*",
     "$argon2id$v=19$m=4096,t=1,p=3$PkEgcHJldHR5IGxvbmcgc2FsdA$"
     "HUqx5Z1b/ZypnUrvvJ5UC2Q+T6Q1WwASK/Kr9dRbGA0"},
    /* made with argon2-cffi 25.1.0, which is the reference implementation */
    {"correct horse battery staple", "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
                                     "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0"},
    {"correct horse battery staple", "$argon2id$v=19$m=19456,t=2,p=4$MDEyMzQ1Njc4OWFiY2RlZg$"
                                     "KVornnpsyOfSSpMmKG4pySYD6NnHGoRAFH3rz8DwR3U"},
    {"correct horse battery staple",
     "$argon2id$v=19$m=65536,t=3,p=8$c2FsdHNhbHQ$"
     "Q8eZ3ObBmUiib2dJ9gfsJkqt0JuDiw4cE5gM+KCPD0gZbQVPKG9rXNSgzvZiPJGN66zh33VMnEt8aF0w46OVdQ"},
    {"", "$argon2id$v=19$m=102400,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$8JWSTBjuq3StpZElkhcpMg"},
    {"x", "$argon2id$v=19$m=8,t=1,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
          "J5L9qf3Gg0R/SDGCa3AT3YtCqSs82pvC3aTZR36BU8M"},
};

/* Openwall crypt_blowfish, wrapper.c */
static const struct vector bcrypt_vectors[] = {
    {"U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"},
    {"U*U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK"},
    {"U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a"},
    {"\xff\xff\xa3", "$2y$05$/OK.fbVrR/bpIqNJ5ianF.CE5elHaaO4EbggVDjb8P19RukzXSM3e"},
    {"\xa3", "$2b$05$/OK.fbVrR/bpIqNJ5ianF.Sa7shbm4.OzKpvFnX1pQLmQW96oUlCq"},
    {"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789chars after 72 are "
     "ignored",
     "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui"},
};

static void check_vector(const struct vector *vector)
{
    char wrong[128];
    struct str password = str_from(vector->password);

    assert_int_equal(password_hash_check(vector->phc), OK);
    assert_int_equal(password_hash_verify(hasher, password, vector->phc), OK);
    (void)snprintf(wrong, sizeof wrong, "?%s", vector->password);
    assert_int_equal(password_hash_verify(hasher, str_from(wrong), vector->phc),
                     ERR_INVALID_CREDENTIALS);
}

/* Several times over: the memory is what the hash before has left in it. */
static void argon2_known_answers(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < sizeof argon2_vectors / sizeof *argon2_vectors; i++) {
            check_vector(&argon2_vectors[i]);
        }
    }
}

/* The ones of tv3 that are wrong on purpose. */
static void argon2_wrong_answers(void **state)
{
    (void)state;
    assert_int_equal(password_hash_verify(hasher, STR(""),
                                          "$argon2id$v=19$m=2048,t=4,p=1$SWkxaUhpY21ISDcrRnYzSw$"
                                          "Mbg/Eck1kpZir5T9io7C64cpffdTBaORgyriLQFgQj8"),
                     ERR_INVALID_CREDENTIALS);
    assert_int_equal(password_hash_verify(hasher, STR(""),
                                          "$argon2id$v=19$m=4096,t=0,p=1$X1NhbHQAAAAAAAAAAAAAAA$"
                                          "bWh++MKN1OiFHKgIWTLvIi1iHicmHH7+Fv3K88ifFfI"),
                     ERR_INVALID);
}

static void bcrypt_known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bcrypt_vectors / sizeof *bcrypt_vectors; i++) {
        check_vector(&bcrypt_vectors[i]);
    }
}

/* bcrypt stops at a NUL: "U*U\0anything" would be "U*U". And it looks at 72 bytes. */
static void bcrypt_takes_no_nul_and_any_length(void **state)
{
    static char huge[4096];

    (void)state;
    memset(huge, 'x', sizeof huge);
    assert_int_equal(password_hash_verify(hasher, (struct str){"U*U\0x", 5}, bcrypt_vectors[0].phc),
                     ERR_INVALID_CREDENTIALS);
    assert_int_equal(password_hash_verify(hasher, (struct str){huge, sizeof huge},
                                          "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/"
                                          "B.Y5XdysS6yR576q"),
                     OK);
    assert_int_equal(password_hash_verify(hasher, (struct str){NULL, 0}, bcrypt_vectors[0].phc),
                     ERR_INVALID_CREDENTIALS);
}

static void made_hashes_verify(void **state)
{
    static const char prefix[] = "$argon2id$v=19$m=19456,t=2,p=1$";
    static const char bytes[] = {0, 1, (char)0xff, 0};
    struct str input = {bytes, sizeof bytes};
    struct password_hash first;
    struct password_hash second;

    (void)state;
    assert_int_equal(password_hash_make(hasher, input, &first), OK);
    assert_int_equal(password_hash_make(hasher, input, &second), OK);
    assert_int_equal(strncmp(first.text, prefix, sizeof prefix - 1), 0);
    assert_string_not_equal(first.text, second.text); /* a salt each */
    assert_int_equal(password_hash_verify(hasher, input, first.text), OK);
    assert_int_equal(password_hash_verify(hasher, input, second.text), OK);
    assert_int_equal(password_hash_verify(hasher, STR(""), first.text), ERR_INVALID_CREDENTIALS);
    assert_false(password_hash_outdated(hasher, first.text));
}

static void outdated_is_any_other_cost(void **state)
{
    static const char *const outdated[] = {
        "$argon2id$v=19$m=19455,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
        "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
        "$argon2id$v=19$m=19456,t=3,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"
        "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
        "$argon2id$v=19$m=19456,t=2,p=2$MDEyMzQ1Njc4OWFiY2RlZg$"
        "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
        "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ$"
        "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0",
        "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$8JWSTBjuq3StpZElkhcpMg",
        "$2b$12$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
        "nonsense",
    };

    (void)state;
    assert_false(password_hash_outdated(hasher, argon2_vectors[2].phc));
    for (size_t i = 0; i < sizeof outdated / sizeof *outdated; i++) {
        assert_true(password_hash_outdated(hasher, outdated[i]));
    }
}

#define SALT "MDEyMzQ1Njc4OWFiY2RlZg"
#define TAG "gy5SuVm5Z7Vw7keB9se9p87QGcomaseB/S2U1OhTsM0"

static const char *const refused[] = {
    "",
    "$",
    "plain text",
    "$argon2id$",
    "$argon2id$v=19$",
    "$argon2id$v=19$m=19456,t=2,p=1",
    "$argon2id$v=19$m=19456,t=2,p=1$",
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT,
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$",
    "$argon2id$v=19$m=19456,t=2,p=1$$" TAG,
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" TAG "$",
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" TAG "=",
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" TAG "\n",
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "==$" TAG,
    " $argon2id$v=19$m=19456,t=2,p=1$" SALT "$" TAG,
    "$argon2i$v=19$m=19456,t=2,p=1$" SALT "$" TAG,
    "$argon2d$v=19$m=19456,t=2,p=1$" SALT "$" TAG,
    "$ARGON2ID$v=19$m=19456,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=16$m=19456,t=2,p=1$" SALT "$" TAG,
    "$argon2id$m=19456,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$t=2,m=19456,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=2$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=2,p=1,data=YQ$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=2,p=1,$" SALT "$" TAG,
    "$argon2id$v=19$m=019456,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=+19456,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=-1,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=7,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=31,t=2,p=4$" SALT "$" TAG,
    "$argon2id$v=19$m=102401,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=4294967296,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=18446744073709551616,t=2,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=0,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=17,p=1$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=2,p=0$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=2,p=9$" SALT "$" TAG,
    "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Ng$" TAG,                 /* 7 bytes of salt */
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$8JWSTBjuq3StpZElkhcp",   /* 15 bytes of tag */
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$8JWSTBjuq3StpZElkhcpMh", /* stray bits */
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$8JWSTBjuq3StpZElkhcpM",  /* no such length */
    "$argon2id$v=19$m=19456,t=2,p=1$" SALT "$8JWSTBjuq3StpZElkhc_Mg",
    "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576",
    "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576qq",
    "$2x$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "$2$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576qx",
    "$2b$03$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "$2b$15$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "$2b$31$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "$2b$5a$abcdefghijklmnopqrstuujf8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "$2b$05$abcdefghijklmnopqrstuujf8SX2ahXLwp9w+B.Y5XdysS6yR576q",
    "$2b$05$abcdefghijklmnopqrstuu:f8SX2ahXLwp9w/B.Y5XdysS6yR576q",
    "$1$salt$hash",
    "*0",
};

static void malformed_and_dear_hashes_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        if (password_hash_check(refused[i]) != ERR_INVALID) {
            fail_msg("%s is accepted", refused[i]);
        }
        assert_int_equal(password_hash_verify(hasher, STR("x"), refused[i]), ERR_INVALID);
    }
    assert_int_equal(password_hash_check(NULL), ERR_INVALID);
}

static void long_hashes_are_refused(void **state)
{
    char text[400];

    (void)state;
    memset(text, 'A', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_int_equal(password_hash_check(text), ERR_INVALID);
    memcpy(text, argon2_vectors[2].phc, strlen(argon2_vectors[2].phc));
    assert_int_equal(password_hash_check(text), ERR_INVALID);
}

/* Every text that differs in one byte is refused or is another hash; none is taken for the same. */
static void no_byte_is_ignored(void **state)
{
    const struct vector *vector = &argon2_vectors[6];
    char text[PASSWORD_HASH_BYTES_MAX];
    size_t length = strlen(vector->phc);

    (void)state;
    for (size_t i = 0; i < length; i++) {
        memcpy(text, vector->phc, length + 1);
        for (int bit = 0; bit < 7; bit++) {
            text[i] = (char)(vector->phc[i] ^ 1 << bit);
            assert_int_not_equal(password_hash_verify(hasher, STR("x"), text), OK);
        }
    }
}

static void *hash_much(void *pointer)
{
    const struct password_hash_cost small = {64, 1};
    struct password_hasher *own = password_hasher_new(small);
    struct password_hash hash;
    char text[32];

    for (int i = 0; i < 200; i++) {
        struct str input = {text, (size_t)snprintf(text, sizeof text, "%p %d", pointer, i)};

        if (password_hash_make(own, input, &hash) != OK ||
            password_hash_verify(own, input, hash.text) != OK ||
            password_hash_verify(own, STR("x"), hash.text) != ERR_INVALID_CREDENTIALS) {
            break;
        }
        pointer = i == 199 ? NULL : pointer;
    }
    password_hasher_free(own);
    return pointer;
}

static void threads_have_their_own_hasher(void **state)
{
    pthread_t threads[4];

    (void)state;
    for (uintptr_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, hash_much, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed;

        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void free_of_nothing(void **state)
{
    (void)state;
    password_hasher_free(NULL);
    password_hasher_free(password_hasher_new(cost)); /* has never hashed */
}

#ifndef PASSWORD_HASH_PLAIN

/* The second number of the file, in pages. */
static long resident_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char line[128] = "";
    char *rest = line;

    assert_non_null(file);
    assert_non_null(fgets(line, sizeof line, file));
    (void)fclose(file);
    (void)strtol(rest, &rest, 10);
    return strtol(rest, &rest, 10) * (sysconf(_SC_PAGESIZE) / 1024);
}

static long page_faults(void)
{
    struct rusage usage;

    assert_int_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_minflt;
}

static void memory_stays(void **state)
{
    struct password_hash hash;
    long before;

    (void)state;
    assert_int_equal(password_hash_make(hasher, STR("x"), &hash), OK);
    before = page_faults();
    for (int i = 0; i < 4; i++) {
        assert_int_equal(password_hash_make(hasher, STR("x"), &hash), OK);
    }
    assert_true(page_faults() - before < 64); /* of 4 x 4864 without it */
}

static void idle_memory_is_given_back(void **state)
{
    struct password_hash hash;
    long before;

    (void)state;
    assert_int_equal(password_hash_make(hasher, STR("x"), &hash), OK);
    before = resident_kib();
    password_hasher_trim(hasher, 60000);
    assert_true(resident_kib() > before - MEMORY_KIB / 2);
    password_hasher_trim(hasher, 0);
    assert_true(resident_kib() < before - MEMORY_KIB / 2);
    password_hasher_trim(hasher, 0);
    check_vector(&argon2_vectors[2]);
}

#endif

static int start(void **state)
{
    (void)state;
    crypto_start();
    hasher = password_hasher_new(cost);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    password_hasher_free(hasher);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(argon2_known_answers),
        cmocka_unit_test(argon2_wrong_answers),
        cmocka_unit_test(bcrypt_known_answers),
        cmocka_unit_test(bcrypt_takes_no_nul_and_any_length),
        cmocka_unit_test(made_hashes_verify),
        cmocka_unit_test(outdated_is_any_other_cost),
        cmocka_unit_test(malformed_and_dear_hashes_are_refused),
        cmocka_unit_test(long_hashes_are_refused),
        cmocka_unit_test(no_byte_is_ignored),
        cmocka_unit_test(threads_have_their_own_hasher),
        cmocka_unit_test(free_of_nothing),
#ifndef PASSWORD_HASH_PLAIN
        cmocka_unit_test(memory_stays),
        cmocka_unit_test(idle_memory_is_given_back),
#endif
    };

    return cmocka_run_group_tests(tests, start, stop);
}
