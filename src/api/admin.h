/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the handlers of /v1/admin share: who acts, and by which rules.
 *
 * Ownership: texts are the request's. Threads: as the request.
 */
#pragma once

#include "administration.h"
#include "request.h"

/* The {id} of the path, with its percent-encoding undone (RFC 3986 section 2.1). ERR_NOT_FOUND when that
 * is no text. */
NODISCARD enum error admin_parameter(const struct request *request, struct str *out);
struct administration admin_rules(const struct request *request);
/* The checked token's user or client. */
struct administrator admin_actor(const struct request *request);
