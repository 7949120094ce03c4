/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 1024 }; /* the kernel cuts it to net.core.somaxconn */

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static bool parse_host(struct str host, uint64_t port, union address *out, socklen_t *bytes)
{
    char text[INET6_ADDRSTRLEN] = "";
    bool bracketed = host.len >= 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';

    if (bracketed) {
        host = str_sub(host, 1, host.len - 1);
    }
    if (host.len >= sizeof(text)) {
        return false;
    }
    memcpy(text, host.ptr, host.len);
    memset(out, 0, sizeof(*out));
    if (bracketed) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        *bytes = sizeof(out->v6);
        return inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1;
    }
    out->v4.sin_family = AF_INET;
    out->v4.sin_port = htons((uint16_t)port);
    *bytes = sizeof(out->v4);
    return inet_pton(AF_INET, text, &out->v4.sin_addr) == 1;
}

/* "ADDRESS:PORT"; the last colon parts them. */
static bool parse(struct str text, union address *out, socklen_t *bytes)
{
    size_t colon = text.len;
    uint64_t port;

    while (colon > 0 && text.ptr[colon - 1] != ':') {
        colon--;
    }
    if (colon == 0 || str_to_u64(str_sub(text, colon, text.len), &port) != OK || port > 65535) {
        return false;
    }
    return parse_host(str_sub(text, 0, colon - 1), port, out, bytes);
}

static bool open_socket(union address *address, socklen_t bytes, int *out)
{
    int on = 1;
    int off = 0;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return false;
    }
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->any.sa_family == AF_INET6) {
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)); /* "[::]" means all */
    }
    if (bind(fd, &address->any, bytes) != 0 || listen(fd, LISTEN_BACKLOG) != 0 ||
        getsockname(fd, &address->any, &bytes) != 0) {
        int saved = errno;

        close(fd);
        errno = saved;
        return false;
    }
    *out = fd;
    return true;
}

enum error http_listen(const char *listen_on, int *fd, unsigned *port, struct buf *why)
{
    union address address;
    socklen_t bytes = 0;

    if (!parse(str_from(listen_on), &address, &bytes)) {
        buf_printf(
            why,
            "\"%s\" is not an address to listen on; write a numeric address and a port, such "
            "as 0.0.0.0:8000 or [::]:8000",
            listen_on);
        return ERR_CONFIG;
    }
    if (!open_socket(&address, bytes, fd)) {
        buf_printf(why, "cannot listen on %s: %s", listen_on, strerror(errno));
        return ERR_CONFIG;
    }
    *port = ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
    return OK;
}

size_t http_listen_peer(const struct sockaddr *address, char out[HTTP_PEER_BYTES_MAX])
{
    const struct sockaddr_in6 *v6 = (const void *)address;
    const struct sockaddr_in *v4 = (const void *)address;
    const void *bytes = &v4->sin_addr;
    int family = AF_INET;

    if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        bytes = &v6->sin6_addr.s6_addr[12];
    } else if (address->sa_family == AF_INET6) {
        bytes = &v6->sin6_addr;
        family = AF_INET6;
    }
    out[0] = '\0';
    (void)!inet_ntop(family, bytes, out, HTTP_PEER_BYTES_MAX);
    return strlen(out);
}
