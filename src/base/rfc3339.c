/* SPDX-License-Identifier: Apache-2.0 */
#include "rfc3339.h"

#include <time.h>

struct reader {
    struct str rest;
    bool failed;
};

static bool take(struct reader *self, char lower, char upper)
{
    bool matches = self->rest.len > 0 && (self->rest.ptr[0] == lower || self->rest.ptr[0] == upper);

    if (matches) {
        self->rest = str_sub(self->rest, 1, self->rest.len);
    }
    return matches;
}

static void expect(struct reader *self, char lower, char upper)
{
    self->failed = !take(self, lower, upper) || self->failed;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Exactly so many digits. */
static int number(struct reader *self, size_t digits, int min, int max)
{
    int value = 0;

    if (self->rest.len < digits) {
        self->failed = true;
        return min;
    }
    for (size_t i = 0; i < digits; i++) {
        self->failed = self->failed || !is_digit(self->rest.ptr[i]);
        value = self->failed ? 0 : value * 10 + (self->rest.ptr[i] - '0');
    }
    self->rest = str_sub(self->rest, digits, self->rest.len);
    self->failed = self->failed || value < min || value > max;
    return value;
}

/* time-secfrac, in milliseconds */
static int64_t fraction(struct reader *self)
{
    int64_t value = 0;
    int64_t weight = 100;

    if (!take(self, '.', '.')) {
        return 0;
    }
    self->failed = self->failed || self->rest.len == 0 || !is_digit(self->rest.ptr[0]);
    while (!self->failed && self->rest.len > 0 && is_digit(self->rest.ptr[0])) {
        value += (self->rest.ptr[0] - '0') * weight;
        weight /= 10;
        self->rest = str_sub(self->rest, 1, self->rest.len);
    }
    return value;
}

/* time-offset, in seconds east of UTC */
static int64_t offset(struct reader *self)
{
    int64_t sign = 1;
    int64_t hours;
    int64_t minutes;

    if (take(self, 'z', 'Z')) {
        return 0;
    }
    if (take(self, '-', '-')) {
        sign = -1;
    } else {
        expect(self, '+', '+');
    }
    hours = number(self, 2, 0, 23);
    expect(self, ':', ':');
    minutes = number(self, 2, 0, 59);
    return sign * (hours * 3600 + minutes * 60);
}

/* timegm makes the 2nd of March of a 30th of February. */
static bool is_in_calendar(const struct tm *given, const struct tm *normal)
{
    return given->tm_mday == normal->tm_mday && given->tm_mon == normal->tm_mon;
}

enum error rfc3339_parse(struct str text, int64_t *unix_ms)
{
    struct reader reader = {.rest = text};
    struct tm given = {0};
    struct tm day;
    int64_t ms;

    given.tm_year = number(&reader, 4, 1970, 9999) - 1900;
    expect(&reader, '-', '-');
    given.tm_mon = number(&reader, 2, 1, 12) - 1;
    expect(&reader, '-', '-');
    given.tm_mday = number(&reader, 2, 1, 31);
    day = given;
    ms = (int64_t)timegm(&day) * 1000;
    expect(&reader, 't', 'T');
    ms += (int64_t)number(&reader, 2, 0, 23) * 3600000;
    expect(&reader, ':', ':');
    ms += (int64_t)number(&reader, 2, 0, 59) * 60000;
    expect(&reader, ':', ':');
    ms += (int64_t)number(&reader, 2, 0, 60) * 1000;
    ms += fraction(&reader);
    ms -= offset(&reader) * 1000;
    if (reader.failed || reader.rest.len > 0 || !is_in_calendar(&given, &day) || ms < 0) {
        return ERR_INVALID;
    }
    *unix_ms = ms;
    return OK;
}
