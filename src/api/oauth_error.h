/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error means to an OAuth client: one row a code, as RFC 6749 section 5.2 has them.
 *
 * Threads: pure functions.
 */
#pragma once

#include "problem.h"

/* `title` is the OAuth error code. Errors that are not a client's business are server_error. */
const struct problem *oauth_error_of(enum error error);
void oauth_error_write(struct buf *out, const struct problem *problem);
