/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox's buttons: how it misbehaves towards the service that delivers to it.
 *
 * Threads: none of its own; the inbox holds its lock.
 */
#pragma once

#include "buf.h"

enum { INBOX_CONTROLS_SLOW_MS = 3000, INBOX_CONTROLS_FAIL_COUNT = 3 };

struct inbox_controls {
    unsigned fail_next; /* so many deliveries are answered 503 and not taken */
    bool is_slow;       /* each is answered after INBOX_CONTROLS_SLOW_MS */
    bool answers_twice; /* the next is taken but answered 500, so that it is delivered again */
};

/* The status for one delivery, and whether it is taken; spends what counts down. */
int inbox_controls_decide(struct inbox_controls *self, bool is_signed, bool *is_taken);
/* {"action": "fail_next_three" | "answer_slowly" | "answer_at_once" | "answer_twice"};
 * ERR_INVALID for anything else. */
NODISCARD enum error inbox_controls_push(struct inbox_controls *self, struct arena *arena,
                                         struct str body);
/* {"fail_next": 0, "answer_slowly": false, "answer_twice": false} */
void inbox_controls_write(const struct inbox_controls *self, struct buf *out);
