/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numeric addresses and networks. An IPv4 address is kept in its IPv4-mapped form (RFC 4291 section
 * 2.5.5.2), so that 192.0.2.7 and ::ffff:192.0.2.7 are one client.
 *
 * Threads: pure functions. Errors: ERR_INVALID; the destination is untouched.
 */
#pragma once

#include "arena.h"

enum { NETWORK_ADDRESS_BYTES = 16 };

struct network_address {
    uint8_t bytes[NETWORK_ADDRESS_BYTES];
};

struct network_prefix {
    struct network_address address; /* bits behind the prefix are zero */
    unsigned bits;                  /* of the 128; IPv4: 96 more than written */
};

/* No zone, no port. */
NODISCARD enum error network_parse(struct str text, struct network_address *out);
/* The same with what proxies write around it: "192.0.2.7:4711", "[2001:db8::1]", "[2001:db8::1]:4711". */
NODISCARD enum error network_parse_hop(struct str text, struct network_address *out);
/* The canonical form; empty when the arena is full. */
struct str network_text(struct arena *arena, const struct network_address *address);
/* "10.0.0.0/8", "2001:db8::/32", or an address for itself alone. Bits behind the prefix must be zero. */
NODISCARD enum error network_prefix_parse(struct str text, struct network_prefix *out);
enum { NETWORK_LIST_MAX = 16 };

struct network_list {
    struct network_prefix items[NETWORK_LIST_MAX];
    size_t count;
};

/* Separated by commas; an empty text is an empty list. */
NODISCARD enum error network_list_parse(struct str text, struct network_list *out);
bool network_list_contains(const struct network_list *self, const struct network_address *address);
/* An IPv6 prefix never contains an IPv4 address. */
bool network_contains(const struct network_prefix *prefix, const struct network_address *address);
/* What one subscriber has: the /24 of an IPv4 address, the /64 of an IPv6 one. */
struct network_address network_of(const struct network_address *address);
