/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_text.h"

#include <math.h>

/* `quotes` too in a label value, but not in a help text. */
static void escaped(struct buf *out, struct str s, bool quotes)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] == '\n') {
            buf_append(out, STR("\\n"));
            continue;
        }
        if (s.ptr[i] == '\\' || (quotes && s.ptr[i] == '"')) {
            buf_append_byte(out, '\\');
        }
        buf_append_byte(out, s.ptr[i]);
    }
}

static void number(struct buf *out, double value)
{
    static const double integers_below = 9007199254740992.0; /* 2^53 */

    if (isnan(value)) {
        buf_append(out, STR("NaN"));
        return;
    }
    if (isinf(value)) {
        buf_append(out, value > 0 ? STR("+Inf") : STR("-Inf"));
        return;
    }
    if (fabs(value) < integers_below && value == (double)(int64_t)value) {
        buf_append_i64(out, (int64_t)value);
        return;
    }
    buf_printf(out, "%.15g", value);
}

static void label_begin(struct buf *out, const char *name, bool first)
{
    buf_append_byte(out, first ? '{' : ',');
    buf_append(out, str_from(name));
    buf_append(out, STR("=\""));
}

static void labels(struct buf *out, const struct metrics_text_sample *sample)
{
    for (size_t i = 0; i < sample->label_count; i++) {
        label_begin(out, sample->label_names[i], i == 0);
        escaped(out, str_from(sample->label_values[i]), true);
        buf_append_byte(out, '"');
    }
    if (sample->le != NULL) {
        label_begin(out, "le", sample->label_count == 0);
        number(out, *sample->le);
        buf_append_byte(out, '"');
    }
    if (sample->label_count > 0 || sample->le != NULL) {
        buf_append_byte(out, '}');
    }
}

void metrics_text_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_append(out, STR("# HELP "));
    buf_append(out, str_from(name));
    buf_append_byte(out, ' ');
    escaped(out, str_from(help), false);
    buf_append(out, STR("\n# TYPE "));
    buf_append(out, str_from(name));
    buf_append_byte(out, ' ');
    buf_append(out, str_from(type));
    buf_append_byte(out, '\n');
}

void metrics_text_sample(struct buf *out, const struct metrics_text_sample *sample)
{
    buf_append(out, str_from(sample->name));
    buf_append(out, str_from(sample->suffix));
    labels(out, sample);
    buf_append_byte(out, ' ');
    number(out, sample->value);
    buf_append_byte(out, '\n');
}
