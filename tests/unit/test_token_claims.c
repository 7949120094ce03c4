/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 7519, RFC 9068: a good signature over claims that are not good. */
#include "support/tokens.h"

static void what_expired_is_refused(void **state)
{
    char text[TEXT_BYTES_MAX];
    char value[32];

    (void)state;
    for (int64_t late_s = 0; late_s <= 86400; late_s = late_s * 10 + 1) {
        (void)snprintf(value, sizeof(value), "%" PRId64, clock_wall_s() - late_s);
        assert_refused(with_claim(text, "exp", value));
    }
    (void)snprintf(value, sizeof(value), "%" PRId64, clock_wall_s() + 30);
    assert_int_equal(check(with_claim(text, "exp", value)), OK);
}

static void an_expiry_is_a_whole_number(void **state)
{
    static const char *const values[] = {
        "\"4102444800\"",
        "4102444800.0",
        "4102444800.5",
        "4.1024448e9",
        "1e300",
        "-1",
        "0",
        "-4102444800",
        "9223372036854775808",
        "18446744073709551616",
        "1e400",
        "null",
        "true",
        "[4102444800]",
        "{}",
        "\"\"",
        "-9223372036854775808",
        NULL,
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_refused(with_claim(text, "exp", values[i]));
    }
    assert_int_equal(check(with_claim(text, "exp", "9223372036854775807")), OK);
}

static void another_issuer_is_refused(void **state)
{
    static const char *const values[] = {
        "\"https://attacker.example\"",
        "\"https://user.example.com/\"",
        "\"https://USER.example.com\"",
        "\"http://user.example.com\"",
        "\"https://user.example.com\\u0020\"",
        "\"https://user.example.com.attacker.example\"",
        "\"\"",
        "null",
        "[\"https://user.example.com\"]",
        "1",
        NULL,
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_refused(with_claim(text, "iss", values[i]));
    }
}

static void another_audience_is_refused(void **state)
{
    static const char *const values[] = {
        "\"other\"",
        "\"SHOP\"",
        "\"shop \"",
        "\"sho\"",
        "\"shops\"",
        "[]",
        "[\"other\"]",
        "\"\"",
        "null",
        "7",
        "{}",
        "{\"0\":\"shop\"}",
        "[[\"shop\"]]",
        "[\"shop\",7]",
        "[null,\"shop\"]",
        "\"https://user.example.com\"",
        "\"other,shop\"",
        "\"other shop\"",
        NULL,
    };
    char text[TEXT_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_refused(with_claim(text, "aud", values[i]));
    }
}

static void every_claim_is_of_its_type(void **state)
{
    static const char *const rows[][2] = {
        {"sub", NULL},
        {"sub", "\"\""},
        {"sub", "7"},
        {"sub", "null"},
        {"client_id", NULL},
        {"client_id", "\"\""},
        {"client_id", "[]"},
        {"sid", NULL},
        {"sid", "\"\""},
        {"sid", "\"not-a-uuid\""},
        {"sid", "null"},
        {"sid", "\"{1890a5d-ac96-774b-bcce-b302099a805}\""},
        {"sid", "\"01890a5d-ac96-774b-bcce-b302099a805\""},
        {"av", NULL},
        {"av", "\"7\""},
        {"av", "7.0"},
        {"av", "1e0"},
        {"av", "null"},
        {"auth_time", NULL},
        {"auth_time", "\"1\""},
        {"auth_time", "true"},
    };
    char text[TEXT_BYTES_MAX];
    char long_sub[80];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_refused(with_claim(text, rows[i][0], rows[i][1]));
    }
    memset(long_sub, 's', sizeof(long_sub));
    long_sub[0] = long_sub[66] = '"'; /* 65 characters between */
    long_sub[67] = '\0';
    assert_refused(with_claim(text, "sub", long_sub));
}

static void parts_are_json_objects(void **state)
{
    static const struct str bad[] = {
        STR(""),
        STR("null"),
        STR("[]"),
        STR("\"x\""),
        STR("7"),
        STR("{"),
        STR("{}"),
        STR("{} {}"),
        STR("{\"a\":1,}"),
        STR("{'alg':'ES256'}"),
        STR("\xef\xbb\xbf{}"),
        STR("{\"alg\":\"\xff\"}"),
        STR("{\"alg\":\"\\ud800\"}"),
        STR("{\"\\u0000\":1}"),
        STR("{\"a\":NaN}"),
        STR("{\"a\":Infinity}"),
    };
    char text[TEXT_BYTES_MAX];
    char header[512];
    char payload[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(make(text, bad[i], good_payload(payload)));
        assert_refused(make(text, good_header(header), bad[i]));
    }
}

static void nesting_has_an_end(void **state)
{
    char text[TEXT_BYTES_MAX];
    char deep[512];
    struct buf out = buf_over(deep, sizeof(deep));

    (void)state;
    buf_append(&out, STR("7,\"x\":"));
    for (unsigned i = 0; i < 200; i++) {
        buf_append_byte(&out, '[');
    }
    for (unsigned i = 0; i < 200; i++) {
        buf_append_byte(&out, ']');
    }
    buf_append_byte(&out, '\0');
    assert_refused(with_claim(text, "av", deep));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_expired_is_refused),    cmocka_unit_test(an_expiry_is_a_whole_number),
        cmocka_unit_test(another_issuer_is_refused),  cmocka_unit_test(another_audience_is_refused),
        cmocka_unit_test(every_claim_is_of_its_type), cmocka_unit_test(parts_are_json_objects),
        cmocka_unit_test(nesting_has_an_end),
    };

    return cmocka_run_group_tests_name("token_claims", tests, tokens_start, tokens_stop);
}
