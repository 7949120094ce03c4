/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an error means to a client: one row a code, as RFC 9457 problem documents.
 *
 * Threads: pure functions.
 */
#pragma once

#include "json_in.h"
#include "log.h"

/* Room for every finding with every byte of it escaped. */
enum { PROBLEM_BYTES_MAX = 8192 };

struct problem {
    enum error error;
    int status;
    const char *title;  /* the status's own phrase, since `type` is about:blank */
    const char *detail; /* what was wrong and what would be right */
    enum log_level level;
};

/* Errors that are not a client's business are ERR_INTERNAL's row. */
const struct problem *problem_of(enum error error);
/* Members that not every document has (RFC 9457 section 3.2). */
struct problem_more {
    const struct json_findings *findings; /* NULL or empty: no errors */
    struct str mfa_token;                 /* of ERR_MFA_REQUIRED; empty: none */
};
void problem_write(struct buf *out, const struct problem *problem, struct str request_id,
                   const struct problem_more *more);
/* A status as a metric label; "other" for one that the service never sends. */
const char *problem_status_label(int status);
