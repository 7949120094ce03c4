/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The settings that `user-service dev` gives to the service, as environment variables of this process,
 * which its children inherit. What the caller has set stays.
 *
 * Ownership: setenv's. Threads: the main thread, before any other is started.
 */
#pragma once

#include "str.h"

/* The value in force; NULL: not set. */
const char *dev_environment_get(const char *name);
/* Unless the caller has set it. */
void dev_environment_default(const char *name, const char *format, ...) PRINTF_LIKE(2, 3);
void dev_environment_set(const char *name, const char *format, ...) PRINTF_LIKE(2, 3);
char *const *dev_environment_all(void);
/* Another port for a listener variable that holds one. */
void dev_environment_set_port(const char *name, unsigned port);
/* The port of a listener variable such as US_HTTP_LISTEN; 0 when it holds none. */
unsigned dev_environment_port(const char *name);
