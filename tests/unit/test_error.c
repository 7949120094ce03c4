/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "error.h"

static void codes_are_unique_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ERROR_COUNT; i++) {
        const char *code = error_code((enum error)i);

        assert_non_null(code);
        assert_true(strlen(code) > 0);
        assert_int_equal(strspn(code, "abcdefghijklmnopqrstuvwxyz_"), strlen(code));
        for (unsigned j = 0; j < i; j++) {
            assert_string_not_equal(code, error_code((enum error)j));
        }
    }
}

static void codes_are_those_of_the_contract(void **state)
{
    (void)state;
    assert_int_equal(OK, 0);
    assert_string_equal(error_code(OK), "ok");
    assert_string_equal(error_code(ERR_INVALID_CREDENTIALS), "invalid_credentials");
    assert_string_equal(error_code(ERR_INVALID_TOKEN), "invalid_token");
    assert_string_equal(error_code(ERR_EMAIL_TAKEN), "email_taken");
    assert_string_equal(error_code(ERR_EMAIL_UNVERIFIED), "email_unverified");
    assert_string_equal(error_code(ERR_VALIDATION), "validation_failed");
    assert_string_equal(error_code(ERR_CONFIG), "config");
}

static unsigned evaluated;

static enum error counted(enum error result)
{
    evaluated++;
    return result;
}

static enum error tries(enum error result)
{
    TRY(counted(result));
    return ERR_NOT_FOUND; /* only a success comes here */
}

static void try_hands_a_failure_on_and_evaluates_once(void **state)
{
    (void)state;
    evaluated = 0;
    assert_int_equal(tries(ERR_IO), ERR_IO);
    assert_int_equal(evaluated, 1);
    assert_int_equal(tries(OK), ERR_NOT_FOUND);
    assert_int_equal(evaluated, 2);
}

static void ask_beyond_the_last(void)
{
    (void)error_code(ERROR_COUNT);
}

static void a_code_beyond_the_last_aborts(void **state)
{
    (void)state;
    assert_true(unit_aborts(ask_beyond_the_last));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_unique_words),
        cmocka_unit_test(codes_are_those_of_the_contract),
        cmocka_unit_test(try_hands_a_failure_on_and_evaluates_once),
        cmocka_unit_test(a_code_beyond_the_last_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
