/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inbox's memory: the last INBOX_BOX_DELIVERIES_MAX deliveries, one entry an event id however
 * often it is delivered, in memory taken once.
 *
 * Threads: none of its own; the inbox holds its lock.
 */
#pragma once

#include "buf.h"
#include "inbox_event.h"

enum { INBOX_BOX_DELIVERIES_MAX = 200, INBOX_BOX_EVENT_BYTES_MAX = 8192 };

struct inbox_attempt {
    const char *signature; /* static */
    bool is_taken;         /* this attempt was kept, whatever was answered */
    int status;            /* what was answered */
};

struct inbox_box;

/* For ever; ends the process without memory. */
struct inbox_box *inbox_box_new(void);
/* True when the event was not taken before and is now. Copies what it keeps. */
bool inbox_box_add(struct inbox_box *self, const struct inbox_event *event, struct str body,
                   const struct inbox_attempt *attempt);
/* Rises with each change. */
uint64_t inbox_box_version(const struct inbox_box *self);
/* A JSON array, oldest first, each event as it was delivered with the members
 * {attempts, signature, mail, taken, last_status, first_received_at, last_received_at} added. */
void inbox_box_events(const struct inbox_box *self, struct buf *out);
/* A JSON array, oldest first: {id, to, type, link (null: none), received_at, attempts, signature}. */
void inbox_box_mails(const struct inbox_box *self, struct buf *out);
