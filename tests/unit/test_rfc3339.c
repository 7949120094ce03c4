/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "codec.h"
#include "rfc3339.h"

static void times_read(void **state)
{
    static const struct {
        const char *text;
        int64_t unix_ms;
    } rows[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2024-02-29T12:34:56Z", 1709210096000},
        {"2024-02-29t12:34:56z", 1709210096000},
        {"2024-02-29T12:34:56.7Z", 1709210096700},
        {"2024-02-29T12:34:56.7891234567Z", 1709210096789},
        {"2024-02-29T13:34:56+01:00", 1709210096000},
        {"2024-02-29T07:04:56-05:30", 1709210096000},
        {"2016-12-31T23:59:60Z", 1483228800000},
        {"9999-12-31T23:59:59.999Z", 253402300799999},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int64_t got = -1;

        if (rfc3339_parse(str_from(rows[i].text), &got) != OK || got != rows[i].unix_ms) {
            fail_msg("%s: %lld", rows[i].text, (long long)got);
        }
    }
}

static void what_is_no_time_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "2024",
        "2024-02-29",
        "2024-02-29T12:34:56",
        "2024-02-29 12:34:56Z",
        "2024-02-29T12:34Z",
        "2024-02-30T12:34:56Z",
        "2023-02-29T12:34:56Z",
        "2024-13-01T12:34:56Z",
        "2024-00-01T12:34:56Z",
        "2024-01-00T12:34:56Z",
        "2024-01-01T24:00:00Z",
        "2024-01-01T12:60:00Z",
        "2024-01-01T12:00:61Z",
        "2024-01-01T12:00:00.Z",
        "2024-01-01T12:00:00,5Z",
        "2024-01-01T12:00:00+1:00",
        "2024-01-01T12:00:00+01",
        "2024-01-01T12:00:00+24:00",
        "2024-01-01T12:00:00Zx",
        "+024-01-01T12:00:00Z",
        "2024-01-01T12:00:-1Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "x024-01-01T12:00:00Z",
    };
    int64_t got = -1;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (rfc3339_parse(str_from(texts[i]), &got) != ERR_INVALID) {
            fail_msg("\"%s\" was read", texts[i]);
        }
    }
    assert_true(got == -1);
}

static void what_is_written_reads_back(void **state)
{
    (void)state;
    for (int64_t ms = 0; ms < 253402300799999; ms += 86399999 * 997LL) {
        char memory[RFC3339_BYTES_MAX + 1];
        struct buf out = buf_over(memory, sizeof(memory));
        int64_t got = -1;

        codec_rfc3339(&out, ms);
        assert_int_equal(rfc3339_parse(buf_str(&out), &got), OK);
        assert_true(got == ms);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_read),
        cmocka_unit_test(what_is_no_time_is_refused),
        cmocka_unit_test(what_is_written_reads_back),
    };

    return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
