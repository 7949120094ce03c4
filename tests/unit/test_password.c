/* SPDX-License-Identifier: Apache-2.0 */
#include "support/auth.h"

#include "clock.h"

#define EMOJI "\xf0\x9f\x94\x91" /* one code point, four bytes */
#define FIVE_EMOJI EMOJI EMOJI EMOJI EMOJI EMOJI

static struct keyring *keyring;
static struct passwords passwords;
static struct password_hasher *hasher;

static const struct str right = STR("correct horse battery staple");

/* The record is a copy that outlives the arena. */
struct kept {
    char phc[PASSWORD_HASH_BYTES_MAX];
    char kid[KEYRING_KID_BYTES_MAX + 1];
    struct password_record record;
};

static struct kept *store_with(const struct passwords *with, struct str password)
{
    static struct kept kept[4];
    static size_t at;
    struct kept *self = &kept[at++ % 4];
    struct password_record record;

    assert_int_equal(password_store(with, hasher, auth_fresh_arena(), password, &record), OK);
    assert_true(record.phc.len < sizeof(self->phc));
    *self = (struct kept){0};
    memcpy(self->phc, record.phc.ptr, record.phc.len);
    memcpy(self->kid, record.pepper_kid.ptr, record.pepper_kid.len);
    self->record = (struct password_record){str_from(self->phc), str_from(self->kid)};
    return self;
}

static enum error verify_with(const struct passwords *with, struct str password,
                              const struct password_record *record)
{
    return password_verify(with, hasher, auth_fresh_arena(), password, record);
}

static enum error verify(struct str password, const struct password_record *record)
{
    return verify_with(&passwords, password, record);
}

static void only_the_right_one_matches(void **state)
{
    static const struct str wrong[] = {
        STR(""),
        STR("correct horse battery stapl"),
        STR("correct horse battery staplf"),
        STR("correct horse battery staple "),
        STR(" correct horse battery staple"),
        STR("Correct horse battery staple"),
        STR("correct horse battery staplecorrect horse battery staple"),
        STR("correct horse battery staple\0"),
    };
    struct kept *kept = store_with(&passwords, right);

    (void)state;
    assert_int_equal(verify(right, &kept->record), OK);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(verify(wrong[i], &kept->record), ERR_INVALID_CREDENTIALS);
    }
}

/* ASVS 6.2.8: no truncation. */
static void the_last_byte_counts(void **state)
{
    char text[PASSWORD_BYTES_MAX];
    struct kept *kept;

    (void)state;
    memset(text, 'a', sizeof(text));
    kept = store_with(&passwords, (struct str){text, 256});
    assert_int_equal(verify((struct str){text, 256}, &kept->record), OK);
    assert_int_equal(verify((struct str){text, 255}, &kept->record), ERR_INVALID_CREDENTIALS);
    text[255] = 'b';
    assert_int_equal(verify((struct str){text, 256}, &kept->record), ERR_INVALID_CREDENTIALS);
}

/* One password, typed on machines that compose and on machines that do not. */
static void nfc_and_nfd_are_one_password(void **state)
{
    static const struct {
        struct str nfc;
        struct str nfd;
    } rows[] = {
        {STR("pa\xc3\x9fwort m\xc3\xbc"
             "de"),
         STR("pa\xc3\x9fwort mu\xcc\x88"
             "de")},
        {STR("\xed\x95\x9c\xea\xb8\x80"), /* Hangul syllables, and their letters */
         STR("\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xb3\xe1\x86\xaf")},
        {STR("\xe1\xbb\x87"), STR("e\xcc\x82\xcc\xa3")}, /* marks in another order */
        {STR("\xc3\x85"), STR("\xe2\x84\xab")},          /* the angstrom sign is the letter */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kept *composed = store_with(&passwords, rows[i].nfc);
        struct kept *decomposed = store_with(&passwords, rows[i].nfd);

        assert_int_equal(verify(rows[i].nfc, &composed->record), OK);
        assert_int_equal(verify(rows[i].nfd, &composed->record), OK);
        assert_int_equal(verify(rows[i].nfc, &decomposed->record), OK);
        assert_int_equal(verify(rows[i].nfd, &decomposed->record), OK);
    }
}

/* NFC and not NFKC: what only looks alike is another password. */
static void what_looks_alike_is_another_password(void **state)
{
    static const struct str rows[][2] = {
        {STR("\xef\xac\x81"
             "ne"),
         STR("fine")}, /* fi as one letter */
        {STR("\xef\xbc\xa1"
             "BC"),
         STR("ABC")}, /* full width */
        {STR("\xd0\xb0"
             "bc"),
         STR("abc")}, /* Cyrillic */
        {STR("a\xe2\x80\x8b"
             "bc"),
         STR("abc")}, /* a space of no width */
        {STR("a\xc2\xad"
             "bc"),
         STR("abc")}, /* a soft hyphen */
        {STR("\xc2\xb2"), STR("2")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct kept *kept = store_with(&passwords, rows[i][0]);

        assert_int_equal(verify(rows[i][0], &kept->record), OK);
        assert_int_equal(verify(rows[i][1], &kept->record), ERR_INVALID_CREDENTIALS);
    }
}

static void no_two_records_are_alike(void **state)
{
    struct kept *one = store_with(&passwords, right);
    struct kept *two = store_with(&passwords, right);

    (void)state;
    assert_string_not_equal(one->phc, two->phc);
    assert_string_equal(one->kid, "k1");
    assert_int_equal(password_hash_check(one->phc), OK);
    assert_false(password_hash_outdated(hasher, one->phc));
    assert_null(strstr(one->phc, "correct"));
}

static void an_unknown_account_never_matches(void **state)
{
    static const struct str tries[] = {STR(""), STR("dummy"), STR("correct horse battery staple"),
                                       STR("\0"), STR("password")};

    (void)state;
    for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
        assert_int_equal(verify(tries[i], NULL), ERR_INVALID_CREDENTIALS);
    }
    assert_int_equal(verify(str_from(passwords.dummy.text), NULL), ERR_INVALID_CREDENTIALS);
}

/* Not even with a password that the stand-in happens to be of. */
static void the_stand_in_opens_nothing(void **state)
{
    struct passwords with = passwords;
    struct kept *kept = store_with(&passwords, right);

    (void)state;
    memcpy(with.dummy.text, kept->phc, sizeof(kept->phc));
    assert_int_equal(verify_with(&with, right, &kept->record), OK);
    assert_int_equal(verify_with(&with, right, NULL), ERR_INVALID_CREDENTIALS);
}

static void the_stand_in_costs_what_a_hash_costs(void **state)
{
    struct passwords other = {.keyring = keyring, .codepoints_min = 15, .peppered = true};

    (void)state;
    assert_int_equal(password_hash_check(passwords.dummy.text), OK);
    assert_false(password_hash_outdated(hasher, passwords.dummy.text));
    password_init(&other, auth_cheap());
    assert_string_not_equal(other.dummy.text, passwords.dummy.text);
    password_init(&other, (struct password_hash_cost){.memory_kib = 19456, .passes = 2});
    assert_int_equal(password_hash_check(other.dummy.text), OK);
    assert_true(password_hash_outdated(hasher, other.dummy.text));
}

/* The least CPU time of several, which a busy machine does not change much. */
static int64_t least_cpu_ns(const struct passwords *with, struct password_hasher *worker,
                            const struct password_record *record)
{
    int64_t least = INT64_MAX;

    for (unsigned i = 0; i < 12; i++) {
        int64_t before = clock_thread_cpu_ns();
        int64_t took;

        assert_int_equal(password_verify(with, worker, auth_fresh_arena(), STR("not it"), record),
                         ERR_INVALID_CREDENTIALS);
        took = clock_thread_cpu_ns() - before;
        least = took < least ? took : least;
    }
    return least;
}

/* No hash would take next to nothing, and two would take twice as much. */
static void an_unknown_account_costs_one_hash(void **state)
{
    const struct password_hash_cost cost = {.memory_kib = 8192, .passes = 1};
    struct password_hasher *worker = password_hasher_new(cost);
    struct passwords with = {.keyring = keyring, .codepoints_min = 15, .peppered = true};
    struct password_record record;
    unsigned char memory[4096];
    struct arena arena;
    int64_t known;
    int64_t unknown;

    (void)state;
    password_init(&with, cost);
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(password_store(&with, worker, &arena, right, &record), OK);
    known = least_cpu_ns(&with, worker, &record);
    unknown = least_cpu_ns(&with, worker, NULL);
    if (unknown < known * 6 / 10 || unknown > known * 16 / 10) {
        fail_msg("known %lld ns, unknown %lld ns", (long long)known, (long long)unknown);
    }
    password_hasher_free(worker);
}

static void an_old_pepper_still_verifies(void **state)
{
    struct keyring *rotated =
        auth_keyring("{\"current\":\"k2\",\"keys\":{" AUTH_K1 "," AUTH_K2 "}}");
    struct passwords after = auth_passwords(rotated);
    struct kept *old = store_with(&passwords, right);
    struct kept *fresh = store_with(&after, right);

    (void)state;
    assert_string_equal(old->kid, "k1");
    assert_string_equal(fresh->kid, "k2");
    assert_int_equal(verify_with(&after, right, &old->record), OK);
    assert_int_equal(verify_with(&after, right, &fresh->record), OK);
    assert_int_equal(verify_with(&after, STR("wrong"), &old->record), ERR_INVALID_CREDENTIALS);
    keyring_free(rotated);
}

/* Not "wrong password": nobody can log in, and an operator must hear of it. */
static void a_pepper_that_is_gone_is_our_fault(void **state)
{
    struct keyring *without = auth_keyring("{\"current\":\"k2\",\"keys\":{" AUTH_K2 "}}");
    struct passwords after = auth_passwords(without);
    struct kept *old = store_with(&passwords, right);

    (void)state;
    assert_int_equal(verify_with(&after, right, &old->record), ERR_INTERNAL);
    keyring_free(without);
}

static void another_pepper_of_that_name_does_not_match(void **state)
{
    struct keyring *other = auth_keyring("{\"current\":\"k1\",\"keys\":{" AUTH_K1_OTHER "}}");
    struct passwords after = auth_passwords(other);
    struct kept *kept = store_with(&passwords, right);

    (void)state;
    assert_int_equal(verify_with(&after, right, &kept->record), ERR_INVALID_CREDENTIALS);
    keyring_free(other);
}

static void a_record_without_pepper_says_so(void **state)
{
    struct passwords plain = {.keyring = keyring, .codepoints_min = 15, .peppered = false};
    struct kept *kept;

    (void)state;
    password_init(&plain, auth_cheap());
    kept = store_with(&plain, right);
    assert_string_equal(kept->kid, ".");
    assert_int_equal(verify_with(&plain, right, &kept->record), OK);
    assert_int_equal(verify(right, &kept->record), OK); /* the pepper was turned on meanwhile */
    assert_int_equal(verify(STR("wrong"), &kept->record), ERR_INVALID_CREDENTIALS);
    assert_int_equal(verify_with(&plain, STR("wrong"), NULL), ERR_INVALID_CREDENTIALS);
}

/* As another system made them. */
static void imported_hashes_verify(void **state)
{
    const struct password_record bcrypt = {
        .phc = STR("$2b$05$abcdefghijklmnopqrstuuFiPhXf1sVd3pCCRO.uVh34H/qI/ZsuS"),
    };
    char hash[PASSWORD_HASH_BYTES_MAX];
    struct password_hash made;
    struct password_record argon2 = {.phc = {hash, 0}};

    (void)state;
    assert_int_equal(password_hash_make(hasher, right, &made), OK);
    memcpy(hash, made.text, sizeof(hash));
    argon2.phc = str_from(hash);
    assert_int_equal(verify(right, &argon2), OK);
    assert_int_equal(verify(STR("wrong"), &argon2), ERR_INVALID_CREDENTIALS);
    assert_int_equal(verify(right, &bcrypt), OK);
    assert_int_equal(verify(STR("wrong"), &bcrypt), ERR_INVALID_CREDENTIALS);
}

static void what_is_stored_must_be_a_hash(void **state)
{
    static const char *const bad[] = {"", "x", "$argon2id$", "$argon2i$v=19$m=64,t=1,p=1$AAAA$AAAA",
                                      "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$"
                                      "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE"};

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct password_record record = {.phc = str_from(bad[i]), .pepper_kid = STR("k1")};

        assert_int_equal(verify(right, &record), ERR_INTERNAL);
    }
}

static void what_is_no_utf8_matches_nothing(void **state)
{
    struct kept *kept = store_with(&passwords, right);
    struct password_record record;

    (void)state;
    assert_int_equal(verify(STR("\xff\xfe"), &kept->record), ERR_INVALID_CREDENTIALS);
    assert_int_equal(verify(STR("\xed\xa0\x80"), &kept->record), ERR_INVALID_CREDENTIALS);
    assert_int_equal(password_store(&passwords, hasher, auth_fresh_arena(), STR("\xc3"), &record),
                     ERR_INVALID_CREDENTIALS);
}

/* Whatever the size, the answer is that there is no memory, and never that a password is wrong. */
static void an_arena_that_is_full_says_so(void **state)
{
    static unsigned char memory[4096];
    struct kept *kept = store_with(&passwords, right);
    bool fitted = false;

    (void)state;
    for (size_t bytes = 1; bytes < sizeof(memory) && !fitted; bytes += 16) {
        struct arena arena;
        enum error error;

        arena_init(&arena, memory, bytes);
        error = password_verify(&passwords, hasher, &arena, right, &kept->record);
        assert_true(error == OK || error == ERR_NO_SPACE);
        fitted = error == OK;
    }
    assert_true(fitted);
}

static void a_record_that_does_not_fit_is_none(void **state)
{
    static unsigned char memory[4096];
    bool fitted = false;

    (void)state;
    for (size_t bytes = 1; bytes < sizeof(memory) && !fitted; bytes += 16) {
        struct password_record record = {.phc = STR("untouched")};
        struct arena arena;
        enum error error;

        arena_init(&arena, memory, bytes);
        error = password_store(&passwords, hasher, &arena, right, &record);
        assert_true(error == OK || error == ERR_NO_SPACE);
        fitted = error == OK;
        assert_int_equal(password_hash_check(record.phc.ptr) == OK, fitted);
    }
    assert_true(fitted);
}

static int set_up(void **state)
{
    (void)state;
    crypto_start();
    json_in_start();
    keyring = auth_keyring("{\"current\":\"k1\",\"keys\":{" AUTH_K1 "}}");
    passwords = auth_passwords(keyring);
    hasher = password_hasher_new(auth_cheap());
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    password_hasher_free(hasher);
    keyring_free(keyring);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_the_right_one_matches),
        cmocka_unit_test(the_last_byte_counts),
        cmocka_unit_test(nfc_and_nfd_are_one_password),
        cmocka_unit_test(what_looks_alike_is_another_password),
        cmocka_unit_test(no_two_records_are_alike),
        cmocka_unit_test(an_unknown_account_never_matches),
        cmocka_unit_test(the_stand_in_opens_nothing),
        cmocka_unit_test(the_stand_in_costs_what_a_hash_costs),
        cmocka_unit_test(an_unknown_account_costs_one_hash),
        cmocka_unit_test(an_old_pepper_still_verifies),
        cmocka_unit_test(a_pepper_that_is_gone_is_our_fault),
        cmocka_unit_test(another_pepper_of_that_name_does_not_match),
        cmocka_unit_test(a_record_without_pepper_says_so),
        cmocka_unit_test(imported_hashes_verify),
        cmocka_unit_test(what_is_stored_must_be_a_hash),
        cmocka_unit_test(what_is_no_utf8_matches_nothing),
        cmocka_unit_test(an_arena_that_is_full_says_so),
        cmocka_unit_test(a_record_that_does_not_fit_is_none),
    };

    return cmocka_run_group_tests_name("password", tests, set_up, tear_down);
}
