/* SPDX-License-Identifier: Apache-2.0 */
#include "inbox_controls.h"

#include "json_in.h"
#include "json_out.h"

struct push_body {
    struct str action;
};

static const struct json_field push_fields[] = {
    JSON_TEXT(struct push_body, action, 1, 32, JSON_REQUIRED),
};

static void fail_next_three(struct inbox_controls *self)
{
    self->fail_next = INBOX_CONTROLS_FAIL_COUNT;
}

static void answer_slowly(struct inbox_controls *self)
{
    self->is_slow = true;
}

static void answer_at_once(struct inbox_controls *self)
{
    self->is_slow = false;
}

static void answer_twice(struct inbox_controls *self)
{
    self->answers_twice = true;
}

static const struct {
    const char *action;
    void (*push)(struct inbox_controls *self);
} buttons[] = {
    {"fail_next_three", fail_next_three},
    {"answer_slowly", answer_slowly},
    {"answer_at_once", answer_at_once},
    {"answer_twice", answer_twice},
};

int inbox_controls_decide(struct inbox_controls *self, bool is_signed, bool *is_taken)
{
    *is_taken = false;
    if (self->fail_next > 0) {
        self->fail_next--;
        return 503;
    }
    if (!is_signed) {
        return 401;
    }
    *is_taken = true;
    if (self->answers_twice) {
        self->answers_twice = false;
        return 500;
    }
    return 204;
}

NODISCARD enum error inbox_controls_push(struct inbox_controls *self, struct arena *arena,
                                         struct str body)
{
    struct push_body push = {0};
    struct json_findings findings = {0};

    if (json_in_decode(arena, body, push_fields, 1, &push, &findings) != OK) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < sizeof(buttons) / sizeof(buttons[0]); i++) {
        if (str_equal(push.action, str_from(buttons[i].action))) {
            buttons[i].push(self);
            return OK;
        }
    }
    return ERR_INVALID;
}

void inbox_controls_write(const struct inbox_controls *self, struct buf *out)
{
    struct json_out json = json_out_to(out);

    json_object(&json);
    json_member_i64(&json, "fail_next", self->fail_next);
    json_member_bool(&json, "answer_slowly", self->is_slow);
    json_member_bool(&json, "answer_twice", self->answers_twice);
    json_object_end(&json);
}
