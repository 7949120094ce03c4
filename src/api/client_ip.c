/* SPDX-License-Identifier: Apache-2.0 */
#include "client_ip.h"

/* Cuts the last of a list. */
static struct str cut_last(struct str *list)
{
    size_t at = list->len;
    struct str last;

    while (at > 0 && list->ptr[at - 1] != ',') {
        at--;
    }
    last = str_sub(*list, at, list->len);
    *list = str_sub(*list, 0, at == 0 ? 0 : at - 1);
    return str_trim(last);
}

bool client_ip_is_proxy(const struct network_list *proxies, struct str peer)
{
    struct network_address address;

    return network_parse(peer, &address) == OK && network_list_contains(proxies, &address);
}

struct str client_ip(const struct network_list *proxies, struct arena *arena, struct str peer,
                     struct str forwarded_for)
{
    struct network_address client;
    struct network_address hop;
    struct str text;

    if (network_parse(peer, &client) != OK) {
        return peer;
    }
    while (forwarded_for.len > 0 && network_list_contains(proxies, &client) &&
           network_parse_hop(cut_last(&forwarded_for), &hop) == OK) {
        client = hop;
    }
    text = network_text(arena, &client);
    return text.len == 0 ? peer : text;
}
