/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two questions about ports of 127.0.0.1. Threads: any.
 */
#pragma once

#include <stdbool.h>

/* Whether somebody could listen on it. */
bool dev_network_is_free(unsigned port);
/* Whether GET /readyz there answers 200 within a second. */
bool dev_network_is_ready(unsigned port);
