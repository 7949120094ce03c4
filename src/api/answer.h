/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place where requests are answered: problem documents (RFC 9457) or OAuth errors (RFC 6749
 * section 5.2), the headers that every answer has, one log line, one metric.
 *
 * Threads: as the request.
 */
#pragma once

#include "routes.h"

void answer_register_metrics(void);
/* A request is being worked on; answer_finish ends that. */
void answer_begin(void);
/* After it the request is gone. `allow` is for ERR_METHOD_NOT_ALLOWED. */
void answer_finish(struct request *request, enum error error, struct str allow);
