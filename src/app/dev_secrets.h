/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The secrets of `user-service dev`: made once, 0600, in the same form that production reads from
 * AWS Secrets Manager: jwt.json (a private JWK), keyring.json, webhook.json.
 *
 * Threads: the main thread only. Errors: ERR_IO, with the reason on standard error.
 */
#pragma once

#include "error.h"

/* Makes those that are missing in the folder. */
NODISCARD enum error dev_secrets_make(const char *folder);
