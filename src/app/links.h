/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the links in mails look like: the templates of the configuration, else the built-in pages.
 *
 * Ownership: templates are in the arena. Threads: at start.
 */
#pragma once

#include "config.h"
#include "onetime.h"

/* Logs a warning for each template that is missing while the pages are off. */
void links_fill(const struct config *config, struct arena *arena,
                const char *out[ONETIME_PURPOSE_COUNT]);
