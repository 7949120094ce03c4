/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many access tokens were presented, by what came of them. Threads: any.
 */
#pragma once

enum token_checks_result {
    TOKEN_CHECKS_CACHED,   /* seen before: signature not checked again */
    TOKEN_CHECKS_VERIFIED, /* first sight, signature right */
    TOKEN_CHECKS_REFUSED,  /* not a live token of this issuer */
    TOKEN_CHECKS_DEFERRED, /* genuine, but memory cannot tell whether it still counts */
    TOKEN_CHECKS_REVOKED,  /* genuine, but does not count any more */
};

void token_checks_register_metrics(void);
void token_checks_count(enum token_checks_result result);
