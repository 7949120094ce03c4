/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>

#include "config_value.h"

/* Large enough for every type. */
union value {
    struct str text;
    struct config_list list;
    event_set events;
    bool flag;
    int64_t seconds;
    uint64_t number;
    enum log_level level;
    unsigned char bytes[sizeof(struct config_list)];
};

static struct config_row row_of(enum config_type type)
{
    return (struct config_row){.name = "US_TEST", .type = type, .min = 30, .max = 3600};
}

static enum error parse(enum config_type type, struct str text, union value *out)
{
    const struct config_row row = row_of(type);

    return config_value_parse(&row, text, out);
}

/* And leaves the destination as it was. */
static void assert_refused(enum config_type type, struct str text)
{
    union value value;
    union value before;

    memset(&value, 0x5a, sizeof(value));
    before = value;
    if (parse(type, text, &value) != ERR_INVALID) {
        fail_msg("taken: %.*s", STR_ARG(text));
    }
    assert_memory_equal(&value, &before, sizeof(value));
}

static void assert_taken(enum config_type type, struct str text)
{
    union value value = {0};

    if (parse(type, text, &value) != OK) {
        fail_msg("refused: %.*s", STR_ARG(text));
    }
}

static void addresses_to_listen_on(void **state)
{
    static const char *const good[] = {"0.0.0.0:8000", "127.0.0.1:0", "[::]:8000", "[::1]:65535"};
    static const char *const bad[] = {"",
                                      ":",
                                      ":8000",
                                      "0.0.0.0",
                                      "0.0.0.0:",
                                      "0.0.0.0:65536",
                                      "0.0.0.0:-1",
                                      "0.0.0.0:+1",
                                      "0.0.0.0:8000 ",
                                      "0.0.0.0:08000",
                                      "0.0.0.0:0x50",
                                      "0.0.0.0:99999999999999999999",
                                      "8000",
                                      "localhost:80", /* a name can mean several */
                                      "[::1]",
                                      "::1:80",
                                      "[127.0.0.1]:80",
                                      "256.0.0.1:80",
                                      "tcp://0.0.0.0:8000/"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        union value value = {0};

        assert_int_equal(parse(CONFIG_LISTEN, str_from(good[i]), &value), OK);
        assert_str_equal(value.text, str_from(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_LISTEN, str_from(bad[i]));
    }
}

/* The issuer is compared byte by byte, so what could be written in two ways is not taken. */
static void urls(void **state)
{
    static const char *const good[] = {"https://user.example.com", "http://127.0.0.1:8000",
                                       "http://[::1]:8000", "https://example.com/users"};
    static const char *const bad[] = {"",
                                      "https://",
                                      "http://",
                                      "https:///",
                                      "user.example.com",
                                      "http://:80",
                                      "http://example.com:",
                                      "http://example.com:x",
                                      "http://example.com:0",
                                      "http://example.com:65536",
                                      "http:/example.com",
                                      "ftp://example.com",
                                      "HTTPS://example.com",
                                      "https://example.com/",
                                      "https://example.com/a/",
                                      "https://example.com?x",
                                      "https://example.com#x",
                                      "https://example.com/a b",
                                      "https://exam\nple.com",
                                      "https://example.com\r",
                                      "https://ex\"ample.com",
                                      "https://ex<ample.com",
                                      "https://b\xc3\xbc"
                                      "cher.example",
                                      " https://example.com",
                                      "javascript:alert(1)",
                                      "https:/example.com"};
    char text[2048];

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_taken(CONFIG_URL, str_from(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_URL, str_from(bad[i]));
    }
    memset(text, 'a', sizeof(text));
    memcpy(text, "https://", 8);
    assert_taken(CONFIG_URL, (struct str){text, CONFIG_URL_BYTES_MAX});
    assert_refused(CONFIG_URL, (struct str){text, CONFIG_URL_BYTES_MAX + 1});
}

static void links(void **state)
{
    static const char *const good[] = {"", "https://example.com/verify#token={token}",
                                       "http://localhost:3000/?t={token}",
                                       "https://example.com/{token}/"};
    static const char *const bad[] = {"https://example.com/verify",
                                      "{token}",
                                      "/verify#{token}",
                                      "https://example.com/#{Token}",
                                      "https://example.com/#token",
                                      "javascript:{token}",
                                      "https://example.com/ {token}"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_taken(CONFIG_LINK, str_from(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_LINK, str_from(bad[i]));
    }
}

static void lists(void **state)
{
    static const char *const bad[] = {"", ",", " ", "a,,b", ",a", "a, ,b", "1,2,3,4,5,6,7,8,9"};
    char text[128];
    union value value = {0};

    (void)state;
    assert_int_equal(parse(CONFIG_LIST, STR("shop"), &value), OK);
    assert_int_equal(value.list.count, 1);
    assert_int_equal(parse(CONFIG_LIST, STR("shop, kitchen ,bar"), &value), OK);
    assert_int_equal(value.list.count, 3);
    assert_str_equal(value.list.items[1], STR("kitchen"));
    assert_int_equal(parse(CONFIG_LIST, STR("1,2,3,4,5,6,7,8"), &value), OK);
    assert_int_equal(value.list.count, 8);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_LIST, str_from(bad[i]));
    }
    memset(text, 'n', sizeof(text));
    assert_taken(CONFIG_LIST, (struct str){text, CONFIG_NAME_BYTES_MAX});
    assert_refused(CONFIG_LIST, (struct str){text, CONFIG_NAME_BYTES_MAX + 1});
}

static void databases(void **state)
{
    static const char *const good[] = {
        "postgresql://user@host:5432/database",
        "postgres://host",
        "postgresql://user:p%40ss@host/db?sslmode=verify-full",
        "postgresql://a:5432,b:5433/db?target_session_attrs=read-write",
        "postgresql://[::1]:5432/db",
        "postgresql://[::1]/db",
        "postgresql:///db?host=/run/postgresql",
        "postgresql://owner@/postgres?host=/tmp/x",
        "postgresql://",
    };
    static const char *const bad[] = {
        "",
        "host=localhost dbname=x",
        "mysql://host/db",
        "postgresql:/host",
        "POSTGRESQL://host",
        "postgresql://host:port/db",
        "postgresql://host:0/db",
        "postgresql://host:65536/db",
        "postgresql://host:5432x/db",
        "postgresql://a:5432,b:x/db",
        " postgresql://host",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_taken(CONFIG_DATABASE, str_from(good[i]));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_DATABASE, str_from(bad[i]));
    }
}

static void references(void **state)
{
    static const char *const bad[] = {
        "",           "file:",         "file:relative.json", "/path/to.json",
        "FILE:/path", "{\"keys\":[]}", "whsec_AAAA",         "aws-secretsmanager:user-service/jwt",
        " file:/x"};

    (void)state;
    assert_taken(CONFIG_REFERENCE, STR("file:/run/secrets/jwt.json"));
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_REFERENCE, str_from(bad[i]));
    }
}

static void events(void **state)
{
    static const char *const bad[] = {"user.nothing",
                                      "user.registered,,user.verified",
                                      "*",
                                      ",",
                                      "user.registered.v1",
                                      "USER.REGISTERED",
                                      "com.mallhive.user.registered",
                                      "user.registered;user.verified"};
    union value value = {0};

    (void)state;
    assert_int_equal(parse(CONFIG_EVENTS, STR("user.registered, session.created"), &value), OK);
    assert_int_equal(value.events,
                     EVENT_BIT(EVENT_USER_REGISTERED) | EVENT_BIT(EVENT_SESSION_CREATED));
    assert_int_equal(parse(CONFIG_EVENTS, STR("com.mallhive.session.revoked.v1"), &value), OK);
    assert_int_equal(value.events, EVENT_BIT(EVENT_SESSION_REVOKED));
    assert_int_equal(parse(CONFIG_EVENTS, STR(""), &value), OK); /* none */
    assert_int_equal(value.events, 0);
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        struct str name = str_from(event_type_name((enum event_type)i));

        assert_int_equal(parse(CONFIG_EVENTS, name, &value), OK);
        assert_int_equal(value.events, EVENT_BIT(i));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_EVENTS, str_from(bad[i]));
    }
}

static void choices(void **state)
{
    static const char *const bad[] = {"", "On", "ON", "true", "1", "yes", "on ", "onoff"};
    union value value = {0};

    (void)state;
    assert_int_equal(parse(CONFIG_SWITCH, STR("on"), &value), OK);
    assert_true(value.flag);
    assert_int_equal(parse(CONFIG_SWITCH, STR("off"), &value), OK);
    assert_false(value.flag);
    assert_int_equal(parse(CONFIG_VERIFICATION, STR("required"), &value), OK);
    assert_true(value.flag);
    assert_int_equal(parse(CONFIG_VERIFICATION, STR("optional"), &value), OK);
    assert_false(value.flag);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_SWITCH, str_from(bad[i]));
        assert_refused(CONFIG_VERIFICATION, str_from(bad[i]));
    }
    assert_refused(CONFIG_VERIFICATION, STR("off"));
}

static void levels(void **state)
{
    static const char *const bad[] = {"", "INFO", "warning", "trace", "2", "info "};
    union value value = {0};

    (void)state;
    assert_int_equal(parse(CONFIG_LEVEL, STR("warn"), &value), OK);
    assert_int_equal(value.level, LOG_WARN);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_LEVEL, str_from(bad[i]));
    }
}

/* The row takes 30s to 1h. */
static void durations(void **state)
{
    static const struct {
        const char *text;
        int64_t seconds;
    } good[] = {{"30s", 30}, {"3600s", 3600}, {"1m", 60}, {"60m", 3600}, {"1h", 3600}};
    static const char *const bad[] = {"",
                                      "s",
                                      "30",
                                      "29s",
                                      "3601s",
                                      "61m",
                                      "2h",
                                      "1d",
                                      "0s",
                                      "-30s",
                                      "+30s",
                                      "030s",
                                      "30 s",
                                      " 30s",
                                      "30s ",
                                      "30S",
                                      "30ms",
                                      "1.5h",
                                      "1h30m",
                                      "30x",
                                      "18446744073709551615s",
                                      "18446744073709551646s",
                                      "18446744073709551616s",
                                      "5124095576030431h",
                                      "307445734561825861m"};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        union value value = {0};

        assert_int_equal(parse(CONFIG_DURATION, str_from(good[i].text), &value), OK);
        assert_int_equal(value.seconds, good[i].seconds);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_DURATION, str_from(bad[i]));
    }
}

static void numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "29",
                                      "3601",
                                      "-30",
                                      "+30",
                                      "030",
                                      "3e2",
                                      "0x30",
                                      "30 ",
                                      "30.0",
                                      "18446744073709551615",
                                      "18446744073709551646"};
    union value value = {0};

    (void)state;
    assert_int_equal(parse(CONFIG_NUMBER, STR("30"), &value), OK);
    assert_int_equal(value.number, 30);
    assert_int_equal(parse(CONFIG_NUMBER, STR("3600"), &value), OK);
    assert_int_equal(value.number, 3600);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_refused(CONFIG_NUMBER, str_from(bad[i]));
    }
}

static struct str takes(enum config_type type, uint64_t min, uint64_t max)
{
    static char memory[256];
    struct buf out = buf_over(memory, sizeof(memory));
    struct config_row row = row_of(type);

    row.min = min;
    row.max = max;
    config_value_takes(&row, &out);
    assert_false(out.overflowed);
    return buf_str(&out);
}

static void bounds_are_said_as_they_are_written(void **state)
{
    (void)state;
    assert_str_equal(takes(CONFIG_DURATION, 30, 3600),
                     STR("a duration from 30s to 1h, as in 90s, 5m, 12h or 7d"));
    assert_str_equal(takes(CONFIG_DURATION, 300, 31536000),
                     STR("a duration from 5m to 365d, as in 90s, 5m, 12h or 7d"));
    assert_str_equal(takes(CONFIG_DURATION, 0, 600),
                     STR("a duration from 0s to 10m, as in 90s, 5m, 12h or 7d"));
    assert_str_equal(takes(CONFIG_NUMBER, 8, 64), STR("a whole number from 8 to 64"));
}

static void every_type_says_what_it_takes(void **state)
{
    (void)state;
    for (int type = 0; type <= CONFIG_LEVEL; type++) {
        const struct config_row row = row_of((enum config_type)type);

        assert_true(takes((enum config_type)type, 1, 2).len > 5);
        assert_true(strlen(config_value_type(&row)) > 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_to_listen_on),
        cmocka_unit_test(urls),
        cmocka_unit_test(links),
        cmocka_unit_test(lists),
        cmocka_unit_test(databases),
        cmocka_unit_test(references),
        cmocka_unit_test(events),
        cmocka_unit_test(choices),
        cmocka_unit_test(levels),
        cmocka_unit_test(durations),
        cmocka_unit_test(numbers),
        cmocka_unit_test(bounds_are_said_as_they_are_written),
        cmocka_unit_test(every_type_says_what_it_takes),
    };

    return cmocka_run_group_tests_name("config_value", tests, NULL, NULL);
}
