/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One of the secrets, read again and again: what is different is taken, what is wrong changes nothing
 * and is told once.
 *
 * Threads: one at a time.
 */
#pragma once

#include "trust.h"

struct secret_watch {
    struct crypto_digest digest; /* of the content that was seen last */
    bool was_read;
    bool is_refused; /* that content */
    bool is_unreadable;
};

/* Takes a part out of `fresh`; what it leaves is freed. An error refuses the content, with one sentence
 * in `why`. */
typedef enum error (*secret_watch_apply)(void *context, enum trust_part part, struct trust *fresh,
                                         const char **why);

struct secret_watch_reader {
    const struct config *config;
    struct arena *arena; /* empty afterwards */
    secret_watch_apply apply;
    void *context;
};

/* Whether anything was taken. */
bool secret_watch_look(struct secret_watch *self, const struct secret_watch_reader *reader,
                       enum trust_part part);
void secret_watch_register_metrics(void);
