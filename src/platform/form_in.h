/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decodes application/x-www-form-urlencoded (RFC 6749 appendix B) by a table of its parameters, the
 * table that json_in takes; only JSON_TYPE_TEXT rows make sense here.
 *
 * Ownership: texts are in the arena. Threads: any.
 * Errors: ERR_MALFORMED_REQUEST for a broken escape, bytes that are not UTF-8, U+0000, a parameter of
 * the table that is repeated (RFC 6749 section 3.2), missing or of the wrong length. Parameters
 * outside of the table are ignored, and so is one without a value (as if it were left out).
 */
#pragma once

#include "json_in.h"

NODISCARD enum error form_in_decode(struct arena *arena, struct str body,
                                    const struct json_field *fields, size_t count, void *out);
/* The values of one parameter, which may be repeated, joined by commas: "id=a&id=b,c" is "a,b,c". Empty
 * when there is none. */
NODISCARD enum error form_in_list(struct arena *arena, struct str body, struct str wanted,
                                  struct str *out);
/* One name or value. */
NODISCARD enum error form_in_unescape(struct arena *arena, struct str escaped, struct str *out);
/* Whether the parameter stands there without a value, which the others take for left out. */
bool form_in_is_empty(struct str body, struct str name);
