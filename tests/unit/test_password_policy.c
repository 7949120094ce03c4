/* SPDX-License-Identifier: Apache-2.0 */
#include "support/auth.h"

#include <stdio.h>

#include "password_policy.h"

#define EMOJI "\xf0\x9f\x94\x91" /* one code point, four bytes */
#define FIVE_EMOJI EMOJI EMOJI EMOJI EMOJI EMOJI

static struct passwords passwords;
static unsigned char word_memory[16384];
static struct arena word_arena;

static int afresh(void **state)
{
    (void)state;
    crypto_start();
    passwords = (struct passwords){.codepoints_min = 15};
    password_init(&passwords, auth_cheap());
    arena_init(&word_arena, word_memory, sizeof(word_memory));
    return 0;
}

/* The code of the one finding; NULL: the password is taken. */
static const char *finding_with(struct str password, const char *email)
{
    const struct password_candidate in = {password, str_from(email), STR("/password")};
    struct json_findings findings = {0};
    const enum error error = password_policy(&passwords, auth_fresh_arena(), &in, &findings);

    assert_int_equal(error, findings.count > 0 ? ERR_VALIDATION : OK);
    if (findings.count == 0) {
        return NULL;
    }
    assert_int_equal(findings.count, 1);
    assert_str_equal(findings.items[0].pointer, STR("/password"));
    assert_true(findings.items[0].detail.len > 0);
    return findings.items[0].code;
}

static void assert_refused_with(struct str password, const char *email, const char *code)
{
    const char *found = finding_with(password, email);

    if (found == NULL) {
        fail_msg("\"%.*s\" was taken", STR_ARG(password));
    }
    assert_string_equal(found, code);
}

static void assert_taken_with(struct str password, const char *email)
{
    const char *found = finding_with(password, email);

    if (found != NULL) {
        fail_msg("\"%.*s\": %s", STR_ARG(password), found);
    }
}

static void assert_refused(struct str password, const char *code)
{
    assert_refused_with(password, "", code);
}

static void assert_taken(struct str password)
{
    assert_taken_with(password, "");
}

static void fifteen_code_points_are_enough(void **state)
{
    (void)state;
    assert_refused(STR(""), "password_too_short");
    assert_refused(STR("12345678901234"), "password_too_short");
    assert_taken(STR("123456789012345"));
    assert_refused(STR(FIVE_EMOJI FIVE_EMOJI EMOJI EMOJI EMOJI EMOJI), "password_too_short");
    assert_taken(STR(FIVE_EMOJI FIVE_EMOJI FIVE_EMOJI));
}

/* NIST SP 800-63B-4 section 3.1.1.2: length counts, composition does not. */
static void any_composition_will_do(void **state)
{
    (void)state;
    assert_taken(STR("aaaaaaaaaaaaaaa"));
    assert_taken(STR("               "));
    assert_taken(STR("000000000000000"));
    assert_taken(STR("\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1"
                     "\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1"
                     "\xe5\xb1\xb1\xe5\xb1\xb1\xe5\xb1\xb1"));
    assert_taken(STR("with \"quotes\", \\ and \t a tab"));
}

static void two_hundred_and_fifty_six_are_the_most(void **state)
{
    char text[PASSWORD_BYTES_MAX + 8];

    (void)state;
    memset(text, 'a', sizeof(text));
    assert_taken((struct str){text, 256});
    assert_refused((struct str){text, 257}, "password_too_long");
    for (size_t i = 0; i < sizeof(text); i += 4) {
        memcpy(text + i, EMOJI, 4);
    }
    assert_taken((struct str){text, 1024});
    assert_refused((struct str){text, 1028}, "password_too_long");
}

static void the_sentence_has_the_number_in_force(void **state)
{
    const struct password_candidate in = {STR("1234567"), STR_EMPTY, STR("/new_password")};
    struct json_findings findings = {0};

    (void)state;
    passwords.codepoints_min = 8;
    assert_int_equal(password_policy(&passwords, auth_fresh_arena(), &in, &findings),
                     ERR_VALIDATION);
    assert_int_equal(findings.count, 1);
    assert_str_equal(findings.items[0].pointer, STR("/new_password"));
    assert_str_equal(findings.items[0].detail, STR("a password has at least 8 characters"));
    assert_taken(STR("87651234x"));
}

/* In whatever case; not what merely contains one. */
static void common_passwords_are_refused(void **state)
{
    (void)state;
    assert_refused(STR("1qaz2wsx3edc4rfv"), "password_too_common");
    assert_refused(STR("PasswordStandard"), "password_too_common");
    assert_taken(STR("my passwordstandard"));
    assert_refused(STR("passwordpassword"), "password_too_common");
    assert_refused(STR("QwertyQWERTYqwerty"), "password_too_common");
    assert_refused(STR("letmeinletmeinletmein"), "password_too_common");
    assert_taken(STR("passwordpassword!"));
    assert_taken(STR("correcthorsecorrecthorse"));
    passwords.codepoints_min = 8;
    assert_refused(STR("password"), "password_too_common");
    assert_refused(STR("12345678"), "password_too_common");
    assert_refused(STR("iLoveYou1"), "password_too_common");
    assert_refused(STR("TRUSTNO1"), "password_too_common");
    assert_taken(STR("password-9c31"));
}

static void the_address_does_not_count(void **state)
{
    static const char ada[] = "Ada.Lovelace+shop@example.com";

    (void)state;
    assert_refused_with(STR("ada.lovelace-1815"), ada, "password_contains_email");
    assert_refused_with(STR("ADA.LOVELACE ADA.LOVELACE"), ada, "password_contains_email");
    assert_refused_with(STR("ada.lovelace+shop!"), ada, "password_contains_email");
    assert_refused_with(STR("ada.lovelace+shop@EXAMPLE.com"), ada, "password_contains_email");
    assert_refused_with(STR("12ada.lovelace+shop@example.com34"), ada, "password_contains_email");
    assert_taken_with(STR("ada.lovelace and fifteen more"), ada);
    assert_taken_with(STR("lovelace.ada-1815"), ada);
    assert_taken_with(STR("ada.lovelace-1815"), "grace@example.com");
    assert_taken(STR("ada.lovelace-1815"));
}

/* Else hardly a sentence could be used by who is called so. */
static void short_local_parts_are_no_matter(void **state)
{
    (void)state;
    assert_taken_with(STR("a man a plan a canal"), "a@example.com");
    assert_taken_with(STR("and thanks for all"), "an@example.com");
    assert_refused_with(STR("a@example.com-12"), "a@example.com", "password_contains_email");
    assert_taken_with(STR("adam adam adam 12"), "ada@example.com");
    assert_refused_with(STR("adam adam adam 12"), "adam@example.com", "password_contains_email");
}

static void the_name_of_the_service_does_not_count(void **state)
{
    (void)state;
    password_policy_word(&passwords, &word_arena, STR("mall"));
    password_policy_word(&passwords, &word_arena, STR("MallHive"));
    password_policy_word(&passwords, &word_arena, STR("ios"));
    password_policy_url(&passwords, &word_arena,
                        STR("https://users.mallhive-login.shopping:8443/x"));
    assert_int_equal(passwords.word_count, 4);
    assert_refused(STR("MallHive-MallHive"), "password_contains_service_name");
    assert_refused(STR("mallhive-1234567"), "password_contains_service_name");
    assert_refused(STR("mallhive-login-12"), "password_contains_service_name");
    assert_refused(STR("users0123456789"), "password_contains_service_name");
    assert_taken(STR("shopping-0123456789"));
    assert_taken(STR("mallhive-123456789012345"));
    assert_taken(STR("ios0123456789012"));
}

static void a_host_of_one_label_is_a_name(void **state)
{
    (void)state;
    password_policy_url(&passwords, &word_arena, STR("http://localhost:8000"));
    password_policy_url(&passwords, &word_arena, STR("http://127.0.0.1:8000/login"));
    assert_int_equal(passwords.word_count, 1);
    assert_str_equal(passwords.words[0], STR("localhost"));
}

static void no_more_words_than_there_is_room_for(void **state)
{
    char word[16];

    (void)state;
    for (unsigned i = 0; i < PASSWORD_WORDS_MAX + 5; i++) {
        (void)snprintf(word, sizeof(word), "word-%02u", i);
        password_policy_word(&passwords, &word_arena, str_from(word));
    }
    assert_int_equal(passwords.word_count, PASSWORD_WORDS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fifteen_code_points_are_enough, afresh),
        cmocka_unit_test_setup(any_composition_will_do, afresh),
        cmocka_unit_test_setup(two_hundred_and_fifty_six_are_the_most, afresh),
        cmocka_unit_test_setup(the_sentence_has_the_number_in_force, afresh),
        cmocka_unit_test_setup(common_passwords_are_refused, afresh),
        cmocka_unit_test_setup(the_address_does_not_count, afresh),
        cmocka_unit_test_setup(short_local_parts_are_no_matter, afresh),
        cmocka_unit_test_setup(the_name_of_the_service_does_not_count, afresh),
        cmocka_unit_test_setup(a_host_of_one_label_is_a_name, afresh),
        cmocka_unit_test_setup(no_more_words_than_there_is_room_for, afresh),
    };

    return cmocka_run_group_tests_name("password_policy", tests, NULL, NULL);
}
