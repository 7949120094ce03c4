/* SPDX-License-Identifier: Apache-2.0 */
#include "healthcheck.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { TIMEOUT_S = 3, ANSWER_BYTES_MAX = 64 };

static enum error port_of(struct str listen, uint16_t *out)
{
    size_t colon = listen.len;
    uint64_t port;

    while (colon > 0 && listen.ptr[colon - 1] != ':') {
        colon--;
    }
    TRY(str_to_u64(str_sub(listen, colon, listen.len), &port));
    *out = (uint16_t)port;
    return OK;
}

/* The status line is all that matters: "HTTP/1.1 200 …". */
static enum error exchange(int fd)
{
    static const struct str question =
        STR("GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    char answer[ANSWER_BYTES_MAX];
    ssize_t got;

    if (send(fd, question.ptr, question.len, MSG_NOSIGNAL) != (ssize_t)question.len) {
        return ERR_UNAVAILABLE;
    }
    got = recv(fd, answer, sizeof(answer), 0);
    return got > 0 && str_starts((struct str){answer, (size_t)got}, STR("HTTP/1.1 200 "))
               ? OK
               : ERR_UNAVAILABLE;
}

enum error healthcheck_ask(struct str listen)
{
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    uint16_t port;
    enum error error = ERR_UNAVAILABLE;
    int fd;

    TRY(port_of(listen, &port));
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return ERR_UNAVAILABLE;
    }
    address.sin_port = htons(port);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0) {
        error = exchange(fd);
    }
    (void)close(fd);
    return error;
}
