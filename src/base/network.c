/* SPDX-License-Identifier: Apache-2.0 */
#include "network.h"

#include <arpa/inet.h>
#include <string.h>

enum { TEXT_BYTES_MAX = INET6_ADDRSTRLEN, V4_AT = 12, V4_BITS = 96, BITS = 128 };

static const uint8_t v4_prefix[V4_AT] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool begins_alike(const uint8_t *a, const uint8_t *b, size_t bytes)
{
    return str_equal((struct str){(const char *)a, bytes}, (struct str){(const char *)b, bytes});
}

static bool is_v4(const struct network_address *address)
{
    return begins_alike(address->bytes, v4_prefix, V4_AT);
}

enum error network_parse(struct str text, struct network_address *out)
{
    struct network_address address = {{0}};
    char terminated[TEXT_BYTES_MAX];

    if (text.len == 0 || text.len >= sizeof(terminated) || memchr(text.ptr, 0, text.len) != NULL) {
        return ERR_INVALID;
    }
    memcpy(terminated, text.ptr, text.len);
    terminated[text.len] = '\0';
    if (inet_pton(AF_INET, terminated, address.bytes + V4_AT) == 1) {
        memcpy(address.bytes, v4_prefix, V4_AT);
    } else if (inet_pton(AF_INET6, terminated, address.bytes) != 1) {
        return ERR_INVALID;
    }
    *out = address;
    return OK;
}

static bool is_port(struct str text)
{
    uint64_t port;

    return str_to_u64(text, &port) == OK && port <= UINT16_MAX;
}

enum error network_parse_hop(struct str text, struct network_address *out)
{
    struct str rest = text;
    struct str host;

    if (str_starts(text, STR("["))) {
        host = str_cut(&rest, ']');
        if (host.len == text.len ||
            (rest.len > 0 && !(rest.ptr[0] == ':' && is_port(str_sub(rest, 1, rest.len))))) {
            return ERR_INVALID;
        }
        return network_parse(str_sub(host, 1, host.len), out);
    }
    host = str_cut(&rest, ':');
    if (rest.len > 0 && is_port(rest) && str_find(host, '.', &(size_t){0})) {
        return network_parse(host, out);
    }
    return network_parse(text, out);
}

struct str network_text(struct arena *arena, const struct network_address *address)
{
    char text[TEXT_BYTES_MAX];
    bool v4 = is_v4(address);
    const uint8_t *bytes = v4 ? address->bytes + V4_AT : address->bytes;

    if (inet_ntop(v4 ? AF_INET : AF_INET6, bytes, text, sizeof(text)) == NULL) {
        return STR_EMPTY;
    }
    return arena_copy(arena, str_from(text));
}

static struct network_address masked(const struct network_address *address, unsigned bits)
{
    struct network_address out = {{0}};
    size_t whole = bits / 8;

    memcpy(out.bytes, address->bytes, whole);
    if (bits % 8 != 0) {
        out.bytes[whole] = address->bytes[whole] & (uint8_t)(0xff << (8 - bits % 8));
    }
    return out;
}

static bool is_same(const struct network_address *a, const struct network_address *b)
{
    return begins_alike(a->bytes, b->bytes, sizeof(a->bytes));
}

enum error network_prefix_parse(struct str text, struct network_prefix *out)
{
    struct str rest = text;
    struct str host = str_cut(&rest, '/');
    struct network_prefix prefix = {.bits = BITS};
    struct network_address network;
    uint64_t bits;

    TRY(network_parse(host, &prefix.address));
    if (host.len < text.len) {
        TRY(str_to_u64(rest, &bits));
        if (bits > BITS) {
            return ERR_INVALID;
        }
        /* ::ffff:0:0/96 is written as IPv6, 0.0.0.0/0 as IPv4: it is the colon that tells */
        prefix.bits = (unsigned)bits + (str_find(host, ':', &(size_t){0}) ? 0 : V4_BITS);
    }
    if (prefix.bits > BITS) {
        return ERR_INVALID;
    }
    network = masked(&prefix.address, prefix.bits);
    if (!is_same(&network, &prefix.address)) {
        return ERR_INVALID;
    }
    *out = prefix;
    return OK;
}

bool network_contains(const struct network_prefix *prefix, const struct network_address *address)
{
    struct network_address network = masked(address, prefix->bits);

    return is_v4(address) == (is_v4(&prefix->address) && prefix->bits >= V4_BITS) &&
           is_same(&network, &prefix->address);
}

enum error network_list_parse(struct str text, struct network_list *out)
{
    struct network_list list = {0};

    while (text.len > 0) {
        struct str item = str_trim(str_cut(&text, ','));

        if (list.count == NETWORK_LIST_MAX) {
            return ERR_INVALID;
        }
        TRY(network_prefix_parse(item, &list.items[list.count]));
        list.count++;
    }
    *out = list;
    return OK;
}

bool network_list_contains(const struct network_list *self, const struct network_address *address)
{
    for (size_t i = 0; i < self->count; i++) {
        if (network_contains(&self->items[i], address)) {
            return true;
        }
    }
    return false;
}

struct network_address network_of(const struct network_address *address)
{
    return masked(address, is_v4(address) ? V4_BITS + 24 : 64);
}
