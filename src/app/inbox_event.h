/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the inbox understands of a delivery: the signature (Standard Webhooks 1.0.0: HMAC-SHA-256 over
 * id, timestamp and body, within five minutes of now) and the members of the event that it shows.
 *
 * Ownership: results are in the arena given. Threads: pure functions.
 */
#pragma once

#include "webhook.h"

enum { INBOX_EVENT_TOLERANCE_S = 300 };

struct inbox_headers {
    struct str id;
    struct str timestamp;
    struct str signature;
};

/* "valid", or what is wrong in two words: a static string. */
const char *inbox_event_signature(struct arena *arena, const struct webhook_secrets *secrets,
                                  const struct inbox_headers *headers, struct str body);

struct inbox_event {
    struct str id;
    struct str type;
    struct str subject;
    bool is_mail;
    struct str to;   /* empty: none */
    struct str link; /* empty: none */
};

/* ERR_INVALID for what is not a CloudEvent. */
NODISCARD enum error inbox_event_parse(struct arena *arena, struct str body,
                                       struct inbox_event *out);
