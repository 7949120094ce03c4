/* SPDX-License-Identifier: Apache-2.0 */
/* Slow peers, bodies that are too large, and what becomes of the answer to them. */
#include <assert.h>

#include "support/http_peer.h"

enum { LIMIT_MS = 300, DRIP_MS = 40 };

static void short_header(struct http_server_options *options)
{
    options->header_ms = LIMIT_MS;
}

static void short_body(struct http_server_options *options)
{
    options->body_ms = LIMIT_MS;
}

static void short_response(struct http_server_options *options)
{
    options->response_ms = LIMIT_MS;
}

/* Sends the text again and again, byte by byte; the time until the server ends the connection. */
static int64_t drip(int fd, struct str text)
{
    int64_t begun_ms = clock_mono_ms();
    char byte;

    for (size_t i = 0; clock_mono_ms() < begun_ms + PEER_PATIENCE_MS; i++) {
        (void)peer_send(fd, str_sub(text, i % text.len, i % text.len + 1));
        if (peer_receive(fd, &byte, 1, clock_mono_ms() + DRIP_MS) != -2) {
            return clock_mono_ms() - begun_ms;
        }
    }
    return PEER_PATIENCE_MS;
}

static void assert_cut(int64_t after_ms)
{
    assert_in_range(after_ms, LIMIT_MS - DRIP_MS, PEER_PATIENCE_MS / 2);
}

static void a_dripping_first_line_is_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_header);
    int fd = peer_connect(peer);

    (void)state;
    assert_cut(
        drip(fd, STR("GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")));
    close(fd);
    peer_stop(peer);
}

static void a_dripping_head_is_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_header);
    int fd = peer_connect(peer);

    (void)state;
    assert_true(peer_send(fd, STR("GET / HTTP/1.1\r\nHost: a\r\n")));
    assert_cut(drip(fd, STR("X: y\r\n")));
    close(fd);
    peer_stop(peer);
}

static void a_head_that_stops_is_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_header);
    int fd = peer_connect(peer);
    int64_t begun_ms = clock_mono_ms();

    (void)state;
    assert_true(peer_send(fd, STR("GET")));
    assert_true(peer_ends(fd));
    assert_cut(clock_mono_ms() - begun_ms);
    close(fd);
    peer_stop(peer);
}

/* The count of answered bytes must be right for that. */
static void the_second_head_on_a_connection_is_cut_too(void **state)
{
    static const char *const firsts[] = {
        "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    };
    struct http_peer *peer = peer_start_with(short_header);

    (void)state;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        int fd = peer_connect(peer);
        int64_t begun_ms;

        assert_true(peer_send(fd, str_from(firsts[i])));
        assert_true(peer_send(fd, STR("GE")));
        assert_int_equal(peer_read(fd, false).status, 200);
        begun_ms = clock_mono_ms();
        assert_true(peer_ends(fd));
        assert_in_range(clock_mono_ms() - begun_ms, 0, PEER_PATIENCE_MS / 2);
        close(fd);
    }
    peer_stop(peer);
}

/* The library does not count the bytes of chunks: a head is seen as soon as more of it comes. */
static void a_dripping_head_after_a_chunked_request_is_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_header);
    int fd = peer_connect(peer);

    (void)state;
    assert_true(peer_send(fd, STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                  "\r\n1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n")));
    assert_int_equal(peer_read(fd, false).status, 200);
    assert_cut(drip(fd, STR("X: y\r\n")));
    close(fd);
    peer_stop(peer);
}

static void an_idle_connection_is_left_alone(void **state)
{
    static const char *const firsts[] = {
        "",
        "GET /echo HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        "1;ext=1\r\na\r\n1\r\nb\r\n0\r\nTrailer: x\r\n\r\n",
    };
    struct http_peer *peer = peer_start_with(short_header);
    int fds[sizeof(firsts) / sizeof(firsts[0])];
    char byte;

    (void)state;
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        fds[i] = peer_connect(peer);
        assert_true(peer_send(fds[i], str_from(firsts[i])));
        if (firsts[i][0] != '\0') {
            assert_int_equal(peer_read(fds[i], false).status, 200);
        }
    }
    for (size_t i = 0; i < sizeof(firsts) / sizeof(firsts[0]); i++) {
        int64_t until_ms = clock_mono_ms() + (i == 0 ? 3 * LIMIT_MS : 1);

        assert_int_equal(peer_receive(fds[i], &byte, 1, until_ms), -2);
        assert_true(peer_send(fds[i], STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")));
        assert_int_equal(peer_read(fds[i], false).status, 200);
        close(fds[i]);
    }
    peer_stop(peer);
}

static void a_dripping_body_is_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_body);
    int fd = peer_connect(peer);

    (void)state;
    assert_true(peer_send(fd, STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4000\r\n\r\n")));
    assert_cut(drip(fd, STR("abc")));
    close(fd);
    fd = peer_connect(peer);
    assert_true(
        peer_send(fd, STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")));
    assert_cut(drip(fd, STR("1\r\na\r\n")));
    close(fd);
    assert_true(peer_calms_down(peer, 0)); /* their memory is back */
    peer_stop(peer);
}

static void a_slow_reader_is_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_response);
    int fd = peer_connect_receiving(peer, 4096);
    int64_t begun_ms = clock_mono_ms();

    (void)state;
    assert_true(peer_send(fd, STR("GET /big HTTP/1.1\r\nHost: a\r\n\r\n")));
    while (http_server_active(peer->server) == 0) {
        assert_true(clock_mono_ms() < begun_ms + PEER_PATIENCE_MS);
    }
    assert_true(peer_calms_down(peer, 0));
    assert_cut(clock_mono_ms() - begun_ms);
    close(fd);
    peer_stop(peer);
}

static void a_suspended_request_is_not_cut(void **state)
{
    struct http_peer *peer = peer_start_with(short_body);
    int fd = peer_connect(peer);
    struct http_exchange *x;
    char byte;

    (void)state;
    assert_true(
        peer_send(fd, STR("POST /park HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")));
    x = peer_parked(peer);
    assert_non_null(x);
    assert_int_equal(peer_receive(fd, &byte, 1, clock_mono_ms() + 2 * LIMIT_MS), -2);
    peer_answer(x, 200, STR("ok"));
    assert_int_equal(peer_read(fd, false).status, 200);
    close(fd);
    peer_stop(peer);
}

static void keep_alive_of_a_second(struct http_server_options *options)
{
    options->keep_alive_s = 1;
}

static void an_idle_connection_ends_after_keep_alive(void **state)
{
    struct http_peer *peer = peer_start_with(keep_alive_of_a_second);
    int fd = peer_connect(peer);

    (void)state;
    assert_true(peer_send(fd, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")));
    assert_int_equal(peer_read(fd, false).status, 200);
    assert_true(peer_ends(fd));
    close(fd);
    peer_stop(peer);
}

/* Bodies over the limit. The client sends all of its body before it reads, as most do: the answer
 * must not be lost in a reset. */

static void assert_too_large(struct http_peer *peer, const char *head, size_t body_bytes)
{
    static char body[1 << 20];
    int fd = peer_connect(peer);
    struct peer_reply reply;

    assert_true(body_bytes <= sizeof(body));
    memset(body, 'a', sizeof(body));
    assert_true(peer_send(fd, str_from(head)));
    assert_true(peer_send(fd, (struct str){body, body_bytes}));
    reply = peer_read(fd, false);
    assert_int_equal(reply.status, 413);
    assert_true(unit_is_json(peer_body(&reply)));
    assert_non_null(strstr(reply.head, "\r\nConnection: close\r\n"));
    assert_true(peer_ends(fd));
    close(fd);
    assert_true(peer_calms_down(peer, 0));
}

static void a_body_over_the_limit_is_refused(void **state)
{
    struct http_peer *peer = peer_start();

    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_too_large(peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4097\r\n\r\n", 4097);
        assert_too_large(peer, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n",
                         1 << 20);
        assert_too_large(
            peer, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1001\r\n", 4097);
        assert_too_large(
            peer, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n",
            1 << 20);
    }
    peer_stop(peer);
}

static void a_body_at_the_limit_is_taken(void **state)
{
    char request[8192];
    struct http_peer *peer = peer_start();
    int len = snprintf(request, sizeof(request),
                       "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4096\r\n\r\n%04096d", 0);

    (void)state;
    assert_int_equal(peer_status_of(peer, (struct str){request, (size_t)len}), 200);
    len = snprintf(request, sizeof(request),
                   "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1000\r\n%04096d\r\n0\r\n\r\n",
                   0);
    assert_int_equal(peer_status_of(peer, (struct str){request, (size_t)len}), 200);
    peer_stop(peer);
}

static void a_large_body_is_refused_before_it_is_sent(void **state)
{
    struct http_peer *peer = peer_start();

    (void)state;
    assert_int_equal(
        peer_status_of(peer, STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n"
                                 "Expect: 100-continue\r\n\r\n")),
        413);
    peer_stop(peer);
}

/* More lingering connections than there is room for: the rest is simply closed. */
static void many_refused_uploads_do_no_harm(void **state)
{
    struct http_peer *peer = peer_start();
    int fds[100];

    (void)state;
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        fds[i] = peer_connect(peer);
        assert_true(
            peer_send(fds[i], STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\na")));
        assert_int_equal(peer_read(fds[i], false).status, 413);
    }
    assert_int_equal(peer_status_of(peer, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")), 200);
    for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
        close(fds[i]);
    }
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dripping_first_line_is_cut),
        cmocka_unit_test(a_dripping_head_is_cut),
        cmocka_unit_test(a_head_that_stops_is_cut),
        cmocka_unit_test(the_second_head_on_a_connection_is_cut_too),
        cmocka_unit_test(a_dripping_head_after_a_chunked_request_is_cut),
        cmocka_unit_test(an_idle_connection_is_left_alone),
        cmocka_unit_test(a_dripping_body_is_cut),
        cmocka_unit_test(a_slow_reader_is_cut),
        cmocka_unit_test(a_suspended_request_is_not_cut),
        cmocka_unit_test(an_idle_connection_ends_after_keep_alive),
        cmocka_unit_test(a_body_over_the_limit_is_refused),
        cmocka_unit_test(a_body_at_the_limit_is_taken),
        cmocka_unit_test(a_large_body_is_refused_before_it_is_sent),
        cmocka_unit_test(many_refused_uploads_do_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
