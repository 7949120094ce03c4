/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The header of a token as its text has it (RFC 7515 section 4); what it may say is token.c's to judge.
 *
 * One key's tokens all have the same header, so each thread keeps the last one that it read: the text
 * that comes again byte by byte is not parsed again.
 *
 * Ownership: texts are in the arena, or the thread's until it reads the next header. Threads: any.
 */
#pragma once

#include "json_in.h"
#include "signing.h"

struct token_header {
    struct str alg;
    struct str typ;
    struct str kid;
    bool has_crit;
};

/* `part`: base64url. ERR_UNAUTHENTICATED: no JSON object with these three members as text. */
NODISCARD enum error token_header_read(struct arena *arena, struct str part,
                                       struct token_header *out);
