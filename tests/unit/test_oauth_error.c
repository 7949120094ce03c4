/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "oauth_error.h"

static const struct {
    enum error error;
    int status;
    const char *code;
} rows[] = {
    /* RFC 6749 section 5.2 */
    {ERR_MALFORMED_REQUEST, 400, "invalid_request"},
    {ERR_INVALID_REFRESH_TOKEN, 400, "invalid_grant"},
    {ERR_UNSUPPORTED_GRANT_TYPE, 400, "unsupported_grant_type"},
    {ERR_UNAUTHORIZED_CLIENT, 400, "unauthorized_client"},
    {ERR_INVALID_SCOPE, 400, "invalid_scope"},
    {ERR_INVALID_CLIENT, 401, "invalid_client"},
    {ERR_UNSUPPORTED_TOKEN_TYPE, 400, "unsupported_token_type"}, /* RFC 7009 section 2.2.1 */
    /* of administration */
    {ERR_MFA_ENROLLMENT_REQUIRED, 400, "mfa_enrollment_required"},
    {ERR_REAUTH_REQUIRED, 400, "reauth_required"},
    /* what it leaves to HTTP */
    {ERR_UNSUPPORTED_MEDIA_TYPE, 415, "invalid_request"},
    {ERR_NO_SIGNING_KEY, 503, "temporarily_unavailable"},
    {ERR_OVERLOADED, 503, "temporarily_unavailable"},
    {ERR_UNAVAILABLE, 503, "temporarily_unavailable"},
    {ERR_INTERNAL, 500, "server_error"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static void errors_are_those_of_the_rfc(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct problem *problem = oauth_error_of(rows[i].error);

        assert_int_equal(problem->error, rows[i].error);
        assert_int_equal(problem->status, rows[i].status);
        assert_string_equal(problem->title, rows[i].code);
    }
}

static void all_others_are_ours(void **state)
{
    size_t others = 0;

    (void)state;
    for (unsigned error = 1; error < ERROR_COUNT; error++) {
        const struct problem *problem = oauth_error_of((enum error)error);

        if (problem->error != (enum error)error) {
            assert_int_equal(problem->error, ERR_INTERNAL);
            assert_int_equal(problem->status, 500);
            others++;
        }
    }
    assert_int_equal(others, ERROR_COUNT - 1 - ROWS);
}

/* Who reads the log need not be told of a bad token, and must be told of a fault of ours. */
static void levels_follow_the_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        enum log_level wanted = rows[i].status < 500    ? LOG_INFO
                                : rows[i].status == 503 ? LOG_WARN
                                                        : LOG_ERROR;

        assert_int_equal(oauth_error_of(rows[i].error)->level, wanted);
    }
}

/* RFC 6749 section 5.2: %x20-21 / %x23-5B / %x5D-7E, and what `error` has, too. */
static void descriptions_have_the_characters_allowed(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct problem *problem = oauth_error_of(rows[i].error);

        assert_true(strlen(problem->detail) > 0);
        for (const char *c = problem->detail; *c != '\0'; c++) {
            assert_true(*c >= 0x20 && *c <= 0x7e && *c != '"' && *c != '\\');
        }
        assert_int_equal(strspn(problem->title, "abcdefghijklmnopqrstuvwxyz_"),
                         strlen(problem->title));
    }
}

static void a_document_has_two_members(void **state)
{
    char memory[512];

    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        const struct problem *problem = oauth_error_of(rows[i].error);
        struct buf out = buf_over(memory, sizeof(memory)); /* what the answer has for it */
        char expected[512];

        oauth_error_write(&out, problem);
        assert_false(out.overflowed);
        assert_true(unit_is_json(buf_str(&out)));
        (void)snprintf(expected, sizeof(expected),
                       "{\"error\":\"%s\",\"error_description\":\"%s\"}", problem->title,
                       problem->detail);
        assert_str_equal(buf_str(&out), str_from(expected));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_those_of_the_rfc),
        cmocka_unit_test(all_others_are_ours),
        cmocka_unit_test(levels_follow_the_status),
        cmocka_unit_test(descriptions_have_the_characters_allowed),
        cmocka_unit_test(a_document_has_two_members),
    };

    return cmocka_run_group_tests_name("oauth_error", tests, NULL, NULL);
}
