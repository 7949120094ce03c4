/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_out.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "crypto.h"
#include "json_out.h"

enum { LINE_BYTES_MAX = 8 * TOOL_OUT_ROW_BYTES_MAX, WIDTH_MAX = 48, GAP = 2 };

static char line_memory[LINE_BYTES_MAX];

void tool_out_start(struct tool_out *self, bool is_json)
{
    memset(self, 0, sizeof(*self));
    self->is_json = is_json;
    self->texts = buf_over(self->memory, sizeof(self->memory));
}

void tool_out_list(struct tool_out *self)
{
    assert(self->rows == 0);
    self->is_list = true;
}

static void print(struct tool_out *self, const struct buf *line)
{
    if (line->overflowed || fwrite(line->ptr, 1, line->len, stdout) != line->len) {
        self->is_failed = true;
    }
}

/* C0, DEL and C1 (U+0080 to U+009F). */
static size_t control_bytes(struct str text)
{
    unsigned char first = (unsigned char)text.ptr[0];

    if (first < ' ' || first == 0x7F) {
        return 1;
    }
    return first == 0xC2 && text.len > 1 && (unsigned char)text.ptr[1] < 0xA0 ? 2 : 0;
}

static void append_shown(struct buf *line, struct str text)
{
    while (text.len > 0) {
        size_t control = control_bytes(text);
        size_t step = control > 0 ? control : str_utf8_step(text);

        if (control > 0 || step == 0) {
            buf_append_byte(line, '?');
            step = step == 0 ? 1 : step;
        } else {
            buf_append(line, str_sub(text, 0, step));
        }
        text = str_sub(text, step, text.len);
    }
}

static struct str shown(const struct tool_out_cell *cell)
{
    return cell->text.len == 0 ? STR("-") : cell->text;
}

static size_t width_of(const struct tool_out_cell *cell)
{
    return str_codepoints(shown(cell));
}

static void pad(struct buf *line, size_t written, size_t width)
{
    for (size_t i = written; i < width + GAP; i++) {
        buf_append_byte(line, ' ');
    }
}

/* "name  value", one a line. */
static void print_object(struct tool_out *self)
{
    size_t width = 0;

    for (size_t i = 0; i < self->count; i++) {
        size_t length = strlen(self->cells[i].name);
        width = length > width ? length : width;
    }
    for (size_t i = 0; i < self->count; i++) {
        struct buf line = buf_over(line_memory, sizeof(line_memory));

        buf_append(&line, str_from(self->cells[i].name));
        pad(&line, line.len, width);
        append_shown(&line, shown(&self->cells[i]));
        buf_append_byte(&line, '\n');
        print(self, &line);
    }
}

static void widen(struct tool_out *self)
{
    for (size_t i = 0; i < self->count; i++) {
        size_t *width = &self->widths[i % self->columns];
        size_t name = strlen(self->cells[i].name);
        size_t text = width_of(&self->cells[i]);

        text = text > WIDTH_MAX ? WIDTH_MAX : text;
        *width = name > *width ? name : *width;
        *width = text > *width ? text : *width;
    }
}

static void print_head(struct tool_out *self)
{
    struct buf line = buf_over(line_memory, sizeof(line_memory));

    for (size_t i = 0; i < self->columns; i++) {
        buf_append(&line, str_from(self->cells[i].name));
        if (i + 1 < self->columns) {
            pad(&line, strlen(self->cells[i].name), self->widths[i]);
        }
    }
    buf_append_byte(&line, '\n');
    print(self, &line);
}

static void print_columns(struct tool_out *self, const struct tool_out_cell *cells)
{
    struct buf line = buf_over(line_memory, sizeof(line_memory));

    for (size_t i = 0; i < self->columns; i++) {
        append_shown(&line, shown(&cells[i]));
        if (i + 1 < self->columns) {
            pad(&line, width_of(&cells[i]), self->widths[i]);
        }
    }
    buf_append_byte(&line, '\n');
    print(self, &line);
}

static void write_member(struct json_out *json, const struct tool_out_cell *cell)
{
    if (cell->kind == TOOL_OUT_NULL) {
        json_key(json, cell->name);
        json_null(json);
    } else if (cell->kind == TOOL_OUT_WORDS) {
        json_member_words(json, cell->name, cell->text);
    } else if (cell->kind == TOOL_OUT_RAW) {
        json_member_raw(json, cell->name, cell->text);
    } else {
        json_member_str(json, cell->name, cell->text);
    }
}

static void print_json(struct tool_out *self, const struct tool_out_cell *cells)
{
    struct buf line = buf_over(line_memory, sizeof(line_memory));
    struct json_out json;

    if (self->is_list) {
        buf_append(&line, self->printed == 0 ? STR("[") : STR(",\n "));
    }
    json = json_out_to(&line);
    json_object(&json);
    for (size_t i = 0; i < self->columns; i++) {
        write_member(&json, &cells[i]);
    }
    json_object_end(&json);
    print(self, &line);
}

static void print_rows(struct tool_out *self)
{
    if (!self->is_json) {
        widen(self);
    }
    if (!self->is_json && self->printed == 0) {
        print_head(self);
    }
    for (size_t i = 0; i < self->rows; i++) {
        const struct tool_out_cell *cells = &self->cells[i * self->columns];

        if (self->is_json) {
            print_json(self, cells);
        } else {
            print_columns(self, cells);
        }
        self->printed++;
    }
}

/* What waits is printed and forgotten. */
static void flush(struct tool_out *self)
{
    if (self->rows == 0) {
        return;
    }
    if (self->columns == 0) {
        self->columns = self->count;
    }
    assert(self->count == self->rows * self->columns); /* rows with differing members */
    if (self->texts.overflowed) {
        self->is_failed = true;
    } else if (self->is_list || self->is_json) {
        print_rows(self);
    } else {
        print_object(self);
    }
    self->rows = 0;
    self->count = 0;
    self->texts = buf_over(self->memory, sizeof(self->memory));
}

void tool_out_row(struct tool_out *self)
{
    assert(self->is_list || self->rows == 0);
    if (self->rows == 1 && self->columns == 0) {
        self->columns = self->count;
    }
    if (self->count + TOOL_OUT_COLUMNS_MAX > TOOL_OUT_CELLS_MAX ||
        self->texts.len + TOOL_OUT_ROW_BYTES_MAX > self->texts.cap) {
        flush(self);
    }
    self->rows++;
}

static void add(struct tool_out *self, const char *name, enum tool_out_kind kind, struct str text)
{
    size_t at = self->texts.len;

    assert(self->rows > 0 && self->count < TOOL_OUT_CELLS_MAX);
    buf_append(&self->texts, text);
    self->cells[self->count++] = (struct tool_out_cell){
        .name = name, .kind = kind, .text = {self->texts.ptr + at, self->texts.len - at}};
}

void tool_out_str(struct tool_out *self, const char *name, struct str value)
{
    add(self, name, value.len == 0 ? TOOL_OUT_NULL : TOOL_OUT_STR, value);
}

void tool_out_uuid(struct tool_out *self, const char *name, struct uuid value)
{
    char text[UUID_TEXT_BYTES];
    struct buf buf = buf_over(text, sizeof(text));

    codec_uuid(&buf, value);
    tool_out_str(self, name, buf_str(&buf));
}

void tool_out_time(struct tool_out *self, const char *name, int64_t unix_ms)
{
    char text[RFC3339_BYTES_MAX];
    struct buf buf = buf_over(text, sizeof(text));

    if (unix_ms != 0) {
        codec_rfc3339(&buf, unix_ms);
    }
    tool_out_str(self, name, buf_str(&buf));
}

void tool_out_i64(struct tool_out *self, const char *name, int64_t value)
{
    char text[24];
    struct buf buf = buf_over(text, sizeof(text));

    buf_append_i64(&buf, value);
    add(self, name, TOOL_OUT_RAW, buf_str(&buf));
}

void tool_out_bool(struct tool_out *self, const char *name, bool value)
{
    add(self, name, TOOL_OUT_RAW, value ? STR("true") : STR("false"));
}

void tool_out_words(struct tool_out *self, const char *name, struct str words)
{
    add(self, name, TOOL_OUT_WORDS, words);
}

void tool_out_document(struct tool_out *self, struct str valid_json)
{
    struct buf line = buf_over(line_memory, sizeof(line_memory));

    assert(self->rows == 0 && self->printed == 0);
    buf_append(&line, valid_json);
    buf_append_byte(&line, '\n');
    print(self, &line);
    self->is_document = true;
}

/* What was asked for as JSON is JSON, even if there is nothing to say. */
static void print_end(struct tool_out *self)
{
    struct buf line = buf_over(line_memory, sizeof(line_memory));

    if (self->printed == 0) {
        buf_append(&line, self->is_list ? STR("[") : STR("{}"));
    }
    buf_append(&line, self->is_list ? STR("]\n") : STR("\n"));
    print(self, &line);
}

enum error tool_out_end(struct tool_out *self)
{
    bool is_too_long;

    flush(self);
    is_too_long = self->is_failed && ferror(stdout) == 0;
    if (self->is_json && !self->is_document) {
        print_end(self);
    }
    if (fflush(stdout) != 0) {
        self->is_failed = true;
    }
    crypto_wipe(self->memory, sizeof(self->memory));
    crypto_wipe(line_memory, sizeof(line_memory));
    if (!self->is_failed) {
        return OK;
    }
    return is_too_long ? ERR_NO_SPACE : ERR_IO;
}
