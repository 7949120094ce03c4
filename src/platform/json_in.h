/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes a JSON object (RFC 8259, I-JSON) by a table of its members, over jansson. Malformed JSON,
 * duplicate members, invalid UTF-8, lone surrogates, U+0000, numbers out of range, depth beyond 32
 * and more than 256 values are ERR_MALFORMED_JSON; a well-formed object that is not what the table says is ERR_VALIDATION with
 * every finding named.
 *
 *     struct login_body { struct str email, password; };
 *     static const struct json_field login_fields[] = {
 *         JSON_TEXT(struct login_body, email, 1, 320, JSON_REQUIRED), …
 *     };
 *
 * Ownership: jansson allocates from the arena given (its free does nothing), so every copy of a
 * password is wiped with the request; strings of the result live there too.
 * Threads: any, each with its own arena (the current arena is thread-local).
 */
#pragma once

#include "json_findings.h"

enum { JSON_LIST_MAX = 32 };

enum json_type {
    JSON_TYPE_TEXT,
    JSON_TYPE_BOOL,
    JSON_TYPE_I64,
    JSON_TYPE_TEXT_LIST, /* one text will do for a list of it, as with `aud` (RFC 7519) */
    JSON_TYPE_TEXT_ARRAY
};

enum json_flags { JSON_OPTIONAL = 0, JSON_REQUIRED = 1, JSON_NULLABLE = 2 };

struct json_text_list {
    struct str items[JSON_LIST_MAX];
    size_t count;
};

struct json_field {
    const char *name;
    enum json_type type;
    enum json_flags flags;
    size_t offset;
    size_t codepoints_min;
    size_t codepoints_max;
};

/* The member of the result is a struct str; absent leaves {NULL, 0}, null (JSON_NULLABLE) gives the
 * empty string with a non-NULL pointer. */
#define JSON_TEXT(type_, member_, min_, max_, flags_)                                              \
    {                                                                                              \
        .name = #member_, .type = JSON_TYPE_TEXT, .flags = (flags_),                               \
        .offset = offsetof(type_, member_), .codepoints_min = (min_), .codepoints_max = (max_)     \
    }

/* `out` is a zeroed struct that the fields' offsets speak of, untouched unless OK; `findings` is
 * zeroed, or NULL when nobody reads them. Malformed JSON is one finding, too: where, and what kind
 * of fault. ERR_NO_SPACE: the arena is full (decoding takes up to 40 KiB and four times the body). */
NODISCARD enum error json_in_decode(struct arena *arena, struct str body,
                                    const struct json_field *fields, size_t count, void *out,
                                    struct json_findings *findings);
/* The same with unknown members ignored: for secrets and tokens, whose authors add members. */
NODISCARD enum error json_in_decode_lenient(struct arena *arena, struct str body,
                                            const struct json_field *fields, size_t count,
                                            void *out, struct json_findings *findings);
/* Up to `max` members of the object member `name` of a JSON object whose values are all text, as
 * pairs; for {"keys": {"k1": "…"}}. ERR_NOT_FOUND when there is no such member; ERR_VALIDATION for
 * another type, and for more than `max`. */
struct json_pair {
    struct str name;
    struct str value;
};
NODISCARD enum error json_in_text_map(struct arena *arena, struct str body, const char *name,
                                      struct json_pair *out, size_t max, size_t *count);
/* The member `name`, as JSON text again; for an object inside an object. ERR_NOT_FOUND when there is
 * no such member. */
NODISCARD enum error json_in_member(struct arena *arena, struct str body, const char *name,
                                    struct str *out);
/* The elements of the array member `name`, each as JSON text again; for a JWK set's "keys".
 * ERR_NOT_FOUND when there is no such member; ERR_VALIDATION as above. */
NODISCARD enum error json_in_elements(struct arena *arena, struct str body, const char *name,
                                      struct str *out, size_t max, size_t *count);

/* Start-up only: gives jansson our allocator. */
void json_in_start(void);
