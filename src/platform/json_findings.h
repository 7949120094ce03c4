/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is wrong with a request's members, as a client gets to read it (422, RFC 9457). Filled by
 * json_in from a field table, and by handlers for what no table can say.
 *
 * Ownership: texts are in the request's arena or static. Threads: one at a time.
 * Errors: findings beyond JSON_FINDINGS_MAX are left out.
 */
#pragma once

#include "buf.h"

enum { JSON_FINDINGS_MAX = 8, JSON_FINDINGS_NAME_BYTES_MAX = 64 };

struct json_finding {
    struct str pointer; /* RFC 6901 */
    const char *code;   /* required, unknown_member, wrong_type, too_short, too_long, … */
    struct str detail;  /* one sentence: what was wrong, what was got, what would be right */
};

struct json_findings {
    struct json_finding items[JSON_FINDINGS_MAX];
    size_t count;
};

/* NULL for `self` is nobody who reads them. */
void json_findings_add(struct json_findings *self, struct str pointer, const char *code,
                       struct str detail);
/* The RFC 6901 pointer of a member of the top object. */
struct str json_findings_pointer(struct arena *arena, struct str name);
/* A client's own member name as it may stand in an answer: at most 64 bytes, whole code points. */
struct str json_findings_shown(struct str name);
