/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>

#include "support/http_peer.h"

#include "http_server_internal.h"

static const struct http_refusal *judge(const char *method, struct str target,
                                        struct http_head *head)
{
    struct http_server_options options = {.body_bytes_max = 4096, .raw_path_prefix = "/raw/"};

    http_head_field(head, STR("Host"), STR("a"));
    return http_head_judge(head, str_from(method), target, &options);
}

static void assert_reason(const struct http_refusal *refusal, const char *reason, const char *what)
{
    if (reason == NULL && refusal != NULL) {
        fail_msg("%s: refused for its %s", what, refusal->reason);
    }
    if (reason != NULL && (refusal == NULL || strcmp(refusal->reason, reason) != 0)) {
        fail_msg("%s: refused for %s, expected %s", what,
                 refusal == NULL ? "nothing" : refusal->reason, reason);
    }
}

static void paths(void **state)
{
    static const char *const normal[] = {
        "/",      "/a",          "/a/",       "/a/b",      "/a.b",   "/.a",
        "/..a/b", "/a/...",      "/a%20",     "/a%7Cb",    "/a%25b", "/a%3Ab",
        "/a:b@c", "/a?x=../.",   "/a?//;\\",  "/a?%2e%zz", "/raw/",  "/raw/..",
        "/raw//", "/raw/%2f;\\", "/~a_b-c*+", "/a?b?c",    "/?",     "/a%c3%a9",
    };
    static const char *const changed[] = {
        "//",     "//a",   "/a//b",   "/a//",      "/.",      "/..",      "/./a",   "/../a",
        "/a/.",   "/a/..", "/a/./b",  "/a/../b",   "/%2e",    "/%2E%2e/", "/a%2fb", "/a%2Fb",
        "/a%5cb", "/a\\b", "/a;b",    "/;",        "/a%3bb",  "/%41",     "/%7e",   "/%2d",
        "/%5f",   "/%30",  "/a%00",   "/a%0a",     "/a%1f",   "/a%7f",    "/a%",    "/a%2",
        "/a%zz",  "/a%2g", "/raw;/a", "/rax/../a", "/RAW/..", "/raw%2f",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(normal) / sizeof(normal[0]); i++) {
        struct http_head head = {.bytes = 100};

        assert_reason(judge("GET", str_from(normal[i]), &head), NULL, normal[i]);
    }
    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++) {
        struct http_head head = {.bytes = 100};

        assert_reason(judge("GET", str_from(changed[i]), &head), "path", changed[i]);
    }
}

static void targets(void **state)
{
    static const struct {
        const char *method;
        const char *target;
        const char *path; /* NULL: refused */
        const char *query;
    } rows[] = {
        {"GET", "/a?b=c", "/a", "b=c"},
        {"GET", "http://h", "/", ""},
        {"GET", "http://h/", "/", ""},
        {"GET", "http://h?q", "/", "q"},
        {"GET", "HTTP://h:80/a?b", "/a", "b"},
        {"GET", "https://[::1]:443/a", "/a", ""},
        {"OPTIONS", "*", "*", ""},
        {"GET", "*", NULL, NULL},
        {"GET", "", NULL, NULL},
        {"GET", "a", NULL, NULL},
        {"GET", "a:80", NULL, NULL},
        {"CONNECT", "a:80", NULL, NULL},
        {"GET", "?a", NULL, NULL},
        {"GET", "http:/a", NULL, NULL},
        {"GET", "http://", NULL, NULL},
        {"GET", "http:///a", NULL, NULL},
        {"GET", "http://:80/a", NULL, NULL},
        {"GET", "http://u@h/a", NULL, NULL},
        {"GET", "http://h:8x/a", NULL, NULL},
        {"GET", "http://[::1/a", NULL, NULL},
        {"GET", "http://[]/a", NULL, NULL},
        {"GET", "http://[::1]a/", NULL, NULL},
        {"GET", "http://h%2f/a", NULL, NULL},
        {"GET", "ftp://h/a", NULL, NULL},
        {"GET", "/a b", NULL, NULL},
        {"GET", "/a#b", NULL, NULL},
        {"GET", "/a\x01", NULL, NULL},
        {"GET", "/a\x7f", NULL, NULL},
        {"GET", "/caf\xc3\xa9", NULL, NULL},
        {"GET", "/a?\xff", NULL, NULL},
        {"GET", "/raw/\x1f", NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_head head = {.bytes = 100};
        const struct http_refusal *refusal = judge(rows[i].method, str_from(rows[i].target), &head);

        assert_reason(refusal, rows[i].path == NULL ? "target" : NULL, rows[i].target);
        if (rows[i].path != NULL) {
            assert_str_equal(head.path, str_from(rows[i].path));
            assert_str_equal(head.query, str_from(rows[i].query));
        }
    }
}

static void methods(void **state)
{
    static const struct {
        const char *text;
        enum http_method method;
    } rows[] = {
        {"GET", HTTP_GET},
        {"HEAD", HTTP_HEAD},
        {"POST", HTTP_POST},
        {"PUT", HTTP_PUT},
        {"PATCH", HTTP_PATCH},
        {"DELETE", HTTP_DELETE},
        {"OPTIONS", HTTP_OPTIONS},
        {"get", HTTP_OTHER},
        {"PROPFIND", HTTP_OTHER},
        {"_OTHER", HTTP_OTHER},
        {"!#$%&'*+-.^_`|~9", HTTP_OTHER},
    };
    static const char *const wrong[] = {"", "G T", "G(T", "G\x7f", "G\xc3\x89T", "GET:", "G,T"};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_head head = {.bytes = 100};

        assert_null(judge(rows[i].text, STR("/"), &head));
        assert_int_equal(head.method, rows[i].method);
    }
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct http_head head = {.bytes = 100};

        assert_reason(judge(wrong[i], STR("/"), &head), "method", wrong[i]);
    }
}

static void fields(void **state)
{
    static const struct {
        const char *names[2];
        const char *values[2];
        const char *reason;
    } rows[] = {
        {{"X"}, {"a"}, NULL},
        {{"X"}, {""}, NULL},
        {{"X"}, {"a\tb caf\xe9"}, NULL},
        {{"X", "X"}, {"a", "b"}, NULL},
        {{"X"}, {"a\x01"}, "field"},
        {{"X"}, {"a\x7f"}, "field"},
        {{"X Y"}, {"a"}, "field"},
        {{"X\xe9"}, {"a"}, "field"},
        {{""}, {"a"}, "field"},
        {{"host"}, {"a"}, "host"}, /* judge() has given one */
        {{"Content-Length"}, {"4096"}, NULL},
        {{"Content-Length"}, {"0000000004096"}, NULL},
        {{"Content-Length"}, {"4097"}, "body_size"},
        {{"Content-Length"}, {"99999999999999999999"}, "body_size"},
        {{"Transfer-Encoding"}, {"chunked"}, NULL},
        {{"Content-Length", "content-length"}, {"3", "3"}, "length"},
        {{"Transfer-Encoding", "transfer-encoding"}, {"chunked", "chunked"}, "length"},
        {{"Transfer-Encoding", "Content-Length"}, {"chunked", "3"}, "length"},
        {{"Authorization"}, {"Bearer a"}, NULL},
        {{"Authorization", "AUTHORIZATION"}, {"Bearer a", "Bearer a"}, "authorization"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct http_head head = {.bytes = 100};

        for (size_t j = 0; j < 2 && rows[i].names[j] != NULL; j++) {
            http_head_field(&head, str_from(rows[i].names[j]), str_from(rows[i].values[j]));
        }
        assert_reason(judge("POST", STR("/"), &head), rows[i].reason, rows[i].names[0]);
    }
}

static void hosts(void **state)
{
    static const char *const good[] = {
        "a", "a.b-c_d:80", "127.0.0.1:8000", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]:1", "a:"};
    static const char *const bad[] = {
        "",   ":80", "a b",  "a,b",         "a/b", "u@a", "a:8x",   "a:80:80", "[::1",
        "[]", "[g]", "a%41", "caf\xc3\xa9", "a?b", "a#b", "[::1]x", "a[::1]"};
    struct http_server_options options = {.body_bytes_max = 1};

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct http_head head = {.bytes = 100};

        http_head_field(&head, STR("hOST"), str_from(good[i]));
        assert_reason(http_head_judge(&head, STR("GET"), STR("/"), &options), NULL, good[i]);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct http_head head = {.bytes = 100};

        http_head_field(&head, STR("Host"), str_from(bad[i]));
        assert_reason(http_head_judge(&head, STR("GET"), STR("/"), &options), "host", bad[i]);
    }
}

/* The library's own refusals stand here too: who replaces it must replace them. */
static void what_the_library_refuses(void **state)
{
    static const struct {
        struct str request;
        int status; /* 0: closed without an answer */
    } rows[] = {
        {STR("GET / HTTP/1.1\r\n\r\n"), 400},                          /* RFC 9112 section 3.2 */
        {STR("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"), 400},    /* 3.2 */
        {STR("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},                 /* 2.2 */
        {STR("GET / HTTP/1.1\r\nHost: a\n\r\n"), 400},                 /* 2.2 */
        {STR("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n"), 400},            /* 2.2 */
        {STR("GET / HTTP/1.1\r\n Host: a\r\n\r\n"), 400},              /* 2.2 */
        {STR("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"), 400},              /* 3 */
        {STR("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"), 400},              /* 3 */
        {STR("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},            /* 3.2 */
        {STR("GET /\r\n\r\n"), 400},                                   /* 2.3 */
        {STR("GET / http/1.1\r\nHost: a\r\n\r\n"), 400},               /* 2.3 */
        {STR("GET / HTTP/2.0\r\nHost: a\r\n\r\n"), 505},               /* 2.3 */
        {STR("\x16\x03\x01\x02\r\n\r\n"), 0},                          /* 2.2 */
        {STR("GET / HTTP/1.1\r\nHost : a\r\n\r\n"), 400},              /* 5.1 */
        {STR("GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n"), 400},          /* 5 */
        {STR("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n"), 400},        /* 5 */
        {STR("GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n"), 400}, /* 5.2 */
        {STR("GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n"), 400},      /* RFC 9110 section 5.5 */
        {STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +3\r\n\r\nabc"), 400},   /* 8.6 */
        {STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 3\r\n\r\nabc"), 400}, /* 8.6 */
        {STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
         400},
        {STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\n"), 413},
        {STR("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
             "0\r\n\r\n"),
         400}, /* RFC 9112 section 6.3 */
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"), 501}, /* 6.1 */
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n"), 501},
        {STR("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 400}, /* 6.1 */
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0x3\r\nabc\r\n"),
         400},
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\nabc\r\n"), 400},
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;a\nb\r\nabc\r\n"),
         400},
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n"), 400},
        {STR("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
             "chunked\r\n\r\nFFFFFFFFFFFFFFFF0\r\n"),
         413}, /* 7.1 */
    };
    struct http_peer *peer = peer_start();

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int status = peer_status_of(peer, rows[i].request);

        if (status != rows[i].status) {
            fail_msg("row %zu: %d, expected %d: %s", i, status, rows[i].status,
                     rows[i].request.ptr);
        }
    }
    peer_stop(peer);
}

/* Our own refusals on the wire: a problem document, and the connection ends. */
static void a_refusal_is_a_problem_and_closes(void **state)
{
    static const char *const requests[] = {
        "GET //a HTTP/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nAuthorization: a\r\nAuthorization: b\r\n\r\n",
    };
    struct http_peer *peer = peer_start();

    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        int fd = peer_connect(peer);
        struct peer_reply reply;

        assert_true(peer_send(fd, str_from(requests[i])));
        assert_true(peer_send(fd, STR("GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"))); /* never read */
        reply = peer_read(fd, false);
        assert_int_equal(reply.status, 400);
        assert_true(unit_is_json(peer_body(&reply)));
        assert_non_null(strstr(reply.head, "\r\nX-Request-Id: "));
        assert_non_null(strstr(reply.head, "\r\nConnection: close\r\n"));
        assert_true(peer_ends(fd));
        close(fd);
    }
    peer_stop(peer);
}

/* Whatever the size of the head there is an answer: the library's memory holds both. */
static void a_head_of_any_size_is_answered(void **state)
{
    static char request[20000];
    struct http_peer *peer = peer_start();

    (void)state;
    for (size_t size = 1000; size < 15000; size += 97) {
        struct str text = {request, 0};
        int status;

        text.len =
            (size_t)snprintf(request, sizeof(request),
                             "GET /echo HTTP/1.1\r\nHost: a\r\nX: %0*d\r\n\r\n", (int)size, 0);
        status = peer_status_of(peer, text);
        if (status != (size < 10000 ? 200 : 431) && (size < 9900 || size > 10200)) {
            fail_msg("a field of %zu bytes: %d", size, status);
        }
        assert_true(status == 200 || status == 431);
    }
    peer_stop(peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(targets),
        cmocka_unit_test(methods),
        cmocka_unit_test(fields),
        cmocka_unit_test(hosts),
        cmocka_unit_test(what_the_library_refuses),
        cmocka_unit_test(a_refusal_is_a_problem_and_closes),
        cmocka_unit_test(a_head_of_any_size_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
