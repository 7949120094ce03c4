/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>

/* Lines go into a socket that keeps the borders of messages: one that is received whole was sent
 * with one write. */
static int sockets[2];
static char memory[2 * LOG_LINE_BYTES_MAX];

static int open_sockets(void **state)
{
    (void)state;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets) != 0) {
        return -1;
    }
    log_start(LOG_INFO, "user-service", "1.2.3");
    log_to(sockets[0]);
    return 0;
}

static int close_sockets(void **state)
{
    (void)state;
    log_to(STDOUT_FILENO);
    (void)close(sockets[0]);
    (void)close(sockets[1]);
    return 0;
}

/* The next message without its line end; empty if there is none. */
static struct str received(void)
{
    ssize_t len = recv(sockets[1], memory, sizeof(memory), MSG_DONTWAIT);
    struct str line;

    if (len < 0) {
        assert_int_equal(errno, EAGAIN);
        return STR_EMPTY;
    }
    line = (struct str){memory, (size_t)len};
    assert_true(len <= LOG_LINE_BYTES_MAX);
    assert_true(str_ends(line, STR("}\n")));
    line.len--;
    assert_false(memchr(line.ptr, '\n', line.len) != NULL);
    assert_true(unit_is_json(line));
    return line;
}

static bool contains(struct str s, struct str part)
{
    return memmem(s.ptr, s.len, part.ptr, part.len) != NULL;
}

static const struct str after_timestamp = {"\",\"level\":\"", 11};

static void a_line_has_its_members_in_order(void **state)
{
    struct str line;
    struct str begin = STR("{\"timestamp\":\"");

    (void)state;
    log_warn("pool is full", LOG_TEXT("lane", STR("db")), LOG_CSTR("code", "overloaded"),
             LOG_NUMBER("depth", -256), LOG_BOOL("retry", true), LOG_BOOL("fatal", false));
    line = received();
    assert_true(str_starts(line, begin));
    line = str_sub(line, begin.len + 30, line.len);
    assert_true(str_starts(line, after_timestamp));
    assert_str_equal(line, STR("\",\"level\":\"warn\",\"service\":\"user-service\",\"version\":"
                               "\"1.2.3\",\"message\":\"pool is full\",\"lane\":\"db\",\"code\":"
                               "\"overloaded\",\"depth\":-256,\"retry\":true,\"fatal\":false}"));
}

static void the_timestamp_is_the_wall_clock_in_utc(void **state)
{
    char expected[32];
    time_t before = (time_t)clock_wall_s();
    time_t after;
    struct tm civil;
    struct str at;

    (void)state;
    log_info("tick");
    at = str_sub(received(), sizeof("{\"timestamp\":\"") - 1, sizeof("{\"timestamp\":\"") + 29);
    after = (time_t)clock_wall_s();
    assert_int_equal(at.len, 30);
    assert_true(str_ends(at, STR("Z")));
    assert_int_equal(at.ptr[19], '.');
    for (; before <= after; before++) {
        assert_non_null(gmtime_r(&before, &civil));
        assert_int_equal(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &civil), 19);
        if (str_starts(at, str_from(expected))) {
            return;
        }
    }
    fail_msg("timestamp %.*s", STR_ARG(at));
}

static void levels(void **state)
{
    (void)state;
    log_debug("below the level");
    assert_int_equal(received().len, 0);
    log_info("a");
    assert_true(contains(received(), STR("\"level\":\"info\"")));
    log_error("b");
    assert_true(contains(received(), STR("\"level\":\"error\"")));

    log_start(LOG_DEBUG, "user-service", "1.2.3");
    log_debug("c");
    assert_true(contains(received(), STR("\"level\":\"debug\"")));

    log_start(LOG_ERROR, "user-service", "1.2.3");
    log_warn("d");
    assert_int_equal(received().len, 0);
    log_error("e");
    assert_true(received().len > 0);
}

static void level_parse(void **state)
{
    static const char *const bad[] = {"",      "INFO",          "info ", "warning",
                                      "trace", "informational", "2"};
    enum log_level level = LOG_DEBUG;

    (void)state;
    assert_int_equal(log_level_parse(STR("error"), &level), OK);
    assert_int_equal(level, LOG_ERROR);
    assert_int_equal(log_level_parse(STR("warn"), &level), OK);
    assert_int_equal(level, LOG_WARN);
    assert_int_equal(log_level_parse(STR("debug"), &level), OK);
    assert_int_equal(level, LOG_DEBUG);
    assert_int_equal(log_level_parse(STR("info"), &level), OK);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(log_level_parse(str_from(bad[i]), &level), ERR_INVALID);
    }
    assert_int_equal(level, LOG_INFO);
}

static void a_line_cannot_be_forged(void **state)
{
    struct str line;

    (void)state;
    log_info("a\n{\"level\":\"error\"}", LOG_TEXT("path", STR("/x\"}\r\n{\"a\":\"\xFF\0")));
    line = received();
    assert_true(contains(line, STR("\"message\":\"a\\n{\\\"level\\\":\\\"error\\\"}\"")));
    assert_true(
        contains(line, STR("\"path\":\"/x\\\"}\\r\\n{\\\"a\\\":\\\"\xEF\xBF\xBD\\u0000\"")));
    assert_int_equal(received().len, 0);
}

static void a_field_that_does_not_fit_is_left_out(void **state)
{
    static char big[LOG_LINE_BYTES_MAX];
    struct str line;

    (void)state;
    memset(big, 'x', sizeof(big));
    log_info("m", LOG_TEXT("a", STR("1")), LOG_TEXT("big", ((struct str){big, sizeof(big)})),
             LOG_NUMBER("b", 2));
    line = received();
    assert_true(contains(line, STR("\"a\":\"1\",\"b\":2,\"truncated\":true}")));
    assert_false(contains(line, STR("big")));
}

static void a_field_may_fill_the_line(void **state)
{
    static char big[LOG_LINE_BYTES_MAX];
    size_t longest = 0;
    size_t longest_line = 0;

    (void)state;
    memset(big, 'x', sizeof(big));
    for (size_t len = LOG_LINE_BYTES_MAX - 300; len < LOG_LINE_BYTES_MAX; len++) {
        struct str line;

        log_info("m", LOG_TEXT("big", ((struct str){big, len})));
        line = received();
        if (!contains(line, STR("truncated"))) {
            assert_true(contains(line, STR("\"big\":\"xxx")));
            longest = len;
            longest_line = line.len + 1;
        }
    }
    assert_true(longest > LOG_LINE_BYTES_MAX - 200);
    assert_in_range(longest_line, LOG_LINE_BYTES_MAX - 20, LOG_LINE_BYTES_MAX);
}

static void a_message_that_does_not_fit_is_cut(void **state)
{
    static char big[3 * LOG_LINE_BYTES_MAX];
    static const char fills[] = {'x', '\x01', '\xC3'}; /* one, six and three bytes in the line */

    (void)state;
    for (size_t i = 0; i < sizeof(fills); i++) {
        struct str line;

        memset(big, fills[i], sizeof(big) - 1);
        log_error(big, LOG_NUMBER("n", 1));
        line = received();
        assert_true(line.len > LOG_LINE_BYTES_MAX / 4);
        assert_true(contains(line, STR("\"level\":\"error\"")));
        assert_true(contains(line, STR(",\"n\":1,")));
        assert_true(contains(line, STR("\"truncated\":true}")));
    }
}

static void long_names_leave_place_for_the_rest(void **state)
{
    static char big[LOG_LINE_BYTES_MAX];
    struct str line;

    (void)state;
    memset(big, 1, sizeof(big) - 1);
    log_start(LOG_INFO, big, big);
    log_info("still there", LOG_NUMBER("n", 1));
    line = received();
    assert_true(contains(line, STR("\"message\":\"still there\",\"n\":1}")));
}

static void any_bytes_give_a_valid_line(void **state)
{
    uint64_t seed = 88172645463325252U;
    static char bytes[3][1500];

    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct str texts[3];

        for (size_t field = 0; field < 3; field++) {
            texts[field] = (struct str){bytes[field], unit_random(&seed) % sizeof(bytes[field])};
            for (size_t i = 0; i < texts[field].len; i++) {
                bytes[field][i] = (char)(unit_random(&seed) >> 11 & 0xFF);
            }
        }
        bytes[0][texts[0].len] = '\0';
        log_info(bytes[0], LOG_TEXT("a", texts[1]), LOG_TEXT("b", texts[2]));
        assert_true(received().len > 0);
    }
}

static void errno_is_kept(void **state)
{
    (void)state;
    errno = ENOENT;
    log_info("a");
    assert_int_equal(errno, ENOENT);
    log_to(-1);
    log_info("b");
    assert_int_equal(errno, ENOENT);
}

static void a_line_that_cannot_be_written_is_counted(void **state)
{
    uint64_t before = log_dropped();
    int pipe_ends[2];
    char fill[4096];

    (void)state;
    log_info("arrives");
    assert_int_equal(log_dropped(), before);
    log_to(-1);
    log_info("bad descriptor");
    assert_int_equal(log_dropped(), before + 1);

    /* A full pipe that may not block: all of the line or nothing, since it is within PIPE_BUF. */
    assert_int_equal(pipe2(pipe_ends, O_NONBLOCK), 0);
    memset(fill, 'f', sizeof(fill));
    while (write(pipe_ends[1], fill, sizeof(fill)) > 0) {
    }
    log_to(pipe_ends[1]);
    log_info("full pipe");
    assert_int_equal(log_dropped(), before + 2);
    while (read(pipe_ends[0], fill, sizeof(fill)) > 0) {
        assert_int_equal(fill[0], 'f');
        assert_int_equal(fill[sizeof(fill) - 1], 'f');
    }
    log_info("room again");
    assert_int_equal(log_dropped(), before + 2);
    assert_true(read(pipe_ends[0], fill, sizeof(fill)) > 0);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

/* As standard output is: a pipe that may block, whose reader has stalled. */
static void a_reader_that_stalls_stops_nobody(void **state)
{
    uint64_t before = log_dropped();
    uint64_t taken;
    int pipe_ends[2];

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    log_to(pipe_ends[1]);
    (void)alarm(30); /* a write that waits waits for ever */
    for (int i = 0; i < 20000 && log_dropped() < before + 100; i++) {
        log_info("nobody reads this");
    }
    assert_int_equal(log_dropped(), before + 100);
    assert_true(read(pipe_ends[0], memory, sizeof(memory)) > 0);
    taken = log_dropped();
    log_info("room again");
    assert_int_equal(log_dropped(), taken);
    (void)alarm(0);
    (void)close(pipe_ends[0]);
    (void)close(pipe_ends[1]);
}

enum { WRITERS = 4, LINES_EACH = 500 };

static void *write_long_lines(void *context)
{
    static const char zeros[580]; /* six bytes each once escaped */
    int64_t writer = *(const int64_t *)context;

    for (int i = 0; i < LINES_EACH; i++) {
        log_info("long", LOG_NUMBER("writer", writer),
                 LOG_TEXT("zeros", ((struct str){zeros, sizeof(zeros)})));
    }
    return NULL;
}

struct reading {
    FILE *stream;
    uint64_t good;
    uint64_t bad;
};

static void *read_long_lines(void *context)
{
    static char bytes[2 * LOG_LINE_BYTES_MAX];
    struct reading *self = context;

    while (fgets(bytes, sizeof(bytes), self->stream) != NULL) {
        struct str line = str_from(bytes);
        bool good = line.len > 3000 && line.len <= LOG_LINE_BYTES_MAX &&
                    str_ends(line, STR("}\n")) && unit_is_json(str_sub(line, 0, line.len - 1));

        self->good += good ? 1 : 0;
        self->bad += good ? 0 : 1;
    }
    return NULL;
}

/* The pipe is full most of the time, which is when writes larger than PIPE_BUF would mix. */
static void lines_of_threads_do_not_mix(void **state)
{
    uint64_t before = log_dropped();
    struct reading reading = {.good = 0};
    int64_t names[WRITERS];
    pthread_t threads[WRITERS];
    pthread_t reader;
    int pipe_ends[2];

    (void)state;
    assert_int_equal(pipe(pipe_ends), 0);
    log_to(pipe_ends[1]);
    reading.stream = fdopen(pipe_ends[0], "r");
    assert_non_null(reading.stream);
    (void)alarm(60);
    assert_int_equal(pthread_create(&reader, NULL, read_long_lines, &reading), 0);
    for (int i = 0; i < WRITERS; i++) {
        names[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, write_long_lines, &names[i]), 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    (void)close(pipe_ends[1]);
    pthread_join(reader, NULL);
    (void)alarm(0);
    (void)fclose(reading.stream);
    assert_int_equal(reading.bad, 0);
    assert_true(reading.good >= 16); /* what a pipe takes before anybody reads */
    assert_int_equal(reading.good + (log_dropped() - before), WRITERS * LINES_EACH);
}

static void write_at_a_level_that_is_none(void)
{
    log_write((enum log_level)4, "m", LOG_FIELDS());
}

static void a_field_without_a_kind(void)
{
    log_info("m", {.name = "a"});
}

static void start_at_a_level_that_is_none(void)
{
    log_start((enum log_level)4, "s", "v");
}

static void start_without_a_service(void)
{
    log_start(LOG_INFO, NULL, "v");
}

static void start_without_a_version(void)
{
    log_start(LOG_INFO, "s", NULL);
}

static void programmers_errors_abort(void **state)
{
    (void)state;
    assert_true(unit_aborts(write_at_a_level_that_is_none));
    assert_true(unit_aborts(a_field_without_a_kind));
    assert_true(unit_aborts(start_at_a_level_that_is_none));
    assert_true(unit_aborts(start_without_a_service));
    assert_true(unit_aborts(start_without_a_version));
}

#define LOG_TEST(name) cmocka_unit_test_setup_teardown(name, open_sockets, close_sockets)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOG_TEST(a_line_has_its_members_in_order),
        LOG_TEST(the_timestamp_is_the_wall_clock_in_utc),
        LOG_TEST(levels),
        LOG_TEST(level_parse),
        LOG_TEST(a_line_cannot_be_forged),
        LOG_TEST(a_field_that_does_not_fit_is_left_out),
        LOG_TEST(a_field_may_fill_the_line),
        LOG_TEST(a_message_that_does_not_fit_is_cut),
        LOG_TEST(long_names_leave_place_for_the_rest),
        LOG_TEST(any_bytes_give_a_valid_line),
        LOG_TEST(errno_is_kept),
        LOG_TEST(a_line_that_cannot_be_written_is_counted),
        LOG_TEST(a_reader_that_stalls_stops_nobody),
        LOG_TEST(lines_of_threads_do_not_mix),
        LOG_TEST(programmers_errors_abort),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
