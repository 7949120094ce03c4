/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What users may say of themselves: a name, and the language of their mails.
 *
 * Threads: pure functions.
 */
#pragma once

#include "json_in.h"

enum { PROFILE_NAME_CODEPOINTS_MAX = 200, PROFILE_LOCALE_BYTES_MAX = 35 };

/* Adds what is wrong; an absent or empty text is fine. A name has no control characters; a locale looks
 * like a BCP 47 language tag (RFC 5646 section 2.1). */
void profile_check(struct json_findings *findings, struct str name, struct str locale);
