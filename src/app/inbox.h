/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox of `user-service dev`: it plays the Notification Service. It takes the events that the
 * service sends (POST /events), checks their signature as a real receiver would, keeps the last ones in
 * memory and shows the mails that would have been sent: a page (GET /), and as JSON GET /mails and
 * GET /events. POST /controls makes it fail, answer slowly or have an event delivered twice.
 *
 * Only on 127.0.0.1, and only for requests that name it by that address or as localhost: a web page
 * elsewhere can neither read the links nor push the buttons.
 *
 * Threads: start and stop from one thread; `on_mail` is called on a thread of the inbox, one call at
 * a time.
 */
#pragma once

#include "inbox_event.h"

struct inbox_mail {
    struct str to;
    struct str type;
    struct str link; /* empty: none */
};

struct inbox_options {
    struct webhook_secrets secrets;
    unsigned port; /* the first one to try; the next free one is taken */
    void (*on_mail)(void *context, const struct inbox_mail *mail); /* once a mail */
    void *context;
};

struct inbox;

/* ERR_CONFIG with one sentence in `why` (static or for ever) when it cannot listen. */
NODISCARD enum error inbox_start(const struct inbox_options *options, struct inbox **out,
                                 const char **why);
unsigned inbox_port(const struct inbox *self);
void inbox_stop(struct inbox *self);
