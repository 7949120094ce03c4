/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "problem.h"

static const struct str request_id = STR("01890a5d-ac96-774b-bcce-b302099a8057");

/* In static memory. */
static struct str written(enum error error, const struct json_findings *findings)
{
    static char memory[PROBLEM_BYTES_MAX];
    struct buf out = buf_over(memory, sizeof(memory));

    problem_write(&out, problem_of(error), request_id, &(struct problem_more){findings, STR_EMPTY});
    assert_false(out.overflowed);
    return buf_str(&out);
}

static const enum error public_errors[] = {
#define PUBLIC_ERROR(symbol, code) symbol,
    ERROR_LIST(PUBLIC_ERROR)
#undef PUBLIC_ERROR
};

enum { PUBLIC = sizeof(public_errors) / sizeof(public_errors[0]) };

static void every_code_has_its_own_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLIC; i++) {
        assert_int_equal(problem_of(public_errors[i])->error, public_errors[i]);
    }
}

/* What is not a client's business is told as our fault. */
static void other_errors_are_ours(void **state)
{
    static const enum error internal[] = {
#define INTERNAL_ERROR(symbol, code) symbol,
        ERROR_INTERNAL_LIST(INTERNAL_ERROR)
#undef INTERNAL_ERROR
    };

    (void)state;
    for (size_t i = 0; i < sizeof(internal) / sizeof(internal[0]); i++) {
        const struct problem *problem = problem_of(internal[i]);

        assert_int_equal(problem->error, ERR_INTERNAL);
        assert_int_equal(problem->status, 500);
        assert_int_equal(problem->level, LOG_ERROR);
    }
}

/* RFC 9110 section 15: the title of about:blank is the status's phrase (RFC 9457 section 4.2.1). */
static void titles_are_those_of_the_status(void **state)
{
    static const struct {
        int status;
        const char *phrase;
    } phrases[] = {
        {400, "Bad Request"},       {401, "Unauthorized"},           {403, "Forbidden"},
        {404, "Not Found"},         {405, "Method Not Allowed"},     {409, "Conflict"},
        {413, "Content Too Large"}, {415, "Unsupported Media Type"}, {422, "Unprocessable Content"},
        {429, "Too Many Requests"}, {500, "Internal Server Error"},  {503, "Service Unavailable"},
    };

    (void)state;
    for (size_t i = 0; i < PUBLIC; i++) {
        const struct problem *problem = problem_of(public_errors[i]);
        const char *phrase = NULL;

        for (size_t j = 0; j < sizeof(phrases) / sizeof(phrases[0]); j++) {
            phrase = phrases[j].status == problem->status ? phrases[j].phrase : phrase;
        }
        assert_non_null(phrase);
        assert_string_equal(problem->title, phrase);
    }
}

/* Who reads the log need not be told of a wrong password, and must be told of a fault of ours. */
static void levels_follow_the_status(void **state)
{
    (void)state;
    for (size_t i = 0; i < PUBLIC; i++) {
        const struct problem *problem = problem_of(public_errors[i]);
        enum log_level wanted = problem->status < 500    ? LOG_INFO
                                : problem->status == 503 ? LOG_WARN
                                                         : LOG_ERROR;

        assert_int_equal(problem->level, wanted);
    }
}

static void nobody_learns_who_has_an_account(void **state)
{
    (void)state;
    assert_int_equal(problem_of(ERR_INVALID_CREDENTIALS)->status, 401);
    assert_null(strstr(problem_of(ERR_INVALID_CREDENTIALS)->detail, "exist"));
}

static void a_document_has_the_members_of_the_contract(void **state)
{
    const struct json_findings none = {0};

    (void)state;
    assert_str_equal(written(ERR_NOT_FOUND, &none),
                     STR("{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,"
                         "\"detail\":\"there is nothing under this path\",\"code\":\"not_found\","
                         "\"request_id\":\"01890a5d-ac96-774b-bcce-b302099a8057\"}"));
    for (size_t i = 0; i < PUBLIC; i++) {
        assert_true(unit_is_json(written(public_errors[i], &none)));
    }
}

static void findings_are_told(void **state)
{
    struct json_findings findings = {0};
    struct str document;

    (void)state;
    json_findings_add(&findings, STR("/email"), "required", STR("Is \"missing\"."));
    json_findings_add(&findings, STR("/a~1b"), "unknown_member", STR("x"));
    document = written(ERR_VALIDATION, &findings);
    assert_true(unit_is_json(document));
    assert_true(str_ends(document, STR(",\"errors\":[{\"pointer\":\"/email\",\"code\":\"required\","
                                       "\"detail\":\"Is \\\"missing\\\".\"},{\"pointer\":\"/a~1b\","
                                       "\"code\":\"unknown_member\",\"detail\":\"x\"}]}")));
}

/* As many as there can be, each with a member's name of which every byte is escaped. */
static void the_largest_fits(void **state)
{
    struct json_findings findings = {0};
    static unsigned char memory[16384];
    char name[JSON_FINDINGS_NAME_BYTES_MAX + 1];
    struct arena arena;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    memset(name, '\x01', sizeof(name));
    for (size_t i = 0; i < JSON_FINDINGS_MAX; i++) {
        struct str shown = json_findings_shown((struct str){name, sizeof(name)});

        json_findings_add(
            &findings, json_findings_pointer(&arena, shown), "unknown_member",
            arena_printf(&arena, "There is no member \"%.*s\" here.", STR_ARG(shown)));
    }
    assert_int_equal(findings.count, JSON_FINDINGS_MAX);
    assert_true(unit_is_json(written(ERR_VALIDATION, &findings)));
}

/* A status without a label of its own is lost among the others in the metrics. */
static void every_status_has_a_label(void **state)
{
    static const int others[] = {200, 201, 202, 204, 304};
    char text[16];

    (void)state;
    for (size_t i = 0; i < PUBLIC; i++) {
        int status = problem_of(public_errors[i])->status;

        (void)snprintf(text, sizeof(text), "%d", status);
        assert_string_equal(problem_status_label(status), text);
    }
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(text, sizeof(text), "%d", others[i]);
        assert_string_equal(problem_status_label(others[i]), text);
    }
    assert_string_equal(problem_status_label(299), "other");
    assert_string_equal(problem_status_label(0), "other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_its_own_row),
        cmocka_unit_test(other_errors_are_ours),
        cmocka_unit_test(titles_are_those_of_the_status),
        cmocka_unit_test(levels_follow_the_status),
        cmocka_unit_test(nobody_learns_who_has_an_account),
        cmocka_unit_test(a_document_has_the_members_of_the_contract),
        cmocka_unit_test(findings_are_told),
        cmocka_unit_test(the_largest_fits),
        cmocka_unit_test(every_status_has_a_label),
    };

    return cmocka_run_group_tests_name("problem", tests, NULL, NULL);
}
