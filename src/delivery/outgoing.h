/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One event on its way: an outbox row made into a signed HTTP call. The mail's one-time token is
 * derived here and lives nowhere else; outgoing_clear wipes it.
 *
 * Ownership: everything that the call points to is in the struct, which must not move while it is
 * under way. Threads: the relay's.
 */
#pragma once

#include "event.h"
#include "http_client.h"
#include "onetime.h"
#include "outbox_store.h"
#include "webhook.h"

enum {
    OUTGOING_BODY_BYTES_MAX = 20480,
    OUTGOING_PREFIX_BYTES_MAX = 64, /* "<id>.<timestamp>." */
    OUTGOING_REASON_BYTES_MAX = 160
};

enum outgoing_state {
    OUTGOING_FREE,
    OUTGOING_SENT,  /* the call runs */
    OUTGOING_DONE,  /* to be deleted from the outbox */
    OUTGOING_FAILED /* `failure` is to be written to the outbox */
};

struct outgoing {
    enum outgoing_state state;
    int64_t lease_until_ms; /* clock_mono_ms; from then on another relay may have it */
    int64_t faulted_ms;     /* clock_mono_ms of its last answer that was the endpoint's fault */
    struct outbox_lease lease;
    char id[UUID_TEXT_BYTES + 1];
    const char *type; /* a metric's label: static */
    bool is_ordered;
    int32_t attempts;
    int32_t rejections;
    int64_t failing_ms;
    struct outbox_failure failure;
    char reason[OUTGOING_REASON_BYTES_MAX];
    struct http_call call;
    char header_id[64];
    char header_timestamp[48];
    char header_signature[32 + WEBHOOK_SIGNATURE_BYTES_MAX];
    size_t content_bytes;
    char content[OUTGOING_PREFIX_BYTES_MAX + OUTGOING_BODY_BYTES_MAX];
};

struct outgoing_options {
    const char *url;
    const char *issuer;
    const struct keyring *keyring;
    const struct webhook_secrets *secrets;
    int64_t timeout_ms;
    const char *links[ONETIME_PURPOSE_COUNT]; /* templates with {token} */
};

/*
 * Makes the call, signed as of `wall_s`; `arena` is for scratch. ERR_NO_SPACE: the event is larger than
 * OUTGOING_BODY_BYTES_MAX; ERR_INVALID: its token's key or purpose is unknown here. Scalars of the row
 * are copied in any case.
 */
NODISCARD enum error outgoing_prepare(struct outgoing *self, const struct outgoing_options *options,
                                      struct arena *arena, const struct outbox_claimed *row,
                                      int64_t wall_s);
/* Puts the call's answer into `reason`, for the row and the log. */
void outgoing_note_answer(struct outgoing *self);
void outgoing_clear(struct outgoing *self);
