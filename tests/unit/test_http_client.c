/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "support/receiver.h"

#include "http_client.h"

enum { PATIENCE_MS = 10000 };

static struct http_client *client;

static struct http_call call_to(const char *url)
{
    return (struct http_call){
        .url = url,
        .headers = {"Content-Type: text/plain", "webhook-id: 1"},
        .body = STR("hello"),
        .timeout_ms = PATIENCE_MS,
    };
}

static void run(struct http_call *call)
{
    const struct http_call *ended = NULL;

    assert_int_equal(http_client_post(client, call), OK);
    while (ended == NULL) {
        ended = http_client_wait(client, PATIENCE_MS);
    }
    assert_ptr_equal(ended, call);
    assert_int_equal(http_client_running(client), 0);
}

static bool say_context(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    return receiver_say(fd, self->context);
}

static bool say_context_and_close(struct receiver *self, int fd, const struct received *request)
{
    (void)say_context(self, fd, request);
    return false;
}

/* The call's result when the whole answer is these bytes. */
static struct http_call answer_of(const char *bytes)
{
    char text[512];
    struct receiver *receiver;
    struct http_call call;

    (void)snprintf(text, sizeof(text), "%s", bytes);
    receiver = receiver_start(0, say_context_and_close, text);
    call = call_to(receiver->url);
    run(&call);
    receiver_stop(receiver);
    call.url = NULL;
    return call;
}

static void a_post_arrives_as_it_was_given(void **state)
{
    char ok[] = "HTTP/1.1 204 No Content\r\n\r\n";
    struct receiver *receiver = receiver_start(0, say_context, ok);
    struct http_call call = call_to(receiver->url);
    char value[64];

    (void)state;
    run(&call);
    assert_int_equal(call.outcome, HTTP_ANSWERED);
    assert_int_equal(call.status, 204);
    assert_int_equal(call.retry_after_s, -1);
    assert_string_equal(call.reason, "");
    assert_int_equal(receiver->count, 1);
    assert_int_equal(strncmp(receiver->requests[0].text, "POST /events HTTP/1.1\r\n", 23), 0);
    assert_string_equal(receiver->requests[0].body, "hello");
    assert_string_equal(
        received_header(&receiver->requests[0], "content-type", value, sizeof(value)),
        "text/plain");
    assert_string_equal(received_header(&receiver->requests[0], "webhook-id", value, sizeof(value)),
                        "1");
    assert_string_equal(received_header(&receiver->requests[0], "expect", value, sizeof(value)),
                        "");
    receiver_stop(receiver);
}

static void the_connection_is_kept(void **state)
{
    char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct receiver *receiver = receiver_start(0, say_context, ok);

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct http_call call = call_to(receiver->url);

        run(&call);
        assert_int_equal(call.status, 200);
    }
    assert_int_equal(receiver->connection_count, 1);
    receiver_stop(receiver);
}

/* The receiver closes an idle connection, as any does at some time. */
static void a_kept_connection_that_is_gone_costs_nothing(void **state)
{
    char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    struct receiver *receiver = receiver_start(0, say_context_and_close, ok);

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct http_call call = call_to(receiver->url);

        run(&call);
        assert_int_equal(call.status, 200);
    }
    receiver_stop(receiver);
}

static void a_refused_connection(void **state)
{
    struct receiver *receiver = receiver_start(0, say_context, NULL);
    struct http_call call;
    char url[64];

    (void)state;
    (void)snprintf(url, sizeof(url), "%s", receiver->url);
    receiver_stop(receiver);
    call = call_to(url);
    run(&call);
    assert_int_equal(call.outcome, HTTP_NO_CONNECTION);
    assert_int_equal(call.status, 0);
    assert_non_null(strstr(call.reason, "127.0.0.1"));
}

static void what_is_no_endpoint(void **state)
{
    static const char *const urls[] = {"http://name.invalid/", "ftp://127.0.0.1/",
                                       "file:///etc/hosts",    "http://",
                                       "nonsense://x",         "https://127.0.0.1:1/"};

    (void)state;
    for (size_t i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        struct http_call call = call_to(urls[i]);

        run(&call);
        assert_int_equal(call.outcome, HTTP_NO_CONNECTION);
        assert_true(strlen(call.reason) > 0);
    }
}

/* TLS is spoken to something that does not: nothing of the event was sent. */
static void tls_that_fails_is_no_connection(void **state)
{
    char ok[] = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    struct receiver *receiver = receiver_start(0, say_context_and_close, ok);
    struct http_call call;
    char url[80];

    (void)state;
    (void)snprintf(url, sizeof(url), "https%s", receiver->url + 4);
    call = call_to(url);
    call.timeout_ms = 300; /* the receiver waits for a head that never ends */
    run(&call);
    assert_int_equal(call.outcome, HTTP_NO_CONNECTION);
    assert_int_equal(receiver->count, 0);
    receiver_stop(receiver);
}

static void a_redirect_is_an_answer(void **state)
{
    struct receiver *elsewhere = receiver_start(0, say_context, NULL);
    char text[256];
    struct http_call call;

    (void)state;
    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
                   elsewhere->url);
    call = answer_of(text);
    assert_int_equal(call.outcome, HTTP_ANSWERED);
    assert_int_equal(call.status, 302);
    assert_int_equal(elsewhere->connection_count, 0);
    receiver_stop(elsewhere);
}

static bool endless_body(struct receiver *self, int fd, const struct received *request)
{
    static char chunk[65536];
    bool *cut = self->context;

    (void)request;
    (void)receiver_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
    while (receiver_write(fd, chunk, sizeof(chunk))) {
    }
    *cut = true;
    return false;
}

static void an_endless_body_is_cut(void **state)
{
    bool cut = false;
    struct receiver *receiver = receiver_start(0, endless_body, &cut);
    struct http_call call = call_to(receiver->url);

    (void)state;
    run(&call);
    assert_int_equal(call.outcome, HTTP_ANSWERED);
    assert_int_equal(call.status, 200);
    assert_true(call.received_bytes <= HTTP_CLIENT_RESPONSE_BYTES_MAX + 65536);
    receiver_stop(receiver);
    assert_true(cut);
}

static bool endless_head(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    (void)self;
    (void)receiver_say(fd, "HTTP/1.1 200 OK\r\n");
    while (receiver_say(fd, "X-Padding: 0123456789012345678901234567890123456789\r\n")) {
    }
    return false;
}

static void an_endless_head_is_no_answer(void **state)
{
    struct receiver *receiver = receiver_start(0, endless_head, NULL);
    struct http_call call = call_to(receiver->url);

    (void)state;
    run(&call);
    assert_int_equal(call.outcome, HTTP_BROKEN);
    assert_int_equal(call.status, 0);
    assert_true(call.received_bytes < HTTP_CLIENT_RESPONSE_BYTES_MAX + 1024);
    receiver_stop(receiver);
}

static bool say_and_hang(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    (void)receiver_say(fd, self->context);
    return receiver_pause(self, fd, PATIENCE_MS);
}

static struct http_call hanging_answer(const char *begin)
{
    char text[128];
    struct receiver *receiver;
    struct http_call call;

    (void)snprintf(text, sizeof(text), "%s", begin);
    receiver = receiver_start(0, say_and_hang, text);
    call = call_to(receiver->url);
    call.timeout_ms = 200;
    run(&call);
    receiver_stop(receiver);
    assert_true(call.duration_ms >= 200 && call.duration_ms < 5000);
    call.url = NULL;
    return call;
}

static void what_does_not_answer_in_time(void **state)
{
    static const char *const begins[] = {"",
                                         "HTTP/1.1 20",
                                         "HTTP/1.1 200 OK\r\nContent-",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n",
                                         "HTTP/1.1 100 Continue\r\n\r\n",
                                         "HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        const struct http_call call = hanging_answer(begins[i]);

        assert_int_equal(call.outcome, HTTP_TIMED_OUT);
        assert_int_equal(call.status, 0);
    }
}

/* The rest comes never, or a byte now and then: the call is over long before its time is. */
static void a_body_that_hangs_is_not_waited_for(void **state)
{
    static const char *const begins[] = {
        "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\nok",
        "HTTP/1.1 202 Accepted\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok",
        "HTTP/1.1 202 Accepted\r\n\r\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(begins) / sizeof(begins[0]); i++) {
        char text[128];
        struct receiver *receiver;

        (void)snprintf(text, sizeof(text), "%s", begins[i]);
        receiver = receiver_start(0, say_and_hang, text);
        for (size_t round = 1; round <= 2; round++) {
            struct http_call call = call_to(receiver->url);

            run(&call);
            assert_int_equal(call.outcome, HTTP_ANSWERED);
            assert_int_equal(call.status, 202);
            assert_true(call.duration_ms < PATIENCE_MS / 2);
            /* What comes late can not be taken for the next answer. */
            assert_int_equal(receiver->connection_count, round);
        }
        receiver_stop(receiver);
    }
}

static bool drip_body(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    (void)receiver_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (receiver_pause(self, fd, 5) && receiver_say(fd, "x")) {
    }
    return false;
}

static void dripping_bodies_keep_nobody_waiting(void **state)
{
    struct receiver *receiver = receiver_start(0, drip_body, NULL);
    const int64_t began_ms = clock_mono_ms();
    struct http_call calls[HTTP_CLIENT_PARALLEL_MAX];

    (void)state;
    for (size_t i = 0; i < HTTP_CLIENT_PARALLEL_MAX; i++) {
        calls[i] = call_to(receiver->url);
        assert_int_equal(http_client_post(client, &calls[i]), OK);
    }
    for (size_t i = 0; i < HTTP_CLIENT_PARALLEL_MAX; i++) {
        const struct http_call *call = http_client_wait(client, PATIENCE_MS);

        assert_non_null(call);
        assert_int_equal(call->status, 200);
    }
    assert_true(clock_mono_ms() - began_ms < PATIENCE_MS / 2);
    receiver_stop(receiver);
}

static bool body_in_pieces(struct receiver *self, int fd, const struct received *request)
{
    (void)request;
    return receiver_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n") &&
           receiver_pause(self, fd, 1) && receiver_say(fd, "o") && receiver_say(fd, "k");
}

/* Most of the time, that is: a busy machine may need longer for the second packet. */
static void a_body_that_follows_soon_keeps_the_connection(void **state)
{
    struct receiver *receiver = receiver_start(0, body_in_pieces, NULL);

    (void)state;
    for (int i = 0; i < 20; i++) {
        struct http_call call = call_to(receiver->url);

        run(&call);
        assert_int_equal(call.status, 200);
    }
    assert_true(receiver->connection_count < 10);
    receiver_stop(receiver);
}

static void an_interim_answer_is_passed_over(void **state)
{
    const struct http_call call = answer_of("HTTP/1.1 103 Early Hints\r\nRetry-After: 9\r\n\r\n"
                                            "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");

    (void)state;
    assert_int_equal(call.outcome, HTTP_ANSWERED);
    assert_int_equal(call.status, 201);
    assert_int_equal(call.retry_after_s, -1);
}

static void what_is_not_http(void **state)
{
    static const char *const answers[] = {"",
                                          "hello\r\n\r\n",
                                          "\r\n\r\n",
                                          "SSH-2.0-OpenSSH_9.2\r\n",
                                          "HTTP/1.1 200 OK\r\nContent-Le",
                                          "HTTP/1.1 abc\r\n\r\n",
                                          "HTTP/9.9 200 OK\r\n\r\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
        const struct http_call call = answer_of(answers[i]);

        if (call.outcome != HTTP_BROKEN) {
            fail_msg("answer %zu: outcome %d, status %d", i, (int)call.outcome, call.status);
        }
        assert_true(strlen(call.reason) > 0);
    }
}

static int64_t retry_after(const char *value)
{
    char text[256];

    (void)snprintf(text, sizeof(text),
                   "HTTP/1.1 429 X\r\nretry-AFTER: %s\r\nContent-Length: 0\r\n\r\n", value);
    return answer_of(text).retry_after_s;
}

static void retry_after_in_seconds(void **state)
{
    (void)state;
    assert_int_equal(retry_after("0"), 0);
    assert_int_equal(retry_after("120"), 120);
    assert_int_equal(retry_after("  7  "), 7);
    assert_int_equal(retry_after("99999999999"), INT32_MAX);
}

static void assert_date_understood(const char *text)
{
    const int64_t seconds = retry_after(text);

    if (seconds < 80 || seconds > 90) {
        fail_msg("\"%s\" gave %lld", text, (long long)seconds);
    }
}

/* RFC 9110 section 5.6.7: the form of today and the two of old. */
static void retry_after_as_a_date(void **state)
{
    const time_t at = time(NULL) + 90;
    struct tm utc;
    char text[64];
    size_t length;

    (void)state;
    gmtime_r(&at, &utc);
    (void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    assert_date_understood(text);
    length = strftime(text, sizeof(text), "%A, %d-%b-", &utc);
    (void)snprintf(text + length, sizeof(text) - length, "%02d %02d:%02d:%02d GMT",
                   utc.tm_year % 100, utc.tm_hour, utc.tm_min, utc.tm_sec);
    assert_date_understood(text);
    (void)strftime(text, sizeof(text), "%a %b %e %H:%M:%S %Y", &utc);
    assert_date_understood(text);
    assert_int_equal(retry_after("Fri, 31 Dec 1999 23:59:59 GMT"), 0);
}

static void retry_after_that_says_nothing(void **state)
{
    static const char *const values[] = {"",
                                         "soon",
                                         "-1",
                                         "1.5",
                                         "0x10",
                                         "a very long text that cannot be any date whatsoever,"
                                         " however it is turned"};

    (void)state;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        const int64_t seconds = retry_after(values[i]);

        if (seconds != -1) {
            fail_msg("\"%s\" gave %lld", values[i], (long long)seconds);
        }
    }
}

static bool answer_together(struct receiver *self, int fd, const struct received *request)
{
    const int64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    (void)request;
    while (receiver_count(self) < HTTP_CLIENT_PARALLEL_MAX && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, 1);
    }
    return receiver_status(fd, 200);
}

/* None is answered before all have come. */
static void sixteen_at_once_and_no_more(void **state)
{
    struct receiver *receiver = receiver_start(0, answer_together, NULL);
    struct http_call calls[HTTP_CLIENT_PARALLEL_MAX + 1];
    size_t ended = 0;

    (void)state;
    for (size_t i = 0; i < HTTP_CLIENT_PARALLEL_MAX + 1; i++) {
        calls[i] = call_to(receiver->url);
        assert_int_equal(http_client_post(client, &calls[i]),
                         i < HTTP_CLIENT_PARALLEL_MAX ? OK : ERR_OVERLOADED);
    }
    while (ended < HTTP_CLIENT_PARALLEL_MAX) {
        const struct http_call *call = http_client_wait(client, PATIENCE_MS);

        assert_non_null(call);
        assert_int_equal(call->status, 200);
        ended++;
    }
    assert_null(http_client_wait(client, 0));
    receiver_stop(receiver);
}

static void *wake_later(void *context)
{
    (void)context;
    (void)poll(NULL, 0, 50);
    http_client_wake(client);
    return NULL;
}

static void a_wake_ends_the_wait(void **state)
{
    const int64_t began_ms = clock_mono_ms();
    pthread_t thread;

    (void)state;
    assert_int_equal(pthread_create(&thread, NULL, wake_later, NULL), 0);
    assert_null(http_client_wait(client, PATIENCE_MS));
    assert_true(clock_mono_ms() - began_ms < PATIENCE_MS / 2);
    pthread_join(thread, NULL);
}

static void a_wake_before_the_wait_is_not_lost(void **state)
{
    const int64_t began_ms = clock_mono_ms();

    (void)state;
    http_client_wake(client);
    http_client_wake(client);
    assert_null(http_client_wait(client, PATIENCE_MS));
    assert_true(clock_mono_ms() - began_ms < PATIENCE_MS / 2);
    assert_null(http_client_wait(client, 20)); /* both were one */
    assert_true(clock_mono_ms() - began_ms >= 20);
}

static void running_calls_may_be_dropped(void **state)
{
    char nothing[] = "";
    struct receiver *receiver = receiver_start(0, say_and_hang, nothing);
    struct http_client *other = http_client_new();
    struct http_call calls[3];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        calls[i] = call_to(receiver->url);
        assert_int_equal(http_client_post(other, &calls[i]), OK);
    }
    assert_null(http_client_wait(other, 50));
    http_client_free(other);
    http_client_free(NULL);
    receiver_stop(receiver);
}

static int set_up(void **state)
{
    (void)state;
    http_client_start();
    client = http_client_new();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    http_client_free(client);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_post_arrives_as_it_was_given),
        cmocka_unit_test(the_connection_is_kept),
        cmocka_unit_test(a_kept_connection_that_is_gone_costs_nothing),
        cmocka_unit_test(a_refused_connection),
        cmocka_unit_test(what_is_no_endpoint),
        cmocka_unit_test(tls_that_fails_is_no_connection),
        cmocka_unit_test(a_redirect_is_an_answer),
        cmocka_unit_test(an_endless_body_is_cut),
        cmocka_unit_test(an_endless_head_is_no_answer),
        cmocka_unit_test(what_does_not_answer_in_time),
        cmocka_unit_test(a_body_that_hangs_is_not_waited_for),
        cmocka_unit_test(dripping_bodies_keep_nobody_waiting),
        cmocka_unit_test(a_body_that_follows_soon_keeps_the_connection),
        cmocka_unit_test(an_interim_answer_is_passed_over),
        cmocka_unit_test(what_is_not_http),
        cmocka_unit_test(retry_after_in_seconds),
        cmocka_unit_test(retry_after_as_a_date),
        cmocka_unit_test(retry_after_that_says_nothing),
        cmocka_unit_test(sixteen_at_once_and_no_more),
        cmocka_unit_test(a_wake_ends_the_wait),
        cmocka_unit_test(a_wake_before_the_wait_is_not_lost),
        cmocka_unit_test(running_calls_may_be_dropped),
    };

    return cmocka_run_group_tests_name("http_client", tests, set_up, tear_down);
}
