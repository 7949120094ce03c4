/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "support/http_peer.h"

#include "log.h"

#define GET_ECHO STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
#define POST_ECHO STR("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
#define POST_BEGUN_TEXT "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na"
#define POST_BEGUN STR(POST_BEGUN_TEXT)
#define CHUNK_BEGUN                                                                                \
    STR("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\na")

enum { BODIES_MAX = PEER_PARKED_MAX / 2 };

/* Waits until so many requests are in the house. */
static void await_active(const struct http_peer *peer, unsigned count)
{
    int64_t until_ms = clock_mono_ms() + PEER_PATIENCE_MS;

    while (http_server_active(peer->server) < count && clock_mono_ms() < until_ms) {
        (void)poll(NULL, 0, 1);
    }
    assert_int_equal(http_server_active(peer->server), count);
}

static void begin_bodies(const struct http_peer *peer, int fds[BODIES_MAX])
{
    for (unsigned i = 0; i < BODIES_MAX; i++) {
        fds[i] = peer_connect(peer);
        assert_true(peer_send(fds[i], i % 2 == 0 ? POST_BEGUN : CHUNK_BEGUN));
        await_active(peer, i + 1);
    }
}

static void slow_bodies_leave_place_for_others(void **state)
{
    struct http_peer *peer = peer_start();
    int fds[BODIES_MAX];

    (void)state;
    begin_bodies(peer, fds);
    for (int i = 0; i < 3 * PEER_PARKED_MAX; i++) {
        assert_int_equal(peer_status_of(peer, POST_BEGUN), 503);
        assert_int_equal(peer_status_of(peer, CHUNK_BEGUN), 503);
        assert_int_equal(peer_status_of(peer, GET_ECHO), 200);
        assert_int_equal(peer_status_of(peer, POST_ECHO), 200); /* nobody waits for its body */
    }
    assert_true(peer_send(fds[0], STR("bc")));
    assert_int_equal(peer_read(fds[0], false).status, 200);
    assert_true(peer_send(fds[1], STR("bc\r\n0\r\n\r\n")));
    assert_int_equal(peer_read(fds[1], false).status, 200);
    for (int i = 0; i < BODIES_MAX; i++) {
        close(fds[i]);
    }
    assert_true(peer_calms_down(peer, 0));
    begin_bodies(peer, fds); /* who has finished or left gave his place back */
    for (int i = 0; i < BODIES_MAX; i++) {
        close(fds[i]);
    }
    peer_stop(peer);
}

/* On a connection that was used before, what has arrived is told from what was answered. */
static void a_later_request_is_counted_too(void **state)
{
    struct http_peer *peer = peer_start();
    int fd = peer_connect(peer);
    int fds[BODIES_MAX];

    (void)state;
    assert_true(peer_send(fd, POST_ECHO));
    assert_int_equal(peer_read(fd, false).status, 200);
    assert_true(peer_calms_down(peer, 0));
    begin_bodies(peer, fds);
    assert_true(peer_send(fd, POST_ECHO));
    assert_int_equal(peer_read(fd, false).status, 200);
    assert_true(peer_send(fd, POST_BEGUN));
    assert_int_equal(peer_read(fd, false).status, 503);
    assert_true(peer_ends(fd));
    close(fd);
    for (int i = 0; i < BODIES_MAX; i++) {
        close(fds[i]);
    }
    peer_stop(peer);
}

/* A body that is there counts no more, however long its answer takes. */
static void a_request_at_work_does_not_count(void **state)
{
    struct http_peer *peer = peer_start();
    int parked[BODIES_MAX];
    int fd = peer_connect(peer);

    (void)state;
    for (int i = 0; i < BODIES_MAX; i++) {
        parked[i] = peer_connect(peer);
        assert_true(peer_send(parked[i],
                              STR("POST /park HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na")));
    }
    await_active(peer, BODIES_MAX);
    assert_true(peer_send(fd, POST_BEGUN));
    await_active(peer, BODIES_MAX + 1);
    assert_true(peer_send(fd, STR("bc")));
    assert_int_equal(peer_read(fd, false).status, 200);
    for (int i = 0; i < BODIES_MAX; i++) {
        struct http_exchange *x = peer_parked(peer);

        assert_non_null(x);
        peer_answer(x, 200, STR("ok"));
    }
    for (int i = 0; i < BODIES_MAX; i++) {
        assert_int_equal(peer_read(parked[i], false).status, 200);
        close(parked[i]);
    }
    close(fd);
    peer_stop(peer);
}

static void no_body(struct http_server_options *options)
{
    options->body_bytes_max = 0;
}

static void a_server_without_bodies_refuses_them_at_once(void **state)
{
    struct http_peer *peer = peer_start_with(no_body);

    (void)state;
    for (int i = 0; i < 2 * PEER_PARKED_MAX; i++) {
        assert_int_equal(peer_status_of(peer, POST_BEGUN), 413);
        assert_int_equal(peer_status_of(peer, CHUNK_BEGUN), 413);
        assert_int_equal(
            peer_status_of(peer,
                           STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")),
            413);
    }
    assert_int_equal(http_server_active(peer->server), 0);
    assert_int_equal(peer_status_of(peer, GET_ECHO), 200);
    assert_int_equal(
        peer_status_of(peer, STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")), 200);
    peer_stop(peer);
}

/* The line of the log belongs to the answer: same id. */
static void assert_logged(struct http_peer *peer, int log_fd, const char *request,
                          const char *expected)
{
    struct pollfd wait = {.fd = log_fd, .events = POLLIN};
    char line[LOG_LINE_BYTES_MAX + 1] = "";
    char wanted[256];
    int fd = peer_connect(peer);
    struct peer_reply reply;
    const char *id;

    assert_true(peer_send(fd, str_from(request)));
    reply = peer_read(fd, false);
    assert_int_equal(poll(&wait, 1, PEER_PATIENCE_MS), 1);
    assert_true(recv(log_fd, line, sizeof(line) - 1, 0) > 0);
    id = strstr(reply.head, "X-Request-Id: ");
    assert_non_null(id);
    (void)snprintf(wanted, sizeof(wanted),
                   "\"level\":\"info\",\"service\":\"test\",\"version\":\"1\","
                   "\"message\":\"request refused\",\"request_id\":\"%.36s\","
                   "\"http.status_code\":%d,%s,\"network.client.ip\":\"127.0.0.1\","
                   "\"server\":\"test\"}\n",
                   id + strlen("X-Request-Id: "), reply.status, expected);
    if (strstr(line, wanted) == NULL) {
        fail_msg("%s has not %s", line, wanted);
    }
    assert_int_equal(recv(log_fd, line, sizeof(line), MSG_DONTWAIT), -1); /* once */
    close(fd);
}

static void a_refused_request_is_logged(void **state)
{
    struct http_peer *peer = peer_start();
    int fds[BODIES_MAX];
    int sockets[2];
    char long_chunk[8192];

    (void)state;
    (void)snprintf(long_chunk, sizeof(long_chunk),
                   "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "1001\r\n%04097d\r\n0\r\n\r\n",
                   0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets), 0);
    log_start(LOG_INFO, "test", "1");
    log_to(sockets[0]);
    assert_logged(peer, sockets[1], "GET // HTTP/1.1\r\nHost: a\r\n\r\n", "\"reason\":\"path\"");
    assert_logged(peer, sockets[1], "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999\r\n\r\n",
                  "\"reason\":\"body_size\"");
    assert_logged(peer, sockets[1], long_chunk, "\"reason\":\"body_size\"");
    begin_bodies(peer, fds);
    assert_logged(peer, sockets[1], POST_BEGUN_TEXT, "\"reason\":\"bodies\"");
    log_to(STDOUT_FILENO);
    for (int i = 0; i < BODIES_MAX; i++) {
        close(fds[i]);
    }
    peer_stop(peer);
    close(sockets[0]);
    close(sockets[1]);
}

static int quiet(void **state)
{
    (void)state;
    log_start(LOG_WARN, "test", "1");
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slow_bodies_leave_place_for_others),
        cmocka_unit_test(a_later_request_is_counted_too),
        cmocka_unit_test(a_request_at_work_does_not_count),
        cmocka_unit_test(a_server_without_bodies_refuses_them_at_once),
        cmocka_unit_test(a_refused_request_is_logged),
    };

    return cmocka_run_group_tests(tests, quiet, NULL);
}
