/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct sockaddr_in loopback(unsigned port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
}

bool dev_network_is_free(unsigned port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    bool is_free;

    if (fd < 0) {
        return false;
    }
    /* As the server does: connections that are only closing do not count. */
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    is_free = bind(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return is_free;
}

static bool asks_and_reads_200(int fd, unsigned port)
{
    static const char request[] = "GET /readyz HTTP/1.1\r\n"
                                  "Host: localhost\r\nConnection: close\r\n\r\n";
    static const char expected[] = "HTTP/1.1 200";
    struct sockaddr_in address = loopback(port);
    char answer[sizeof(expected) - 1];

    return connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 &&
           send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1 &&
           recv(fd, answer, sizeof(answer), MSG_WAITALL) == sizeof(answer) &&
           strncmp(answer, expected, sizeof(answer)) == 0;
}

bool dev_network_is_ready(unsigned port)
{
    struct timeval second = {.tv_sec = 1};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_ready;

    if (fd < 0) {
        return false;
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
    is_ready = asks_and_reads_200(fd, port);
    (void)close(fd);
    return is_ready;
}
