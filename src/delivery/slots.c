/* SPDX-License-Identifier: Apache-2.0 */
#include "slots.h"

#include "clock.h"

struct outgoing *slots_free(struct slots *self)
{
    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        if (self->items[i].state == OUTGOING_FREE) {
            return &self->items[i];
        }
    }
    return NULL;
}

unsigned slots_in(const struct slots *self, enum outgoing_state state)
{
    unsigned count = 0;

    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        count += self->items[i].state == state ? 1 : 0;
    }
    return count;
}

void slots_fail(struct outgoing *slot, struct outbox_failure failure)
{
    slot->failure = failure;
    slot->failure.lease = slot->lease;
    slot->failure.reason = str_from(slot->reason);
    slot->state = OUTGOING_FAILED;
}

static void drop_expired(struct slots *self)
{
    const int64_t now_ms = clock_mono_ms();

    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        struct outgoing *slot = &self->items[i];

        if ((slot->state == OUTGOING_DONE || slot->state == OUTGOING_FAILED) &&
            now_ms >= slot->lease_until_ms) {
            outgoing_clear(slot);
        }
    }
}

static void record_done(struct slots *self, struct store_link *store)
{
    struct outbox_lease leases[OUTBOX_CLAIM_MAX];
    size_t count = 0;

    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        if (self->items[i].state == OUTGOING_DONE) {
            leases[count++] = self->items[i].lease;
        }
    }
    if (count == 0 ||
        !store_link_did(store, outbox_store_delete(store_link_pg(store), leases, count))) {
        return;
    }
    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        if (self->items[i].state == OUTGOING_DONE) {
            outgoing_clear(&self->items[i]);
        }
    }
}

static void record_failed(struct slots *self, struct store_link *store)
{
    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        struct outgoing *slot = &self->items[i];

        if (slot->state != OUTGOING_FAILED) {
            continue;
        }
        if (!store_link_did(store, outbox_store_fail(store_link_pg(store), &slot->failure))) {
            return;
        }
        outgoing_clear(slot);
    }
}

void slots_record(struct slots *self, struct store_link *store)
{
    drop_expired(self);
    record_done(self, store);
    record_failed(self, store);
}
