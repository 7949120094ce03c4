/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "support/http_peer.h"

#include "metrics.h"

#define GET_ECHO STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
#define GET_PARK STR("GET /park HTTP/1.1\r\nHost: a\r\n\r\n")

static void a_request_arrives_as_it_was_sent(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, STR("POST /a%2Ab?x=1&y=%20+&z HTTP/1.1\r\nHost: a\r\nX-Test: t\r\n"
                                  "Content-Length: 5\r\n\r\nhello")));
    reply = peer_read(fd, false);
    assert_int_equal(reply.status, 200);
    assert_str_equal(peer_body(&reply), STR("POST|/a%2Ab|x=1&y=%20+&z|hello|t|127.0.0.1"));
    assert_non_null(strstr(reply.head, "\r\nContent-Type: text/plain\r\n"));
    assert_non_null(strstr(reply.head, "\r\nDate: "));
    assert_null(strstr(reply.head, "\r\nConnection: close\r\n"));
    close(fd);
    peer_stop(peer);
}

static void an_absolute_target_is_cut_to_its_path(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, STR("GET http://b.example:80/p?q HTTP/1.1\r\nHost: a\r\n\r\n")));
    reply = peer_read(fd, false);
    assert_str_equal(peer_body(&reply), STR("GET|/p|q|||127.0.0.1"));
    close(fd);
    peer_stop(peer);
}

static void a_connection_is_used_again(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);

    (void)state;
    for (int i = 0; i < 50; i++) {
        assert_true(peer_send(fd, GET_ECHO));
        assert_int_equal(peer_read(fd, false).status, 200);
    }
    close(fd);
    peer_stop(peer);
}

static void pipelined_requests_are_answered_in_order(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    char want[32];

    (void)state;
    for (int i = 0; i < 20; i++) {
        char text[64];

        assert_true(peer_send(fd, (struct str){text, (size_t)snprintf(text, sizeof(text),
                                                                      "GET /%d HTTP/1.1\r\n"
                                                                      "Host: a\r\n\r\n",
                                                                      i)}));
    }
    for (int i = 0; i < 20; i++) {
        struct peer_reply reply = peer_read(fd, false);

        (void)snprintf(want, sizeof(want), "GET|/%d||||127.0.0.1", i);
        assert_str_equal(peer_body(&reply), str_from(want));
    }
    close(fd);
    peer_stop(peer);
}

static void chunks_are_put_together(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nX-Test: trailer\r\n\r\n")));
    assert_true(peer_send(fd, GET_ECHO));
    reply = peer_read(fd, false);
    assert_str_equal(peer_body(&reply), STR("POST|/echo||abcde||127.0.0.1"));
    assert_int_equal(peer_read(fd, false).status, 200);
    close(fd);
    peer_stop(peer);
}

static void head_is_answered_without_a_body(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, STR("HEAD /echo HTTP/1.1\r\nHost: a\r\n\r\n")));
    reply = peer_read(fd, true);
    assert_int_equal(reply.status, 200);
    assert_int_equal(peer_content_length(reply.head), strlen("HEAD|/echo||||127.0.0.1"));
    assert_true(peer_send(fd, GET_ECHO));
    assert_int_equal(peer_read(fd, false).status, 200); /* no body stood between them */
    close(fd);
    peer_stop(peer);
}

static void a_client_that_asks_is_told_to_continue(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n"
                                  "Expect: 100-continue\r\n\r\n")));
    assert_int_equal(peer_read(fd, true).status, 100);
    assert_true(peer_send(fd, STR("abc")));
    reply = peer_read(fd, false);
    assert_str_equal(peer_body(&reply), STR("POST|/echo||abc||127.0.0.1"));
    close(fd);
    peer_stop(peer);
}

/* Suspended requests. */

static void another_thread_answers_a_suspended_request(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct http_exchange *x;
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, GET_PARK));
    x = peer_parked(peer);
    assert_non_null(x);
    assert_int_equal(http_server_active(peer->server), 1);
    assert_int_equal(peer_status_of(peer, GET_ECHO), 200); /* meanwhile */
    peer_answer(x, 201, STR("later"));
    reply = peer_read(fd, false);
    assert_int_equal(reply.status, 201);
    assert_str_equal(peer_body(&reply), STR("later"));
    assert_true(peer_send(fd, GET_ECHO));
    assert_int_equal(peer_read(fd, false).status, 200);
    close(fd);
    peer_stop(peer);
}

static void the_handler_may_answer_what_it_suspended(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);

    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(peer_send(fd, STR("GET /answered HTTP/1.1\r\nHost: a\r\n\r\n")));
        assert_int_equal(peer_read(fd, false).status, 200);
    }
    close(fd);
    peer_stop(peer);
}

enum { RACES = 500, RACERS = 4 };

static void *answer_at_once(void *context)
{
    for (int i = 0; i < RACES * RACERS; i++) {
        struct http_exchange *x = peer_parked(context);

        if (x == NULL) {
            break;
        }
        peer_answer(x, 200, STR("ok"));
    }
    return NULL;
}

static void *ask_for_park(void *context)
{
    struct http_peer *peer = context;
    int fd = peer_connect(peer);
    uintptr_t answered = 0;

    for (int i = 0; i < RACES; i++) {
        answered += peer_send(fd, GET_PARK) && peer_read(fd, false).status == 200 ? 1 : 0;
    }
    close(fd);
    return (void *)answered;
}

/* The answer comes while the handler is still on its way back. */
static void an_answer_races_with_the_suspension(void **state)
{
    struct http_peer *peer = peer_start();
    pthread_t answerer;
    pthread_t askers[RACERS];

    (void)state;
    pthread_create(&answerer, NULL, answer_at_once, peer);
    for (int i = 0; i < RACERS; i++) {
        pthread_create(&askers[i], NULL, ask_for_park, peer);
    }
    for (int i = 0; i < RACERS; i++) {
        void *answered;

        pthread_join(askers[i], &answered);
        assert_int_equal((uintptr_t)answered, RACES);
    }
    pthread_join(answerer, NULL);
    peer_stop(peer);
}

static void reset_on_close(int fd)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

static void a_client_that_left_does_no_harm(void **state)
{
    struct http_peer *peer = peer_start();

    (void)state;
    for (int i = 0; i < 3 * PEER_PARKED_MAX; i++) {
        int fd = peer_connect(peer);
        struct http_exchange *x;

        assert_true(peer_send(fd, GET_PARK));
        x = peer_parked(peer);
        assert_non_null(x);
        if (i % 2 == 0) {
            reset_on_close(fd);
        }
        close(fd);
        /* Still ours: the request can be read and answered. */
        assert_str_equal(http_request_path(x), STR("/park"));
        assert_str_equal(http_request_header(x, "HOST"), STR("a"));
        peer_answer(x, 200, arena_printf(http_request_arena(x), "too late"));
        assert_true(peer_calms_down(peer, 0));
    }
    assert_int_equal(peer_status_of(peer, GET_ECHO), 200);
    peer_stop(peer);
}

static void too_many_requests_are_refused(void **state)
{
    struct http_peer *peer = peer_start();
    int fds[PEER_PARKED_MAX];
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    for (int i = 0; i < PEER_PARKED_MAX; i++) {
        fds[i] = peer_connect(peer);
        assert_true(peer_send(fds[i], GET_PARK));
    }
    for (int i = 0; i < PEER_PARKED_MAX;) {
        pthread_mutex_lock(&peer->lock);
        i = (int)peer->parked_count;
        pthread_mutex_unlock(&peer->lock);
    }
    assert_true(
        peer_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")));
    reply = peer_read(fd, false);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.head, "\r\nRetry-After: 1\r\n"));
    assert_non_null(strstr(reply.head, "\r\nContent-Type: application/problem+json\r\n"));
    assert_true(unit_is_json(peer_body(&reply)));
    assert_true(peer_ends(fd));
    for (int i = 0; i < PEER_PARKED_MAX; i++) {
        peer_answer(peer_parked(peer), 200, STR("ok"));
    }
    for (int i = 0; i < PEER_PARKED_MAX; i++) {
        assert_int_equal(peer_read(fds[i], false).status, 200);
        close(fds[i]);
    }
    assert_int_equal(peer_status_of(peer, GET_ECHO), 200);
    close(fd);
    peer_stop(peer);
}

/* The end. */

static void a_draining_server_closes_connections(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, GET_ECHO));
    assert_int_equal(peer_read(fd, false).status, 200);
    http_server_drain(peer->server);
    assert_true(peer_send(fd, GET_ECHO));
    reply = peer_read(fd, false);
    assert_int_equal(reply.status, 200);
    assert_non_null(strstr(reply.head, "\r\nConnection: close\r\n"));
    assert_true(peer_ends(fd));
    assert_int_equal(peer_status_of(peer, GET_ECHO), 200); /* it still accepts */
    close(fd);
    peer_stop(peer);
}

static void answers_that_are_ready_are_sent_before_the_end(void **state)
{
    struct http_peer *peer = peer_start();
    int fds[PEER_PARKED_MAX];

    (void)state;
    for (int i = 0; i < PEER_PARKED_MAX; i++) {
        fds[i] = peer_connect(peer);
        assert_true(peer_send(fds[i], GET_PARK));
        peer_answer(peer_parked(peer), 200, STR("last words"));
    }
    peer_stop(peer);
    for (int i = 0; i < PEER_PARKED_MAX; i++) {
        struct peer_reply reply = peer_read(fds[i], false);

        assert_str_equal(peer_body(&reply), STR("last words"));
        close(fds[i]);
    }
}

static void *stop_peer(void *peer)
{
    peer_stop(peer);
    return NULL;
}

/* The client is not fast: the server waits for it, a little. */
static void an_answer_on_its_way_is_sent_to_its_end(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect_receiving(peer, 65536);
    int64_t until_ms = clock_mono_ms() + PEER_PATIENCE_MS;
    pthread_t stopper;
    struct peer_reply reply;

    (void)state;
    assert_true(peer_send(fd, STR("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")));
    while (http_server_active(peer->server) == 0 && clock_mono_ms() < until_ms) {
    }
    pthread_create(&stopper, NULL, stop_peer, peer);
    (void)poll(NULL, 0, 50); /* it would have stopped by then */
    reply = peer_read(fd, false);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_len, PEER_BIG_BYTES);
    pthread_join(stopper, NULL);
    close(fd);
}

static void a_wrong_address_is_explained(void **state)
{
    struct http_peer *peer = peer_start();
    struct http_server_options options = peer_options(peer);
    struct http_server *server = NULL;
    char taken[32];
    const char *why = "";

    (void)state;
    options.listen = "localhost:8000";
    assert_int_equal(http_server_start(&options, &server, &why), ERR_CONFIG);
    assert_string_equal(why, "\"localhost:8000\" is not an address to listen on; write a numeric "
                             "address and a port, such as 0.0.0.0:8000 or [::]:8000");
    (void)snprintf(taken, sizeof(taken), "127.0.0.1:%u", http_server_port(peer->server));
    options.listen = taken;
    assert_int_equal(http_server_start(&options, &server, &why), ERR_CONFIG);
    assert_non_null(strstr(why, "Address already in use"));
    assert_non_null(strstr(why, taken));
    options.listen = "[::1]:0";
    if (http_server_start(&options, &server, &why) == OK) { /* machines without IPv6 exist */
        http_server_stop(server);
    }
    peer_stop(peer);
}

/* Waits: a connection is closed after its answer. */
static bool metrics_say(const char *line)
{
    static char text[1 << 18];
    int64_t until_ms = clock_mono_ms() + PEER_PATIENCE_MS;
    bool found = false;

    while (!found && clock_mono_ms() < until_ms) {
        struct buf out = buf_over(text, sizeof(text) - 1);

        metrics_render(&out);
        text[out.len] = '\0';
        found = strstr(text, line) != NULL;
    }
    return found;
}

static void named(struct http_server_options *options)
{
    options->name = "counted";
}

static void connections_and_refusals_are_counted(void **state)
{
    struct http_peer *peer = peer_start_with(named);
    int fd = peer_connect(peer);

    (void)state;
    assert_true(metrics_say("user_service_http_connections{server=\"counted\"} 1\n"));
    assert_int_equal(peer_status_of(peer, STR("GET // HTTP/1.1\r\nHost: a\r\n\r\n")), 400);
    assert_true(metrics_say("http_refused_total{server=\"counted\",reason=\"path\"} 1\n"));
    assert_true(metrics_say("user_service_http_connections{server=\"counted\"} 1\n"));
    close(fd);
    assert_true(metrics_say("user_service_http_connections{server=\"counted\"} 0\n"));
    peer_stop(peer);
}

static void one_io_thread(struct http_server_options *options)
{
    options->io_threads = 1;
    options->connections_max = 1;
}

static void one_thread_serves_too(void **state)
{
    struct http_peer *peer = peer_start_with(one_io_thread);

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(peer_status_of(peer, GET_ECHO), 200);
    }
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_arrives_as_it_was_sent),
        cmocka_unit_test(an_absolute_target_is_cut_to_its_path),
        cmocka_unit_test(a_connection_is_used_again),
        cmocka_unit_test(pipelined_requests_are_answered_in_order),
        cmocka_unit_test(chunks_are_put_together),
        cmocka_unit_test(head_is_answered_without_a_body),
        cmocka_unit_test(a_client_that_asks_is_told_to_continue),
        cmocka_unit_test(another_thread_answers_a_suspended_request),
        cmocka_unit_test(the_handler_may_answer_what_it_suspended),
        cmocka_unit_test(an_answer_races_with_the_suspension),
        cmocka_unit_test(a_client_that_left_does_no_harm),
        cmocka_unit_test(too_many_requests_are_refused),
        cmocka_unit_test(a_draining_server_closes_connections),
        cmocka_unit_test(answers_that_are_ready_are_sent_before_the_end),
        cmocka_unit_test(an_answer_on_its_way_is_sent_to_its_end),
        cmocka_unit_test(a_wrong_address_is_explained),
        cmocka_unit_test(connections_and_refusals_are_counted),
        cmocka_unit_test(one_thread_serves_too),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
