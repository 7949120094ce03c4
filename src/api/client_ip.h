/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who the client is where proxies stand in front: of the hops of X-Forwarded-For, each appended by the
 * proxy that saw it, the right-most that is no trusted proxy. What stands left of it is the client's own
 * text and never looked at. Where a hop cannot be read the client is the proxy that passed it on.
 *
 * Threads: pure functions.
 */
#pragma once

#include "network.h"

/* Without that the header is the client's own text. */
bool client_ip_is_proxy(const struct network_list *proxies, struct str peer);
/* `peer` is a proxy. The address is in its canonical form, in the arena. */
struct str client_ip(const struct network_list *proxies, struct arena *arena, struct str peer,
                     struct str forwarded_for);
