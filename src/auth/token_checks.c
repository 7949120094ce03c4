/* SPDX-License-Identifier: Apache-2.0 */
#include "token_checks.h"

#include "metrics.h"

static struct metric checks = {.name = "user_service_token_checks_total",
                               .type = METRIC_COUNTER,
                               .help =
                                   "Access tokens presented, by what came of them: of the token "
                                   "itself (cached, verified, refused), and of the question "
                                   "whether it still counts (deferred, revoked).",
                               .labels = {"result"}};

static const char *const results[] = {
    [TOKEN_CHECKS_CACHED] = "cached",   [TOKEN_CHECKS_VERIFIED] = "verified",
    [TOKEN_CHECKS_REFUSED] = "refused", [TOKEN_CHECKS_DEFERRED] = "deferred",
    [TOKEN_CHECKS_REVOKED] = "revoked",
};

void token_checks_register_metrics(void)
{
    metrics_register(&checks, 1);
}

void token_checks_count(enum token_checks_result result)
{
    metric_count(&checks, results[result], NULL, NULL);
}
