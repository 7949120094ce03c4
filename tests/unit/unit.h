/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What unit tests of floor base share: cmocka with what it wants included before it, comparison of
 * `struct str`, a strict JSON checker (floor base has no JSON parser to ask), and a check that a
 * programmer's error aborts.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "str.h"

#define assert_str_equal(actual, expected)                                                         \
    do {                                                                                           \
        struct str actual_ = (actual);                                                             \
        struct str expected_ = (expected);                                                         \
        if (!str_equal(actual_, expected_)) {                                                      \
            fail_msg("got \"%.*s\", expected \"%.*s\"", STR_ARG(actual_), STR_ARG(expected_));     \
        }                                                                                          \
    } while (0)

/* A small deterministic generator (xorshift64): a failure can be repeated. */
static inline uint64_t unit_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* True if `run` ends in abort(), which is what a failed assertion does. */
static inline bool unit_aborts(void (*run)(void))
{
    int status = 0;
    pid_t child = fork();

    if (child == 0) {
        (void)close(STDERR_FILENO); /* the assertion's message would look like a failure */
        run();
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

/* RFC 8259, strictly: one value, nothing around it. */

static inline bool unit_json_value(struct str *rest, unsigned depth);

static inline bool unit_json_take(struct str *rest, struct str expected)
{
    if (!str_starts(*rest, expected)) {
        return false;
    }
    *rest = str_sub(*rest, expected.len, rest->len);
    return true;
}

static inline size_t unit_json_digits(struct str *rest)
{
    size_t count = 0;

    while (count < rest->len && rest->ptr[count] >= '0' && rest->ptr[count] <= '9') {
        count++;
    }
    *rest = str_sub(*rest, count, rest->len);
    return count;
}

static inline bool unit_json_number(struct str *rest)
{
    (void)unit_json_take(rest, STR("-"));
    if (!unit_json_take(rest, STR("0")) && unit_json_digits(rest) == 0) {
        return false;
    }
    if (unit_json_take(rest, STR(".")) && unit_json_digits(rest) == 0) {
        return false;
    }
    if (unit_json_take(rest, STR("e"))) {
        if (!unit_json_take(rest, STR("+"))) {
            (void)unit_json_take(rest, STR("-"));
        }
        return unit_json_digits(rest) > 0;
    }
    return true;
}

static inline bool unit_json_escape(struct str *rest)
{
    struct str digits;

    if (rest->len == 0) {
        return false;
    }
    if (strchr("\"\\/bfnrt", rest->ptr[0]) != NULL) {
        *rest = str_sub(*rest, 1, rest->len);
        return true;
    }
    if (!unit_json_take(rest, STR("u")) || rest->len < 4) {
        return false;
    }
    digits = str_sub(*rest, 0, 4);
    *rest = str_sub(*rest, 4, rest->len);
    for (size_t i = 0; i < digits.len; i++) {
        if (memchr("0123456789abcdefABCDEF", digits.ptr[i], 22) == NULL) {
            return false;
        }
    }
    return true;
}

static inline bool unit_json_string(struct str *rest)
{
    if (!unit_json_take(rest, STR("\""))) {
        return false;
    }
    while (rest->len > 0 && rest->ptr[0] != '"') {
        if ((unsigned char)rest->ptr[0] < 0x20) {
            return false;
        }
        if (unit_json_take(rest, STR("\\"))) {
            if (!unit_json_escape(rest)) {
                return false;
            }
            continue;
        }
        *rest = str_sub(*rest, 1, rest->len);
    }
    return unit_json_take(rest, STR("\""));
}

static inline bool unit_json_list(struct str *rest, bool object, unsigned depth)
{
    struct str end = object ? STR("}") : STR("]");

    if (unit_json_take(rest, end)) {
        return true;
    }
    do {
        if (object && !(unit_json_string(rest) && unit_json_take(rest, STR(":")))) {
            return false;
        }
        if (!unit_json_value(rest, depth)) {
            return false;
        }
    } while (unit_json_take(rest, STR(",")));
    return unit_json_take(rest, end);
}

static inline bool unit_json_value(struct str *rest, unsigned depth)
{
    if (depth == 0 || rest->len == 0) {
        return false;
    }
    if (unit_json_take(rest, STR("true")) || unit_json_take(rest, STR("false")) ||
        unit_json_take(rest, STR("null"))) {
        return true;
    }
    if (rest->ptr[0] == '"') {
        return unit_json_string(rest);
    }
    if (unit_json_take(rest, STR("{"))) {
        return unit_json_list(rest, true, depth - 1);
    }
    if (unit_json_take(rest, STR("["))) {
        return unit_json_list(rest, false, depth - 1);
    }
    return unit_json_number(rest);
}

/* True for one JSON value in well-formed UTF-8 without white space around its tokens. */
static inline bool unit_is_json(struct str text)
{
    struct str rest = text;

    return str_is_utf8(text) && unit_json_value(&rest, 32) && rest.len == 0;
}
