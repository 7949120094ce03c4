/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "config.h"

static char problems_memory[8192];
static char unknown_memory[4096];
static struct buf problems;
static struct buf unknown;
static struct config config;

/* One row a variable: two values that it takes and two that it refuses, at its bounds where it has
 * any. */
static const struct {
    const char *name;
    const char *taken[2];
    const char *refused[2];
} rows[] = {
    {"US_HTTP_LISTEN", {"127.0.0.1:8080", "[::]:8000"}, {"8000", "0.0.0.0:65536"}},
    {"US_OPS_LISTEN", {"127.0.0.1:9100", "[::]:9000"}, {":9000", ""}},
    {"US_PUBLIC_URL",
     {"https://id.example.com", "http://127.0.0.1:8000"},
     {"https://id.example.com/", "id.example.com"}},
    {"US_LINK_VERIFY",
     {"", "https://example.com/verify#token={token}"},
     {"https://example.com/verify", "/verify#{token}"}},
    {"US_LINK_RESET",
     {"", "https://example.com/reset#token={token}"},
     {"https://example.com/reset", "/reset#{token}"}},
    {"US_PAGES", {"on", "off"}, {"yes", ""}},
    {"US_DOCS", {"on", "off"}, {"1", ""}},
    {"US_AUDIENCE", {"shop", "shop,kitchen"}, {"", "1,2,3,4,5,6,7,8,9"}},
    {"US_DATABASE_URL",
     {"postgresql://u@h/d", "postgres://a:1,b:2/d"},
     {"mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d"}},
    {"US_JWT_SECRET", {"file:/jwt.json", "file:/run/jwt"}, {"jwt.json", "{\"kty\":\"EC\"}"}},
    {"US_KEYRING_SECRET", {"file:/k.json", "file:/run/k"}, {"k.json", ""}},
    {"US_WEBHOOK_SECRET", {"file:/w.json", "file:/run/w"}, {"w.json", ""}},
    {"US_SECRETS_REFRESH", {"1s", "1h"}, {"0s", "3601s"}},
    {"US_KEY_DELAY", {"0s", "24h"}, {"-1s", "86401s"}},
    {"US_NOTIFICATION_URL",
     {"http://127.0.0.1:1/events", "https://example.com"},
     {"", "ftp://example.com/events"}},
    {"US_EVENTS", {"", "user.registered,session.created"}, {"user.unknown", "all"}},
    {"US_EMAIL_VERIFICATION", {"required", "optional"}, {"on", ""}},
    {"US_ACCESS_TOKEN_TTL", {"30s", "1h"}, {"29s", "3601s"}},
    {"US_REFRESH_IDLE_TTL", {"5m", "30d"}, {"299s", "366d"}},
    {"US_REFRESH_ABSOLUTE_TTL", {"7d", "365d"}, {"299s", "366d"}},
    {"US_REFRESH_GRACE", {"0s", "10m"}, {"-1s", "601s"}},
    {"US_REVOCATION_STALE_MAX", {"1s", "60s"}, {"500ms", "61s"}},
    {"US_AUDIT_RETENTION", {"1d", "3650d"}, {"86399s", "3651d"}},
    {"US_TOKEN_TYP", {"at+jwt", "JWT"}, {"jwt", ""}},
    {"US_TRUSTED_PROXIES", {"", "10.0.0.0/8,2001:db8::/32"}, {"10.0.0.1/8", "all"}},
    {"US_CORS_ORIGINS", {"", "https://shop.example,http://localhost:3000"}, {"*", "shop.example"}},
    {"US_PASSWORD_MIN_LENGTH", {"8", "64"}, {"7", "65"}},
    {"US_ARGON2_MEMORY_KIB", {"7168", "102400"}, {"7167", "102401"}},
    {"US_ARGON2_PASSES", {"1", "16"}, {"0", "17"}},
    {"US_PASSWORD_PEPPER", {"on", "off"}, {"none", ""}},
    {"US_HASH_THREADS", {"0", "64"}, {"-1", "65"}},
    {"US_DB_THREADS", {"1", "64"}, {"0", "65"}},
    {"US_IO_THREADS", {"0", "64"}, {"auto", "65"}},
    {"US_LOG_LEVEL", {"debug", "error"}, {"trace", ""}},
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static const char *const required[][2] = {
    {"US_PUBLIC_URL", "https://user.example.com"},
    {"US_AUDIENCE", "shop"},
    {"US_DATABASE_URL", "postgresql://owner:hunter2@db.example.com/users"},
    {"US_JWT_SECRET", "file:/run/secrets/jwt.json"},
    {"US_KEYRING_SECRET", "file:/run/secrets/keyring.json"},
    {"US_WEBHOOK_SECRET", "file:/run/secrets/webhook.json"},
};

enum { REQUIRED = sizeof(required) / sizeof(required[0]) };

static void set(const char *name, const char *value)
{
    assert_int_equal(setenv(name, value, 1), 0);
}

static int only_what_is_required(void **state)
{
    (void)state;
    (void)clearenv();
    for (size_t i = 0; i < REQUIRED; i++) {
        set(required[i][0], required[i][1]);
    }
    return 0;
}

static enum error load(void)
{
    problems = buf_over(problems_memory, sizeof(problems_memory) - 1);
    unknown = buf_over(unknown_memory, sizeof(unknown_memory) - 1);
    memset(problems_memory, 0, sizeof(problems_memory));
    memset(unknown_memory, 0, sizeof(unknown_memory));
    return config_load(&config, &problems, &unknown);
}

static void must_load(void)
{
    if (load() != OK) {
        fail_msg("%s", problems_memory);
    }
    assert_int_equal(problems.len, 0);
}

/* One line, which begins with the variable. */
static void assert_one_problem(const char *name)
{
    assert_int_equal(load(), ERR_CONFIG);
    assert_ptr_equal(strstr(problems_memory, name), problems_memory);
    assert_int_equal(problems_memory[strlen(name)], ':');
    assert_ptr_equal(strchr(problems_memory, '\n'), problems_memory + problems.len - 1);
}

static void defaults_are_those_of_the_contract(void **state)
{
    (void)state;
    must_load();
    assert_str_equal(config.http_listen, STR("0.0.0.0:8000"));
    assert_str_equal(config.ops_listen, STR("0.0.0.0:9000"));
    assert_str_equal(config.public_url, STR("https://user.example.com"));
    assert_str_equal(config.link_verify, STR_EMPTY);
    assert_false(config.pages);
    assert_false(config.docs);
    assert_str_equal(config.notification_url,
                     STR("http://notification-service.notification.svc.cluster.local/events"));
    assert_true(config.verification_required);
    assert_int_equal(config.access_token_ttl_s, 300);
    assert_int_equal(config.refresh_idle_ttl_s, 7 * 86400);
    assert_int_equal(config.refresh_absolute_ttl_s, 30 * 86400);
    assert_int_equal(config.password_min_length, 15);
    assert_int_equal(config.argon2_memory_kib, 19456);
    assert_int_equal(config.argon2_passes, 2);
    assert_true(config.password_pepper);
    assert_int_equal(config.db_threads, 8);
    assert_int_equal(config.log_level, LOG_INFO);
}

static void all_but_created_is_published(void **state)
{
    (void)state;
    must_load();
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        assert_int_equal((config.events & EVENT_BIT(i)) != 0, i != EVENT_SESSION_CREATED);
    }
}

static void what_is_required_and_missing_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < REQUIRED; i++) {
        assert_int_equal(unsetenv(required[i][0]), 0);
        assert_one_problem(required[i][0]);
        assert_non_null(strstr(problems_memory, "is missing; takes "));
        set(required[i][0], required[i][1]);
    }
}

static void every_row_takes_what_it_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < 2; j++) {
            (void)only_what_is_required(NULL);
            set(rows[i].name, rows[i].taken[j]);
            must_load();
        }
    }
}

static void every_row_refuses_with_one_line(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t j = 0; j < 2; j++) {
            char got[256];
            bool is_secret = strcmp(rows[i].name, "US_DATABASE_URL") == 0;

            (void)only_what_is_required(NULL);
            set(rows[i].name, rows[i].refused[j]);
            assert_one_problem(rows[i].name);
            (void)snprintf(got, sizeof(got), "%s: got \"%s\"; takes ", rows[i].name,
                           is_secret ? "(hidden)" : rows[i].refused[j]);
            assert_ptr_equal(strstr(problems_memory, got), problems_memory);
            assert_true(strlen(problems_memory) > strlen(got) + 5);
        }
    }
}

/* The table above has all of them, and the program's has no more. */
static void no_variable_is_left_out(void **state)
{
    static char text[65536];
    struct buf out = buf_over(text, sizeof(text) - 1);
    size_t count = 0;

    (void)state;
    config_describe(&out);
    assert_false(out.overflowed);
    text[out.len] = '\0';
    assert_true(unit_is_json(buf_str(&out)));
    for (const char *at = text; (at = strstr(at, "{\"name\":\"")) != NULL; at++) {
        count++;
    }
    assert_int_equal(count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        char member[64];

        (void)snprintf(member, sizeof(member), "{\"name\":\"%s\"", rows[i].name);
        assert_non_null(strstr(text, member));
    }
}

static void all_that_is_wrong_is_told_at_once(void **state)
{
    size_t lines = 0;

    (void)state;
    (void)clearenv();
    set("US_LOG_LEVEL", "loud");
    assert_int_equal(load(), ERR_CONFIG);
    for (const char *at = problems_memory; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    assert_int_equal(lines, REQUIRED + 1);
}

/* For the operator's commands. */
static void what_is_present_can_be_loaded_alone(void **state)
{
    (void)state;
    (void)clearenv();
    set("PATH", "/bin");
    problems = buf_over(problems_memory, sizeof(problems_memory));
    unknown = buf_over(unknown_memory, sizeof(unknown_memory));
    assert_int_equal(config_load_present(&config, &problems, &unknown), OK);
    assert_str_equal(config.database_url, STR_EMPTY);
    assert_int_equal(config.audience.count, 0);
    assert_int_equal(config.access_token_ttl_s, 300);
    set("US_LOG_LEVEL", "loud");
    assert_int_equal(config_load_present(&config, &problems, &unknown), ERR_CONFIG);
    assert_str_equal(str_sub(buf_str(&problems), 0, 18), STR("US_LOG_LEVEL: got "));
}

static void a_failure_leaves_the_destination(void **state)
{
    struct config before;

    (void)state;
    memset(&config, 0x5a, sizeof(config));
    before = config;
    set("US_DOCS", "maybe");
    assert_int_equal(load(), ERR_CONFIG);
    assert_memory_equal(&config, &before, sizeof(config));
}

/* Whatever is in it: one line, of a length for a terminal, and no escape sequences. */
static void what_it_got_is_shown_in_one_line(void **state)
{
    static char long_value[20001];

    (void)state;
    set("US_LOG_LEVEL", "a\nUS_DOCS: all is well\x1b[2J\t\xff");
    assert_one_problem("US_LOG_LEVEL");
    assert_non_null(strstr(problems_memory, "got \"a?US_DOCS: all is well?[2J??\""));
    memset(long_value, 'x', sizeof(long_value) - 1);
    set("US_LOG_LEVEL", long_value);
    assert_one_problem("US_LOG_LEVEL");
    assert_true(problems.len < 300);
    assert_non_null(strstr(problems_memory, "xxx...\"; takes debug, info, warn or error"));
}

/* Even where the sentences do not fit, what is wrong is not taken. */
static void a_full_buffer_is_a_failure(void **state)
{
    char small[8];
    struct buf tiny = buf_over(small, sizeof(small));

    (void)state;
    set("US_LOG_LEVEL", "loud");
    unknown = buf_over(unknown_memory, sizeof(unknown_memory));
    assert_int_equal(config_load(&config, &tiny, &unknown), ERR_CONFIG);
}

static void lifetimes_must_fit_together(void **state)
{
    (void)state;
    set("US_REFRESH_IDLE_TTL", "31d");
    assert_one_problem("US_REFRESH_IDLE_TTL");
    set("US_REFRESH_IDLE_TTL", "30d");
    must_load();
}

/* A token with the issuer as its audience may administrate. */
static void the_issuer_is_no_audience(void **state)
{
    (void)state;
    set("US_AUDIENCE", "shop,https://user.example.com");
    assert_one_problem("US_AUDIENCE");
}

static void unknown_variables_are_named(void **state)
{
    static char long_name[600] = "US_";

    (void)state;
    must_load();
    assert_int_equal(unknown.len, 0);
    set("US_ACCES_TOKEN_TTL", "5m");
    set("USER_SERVICE_PORT", "tcp://10.0.0.1:80"); /* Kubernetes' own */
    set("us_docs", "on");
    must_load(); /* it is only told */
    assert_string_equal(unknown_memory, "US_ACCES_TOKEN_TTL: no variable of this version\n");
    memset(long_name + 3, 'X', sizeof(long_name) - 4);
    set(long_name, "x");
    must_load();
    assert_true(unknown.len < 300);
}

static void print(char *text, size_t bytes, void (*write)(struct buf *out))
{
    struct buf out = buf_over(text, bytes - 1);

    write(&out);
    assert_false(out.overflowed);
    text[out.len] = '\0';
}

static void secrets_are_hidden(void **state)
{
    static char text[65536];

    (void)state;
    must_load();
    print(text, sizeof(text), config_print);
    assert_null(strstr(text, "hunter2"));
    assert_non_null(strstr(text, "US_DATABASE_URL=(hidden)\n"));
    assert_non_null(strstr(text, "US_JWT_SECRET=file:/run/secrets/jwt.json\n"));
    print(text, sizeof(text), config_describe);
    assert_null(strstr(text, "hunter2"));
    set("US_DATABASE_URL", "mysql://owner:hunter2@h/d");
    assert_int_equal(load(), ERR_CONFIG);
    assert_null(strstr(problems_memory, "hunter2"));
    print(text, sizeof(text), config_print);
    assert_null(strstr(text, "hunter2"));
}

static void what_is_in_force_is_printed(void **state)
{
    static char text[65536];

    (void)state;
    set("US_DOCS", "on");
    print(text, sizeof(text), config_print);
    assert_non_null(strstr(text, "US_DOCS=on\n"));
    assert_non_null(strstr(text, "US_ACCESS_TOKEN_TTL=5m\n"));
    (void)clearenv();
    print(text, sizeof(text), config_print); /* required, and missing */
    assert_non_null(strstr(text, "US_PUBLIC_URL=\n"));
    assert_non_null(strstr(text, "US_DATABASE_URL=\n"));
}

#define TEST(name) cmocka_unit_test_setup(name, only_what_is_required)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(defaults_are_those_of_the_contract),
        TEST(all_but_created_is_published),
        TEST(what_is_required_and_missing_is_named),
        TEST(every_row_takes_what_it_says),
        TEST(every_row_refuses_with_one_line),
        TEST(no_variable_is_left_out),
        TEST(all_that_is_wrong_is_told_at_once),
        TEST(what_is_present_can_be_loaded_alone),
        TEST(a_failure_leaves_the_destination),
        TEST(what_it_got_is_shown_in_one_line),
        TEST(a_full_buffer_is_a_failure),
        TEST(lifetimes_must_fit_together),
        TEST(the_issuer_is_no_audience),
        TEST(unknown_variables_are_named),
        TEST(secrets_are_hidden),
        TEST(what_is_in_force_is_printed),
    };

    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
