/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator's command prints: one object or a list of rows, as columns for a person or as JSON.
 *
 *     tool_out_list(out);                     without it: one object
 *     for (…) {
 *         tool_out_row(out);
 *         tool_out_str(out, "id", id);
 *         tool_out_time(out, "created_at", created_ms);
 *     }
 *
 * Every row has the same members in the same order. A list of any length is printed piece by piece.
 * Control characters of a text, which would steer a terminal, are shown as '?'.
 *
 * Ownership: values are copied; names are literals. Threads: one at a time.
 * Errors: of tool_out_end: ERR_NO_SPACE (a row of more than TOOL_OUT_ROW_BYTES_MAX), ERR_IO.
 */
#pragma once

#include "codec.h"

enum {
    TOOL_OUT_COLUMNS_MAX = 24,
    TOOL_OUT_CELLS_MAX = 2048,
    TOOL_OUT_ROW_BYTES_MAX = 16 * 1024,
    TOOL_OUT_TEXT_BYTES = 128 * 1024
};

enum tool_out_kind { TOOL_OUT_STR, TOOL_OUT_WORDS, TOOL_OUT_RAW, TOOL_OUT_NULL };

struct tool_out_cell {
    const char *name;
    enum tool_out_kind kind;
    struct str text;
};

struct tool_out {
    bool is_json;
    bool is_list;
    bool is_document;
    bool is_failed;
    size_t printed; /* rows */
    size_t rows;    /* waiting */
    size_t columns; /* of the first row */
    size_t widths[TOOL_OUT_COLUMNS_MAX];
    size_t count;
    struct tool_out_cell cells[TOOL_OUT_CELLS_MAX];
    struct buf texts;
    char memory[TOOL_OUT_TEXT_BYTES];
};

void tool_out_start(struct tool_out *self, bool is_json);
/* Before the first row: zero or more of them follow, instead of exactly one. */
void tool_out_list(struct tool_out *self);
void tool_out_row(struct tool_out *self);

/* Empty: null in JSON, "-" for a person. */
void tool_out_str(struct tool_out *self, const char *name, struct str value);
void tool_out_uuid(struct tool_out *self, const char *name, struct uuid value);
/* Milliseconds since 1970 as RFC 3339; 0: null. */
void tool_out_time(struct tool_out *self, const char *name, int64_t unix_ms);
void tool_out_i64(struct tool_out *self, const char *name, int64_t value);
void tool_out_bool(struct tool_out *self, const char *name, bool value);
/* Words separated by single spaces: an array in JSON. */
void tool_out_words(struct tool_out *self, const char *name, struct str words);

/* Instead of rows: the whole output is this JSON, whichever form was asked for. */
void tool_out_document(struct tool_out *self, struct str valid_json);

/* Prints what is left. What was kept is wiped: it may be a new secret. */
NODISCARD enum error tool_out_end(struct tool_out *self);
