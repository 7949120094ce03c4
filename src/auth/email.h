/* SPDX-License-Identifier: Apache-2.0 */
/*
 * E-mail addresses: which are taken, and when two are the same.
 *
 * Taken: a dot-atom local part (RFC 5321 section 4.1.2, without quoted strings) of at most 64 bytes,
 * and a domain of two labels or more, which may be internationalised (IDNA 2008, RFC 5891). The
 * canonical form is the local part in lower case and the domain as lower-case A-labels, at most 254
 * bytes; two addresses are the same when these are equal byte by byte. Canonical forms are their own
 * canonical form. Mail goes to the address as its owner wrote it.
 *
 * Ownership: results are in the arena. Threads: any. libidn2 is named here alone.
 */
#pragma once

#include "arena.h"

enum { EMAIL_INPUT_CODEPOINTS_MAX = 320, EMAIL_CANONICAL_BYTES_MAX = 254 };

struct email {
    struct str written;
    struct str canonical;
};

/* ERR_INVALID with one sentence in `why` (static); ERR_NO_SPACE when the arena is full. */
NODISCARD enum error email_parse(struct arena *arena, struct str text, struct email *out,
                                 const char **why);
