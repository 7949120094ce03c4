/* SPDX-License-Identifier: Apache-2.0 */
#include "relay.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "circuit.h"
#include "clock.h"
#include "log.h"
#include "relay_metrics.h"
#include "retry.h"
#include "slots.h"

enum {
    LEASE_MS = 15000, /* a relay that dies costs an event this much delay */
    PARK_AFTER_MS = 300000,
    TIMEOUT_MS = 10000,
    IDLE_MIN_MS = 200,
    IDLE_MAX_MS = 2000,
    BACKLOG_EVERY_MS = 5000,
    STOP_MS = 5000,
    STUCK_RETRY_MS = 5000, /* an event that cannot be made into a call, or a client that is full */
    ROWS_BYTES = 262144,
    SCRATCH_BYTES = 65536
};

static_assert((int)OUTBOX_CLAIM_MAX <= (int)HTTP_CLIENT_PARALLEL_MAX, "a call for each row");

/* Handed over by whoever has read new ones. */
struct relay_handover {
    pthread_mutex_t lock;
    struct webhook_secrets secrets;
    atomic_bool is_new;
};

struct relay {
    struct store_link store;
    struct outgoing_options outgoing_options;
    struct webhook_secrets secrets; /* of the thread */
    struct relay_handover handover;
    int64_t lease_ms;
    int64_t park_after_ms;
    struct http_client *http;
    struct circuit circuit;
    int64_t accepted_ms; /* clock_mono_ms of the last 2xx */
    pthread_t thread;
    atomic_bool stopping;
    int64_t idle_ms;
    int64_t measured_ms;
    struct arena rows;
    struct arena scratch;
    struct slots slots;
    unsigned char rows_memory[ROWS_BYTES];
    unsigned char scratch_memory[SCRATCH_BYTES];
};

static uint64_t random_u64(void)
{
    uint64_t value;

    crypto_random(&value, sizeof(value));
    return value;
}

static void log_failure(const struct outgoing *slot, const struct retry_verdict *verdict)
{
    log_write(slot->failure.is_dead ? LOG_ERROR : LOG_WARN,
              slot->failure.is_dead ? "event given up" : "event not delivered",
              LOG_FIELDS(LOG_CSTR("event_id", slot->id), LOG_CSTR("event_type", slot->type),
                         LOG_CSTR("reason", verdict->reason), LOG_CSTR("detail", slot->reason),
                         LOG_NUMBER("attempt", slot->attempts + 1),
                         LOG_NUMBER("retry_in_ms", slot->failure.retry_in_ms),
                         LOG_BOOL("parked", slot->failure.is_parked)));
}

static void endpoint_faulted(struct relay *self, const struct outgoing *slot)
{
    if (!circuit_is_open(&self->circuit)) {
        log_warn("notification endpoint is at fault: events are held",
                 LOG_CSTR("detail", slot->reason));
    }
    circuit_faulted(&self->circuit, clock_mono_ms(), random_u64());
    relay_metrics_circuit(true);
}

static void endpoint_answered(struct relay *self)
{
    if (circuit_is_open(&self->circuit)) {
        log_info("notification endpoint answers again");
    }
    circuit_answered(&self->circuit);
    relay_metrics_circuit(false);
}

static void delivery_failed(struct relay *self, struct outgoing *slot,
                            const struct retry_verdict *verdict)
{
    const struct retry_state state = {
        .is_ordered = slot->is_ordered,
        .attempts = slot->attempts,
        .rejections = slot->rejections,
        .failing_ms = slot->failing_ms,
        .park_after_ms = self->park_after_ms,
        .retry_after_s = slot->call.retry_after_s,
        .others_accepted = !circuit_is_open(&self->circuit) && self->accepted_ms > slot->faulted_ms,
    };
    struct outbox_failure failure = retry_plan(verdict->fate, &state, random_u64());

    outgoing_note_answer(slot);
    relay_metrics_failed(verdict->reason);
    if (!failure.counts) {
        endpoint_faulted(self, slot);
        /* Behind those that come meanwhile: when the circuit lets one try, it is another's turn. */
        failure.retry_in_ms = circuit_wait_ms(&self->circuit, clock_mono_ms()) + 1;
        slots_fail(slot, failure);
        return;
    }
    endpoint_answered(self);
    slots_fail(slot, failure);
    log_failure(slot, verdict);
}

static void call_ended(struct relay *self, struct http_call *call)
{
    const struct retry_verdict verdict = retry_judge(call);
    struct outgoing *slot = call->context;

    relay_metrics_call(call->duration_ms);
    if (verdict.fate != RETRY_DELIVERED) {
        delivery_failed(self, slot, &verdict);
        return;
    }
    endpoint_answered(self);
    self->accepted_ms = clock_mono_ms();
    slot->state = OUTGOING_DONE;
    relay_metrics_delivered(slot->type);
    log_debug("event delivered", LOG_CSTR("event_id", slot->id), LOG_CSTR("event_type", slot->type),
              LOG_NUMBER("duration_ms", call->duration_ms));
}

/* What cannot be sent at all: too large for ever, or in need of a key that is not here (yet). */
static void slot_unsendable(struct outgoing *slot, enum error error)
{
    const struct retry_verdict verdict = {RETRY_LATER, "unsendable"};

    (void)snprintf(slot->reason, sizeof(slot->reason), "cannot be made: %s", error_code(error));
    slots_fail(slot, (struct outbox_failure){
                         .counts = true,
                         .is_dead = error == ERR_NO_SPACE,
                         .retry_in_ms = STUCK_RETRY_MS,
                     });
    relay_metrics_failed(verdict.reason);
    log_failure(slot, &verdict);
}

static void send_row(struct relay *self, struct outgoing *slot, const struct outbox_claimed *row)
{
    enum error error;

    arena_reset(&self->scratch);
    error = outgoing_prepare(slot, &self->outgoing_options, &self->scratch, row, clock_wall_s());
    if (row->is_expired) {
        slot->state = OUTGOING_DONE;
        relay_metrics_failed("expired");
        return;
    }
    if (error != OK) {
        slot_unsendable(slot, error);
        return;
    }
    if (http_client_post(self->http, &slot->call) != OK) {
        slots_fail(slot, (struct outbox_failure){.retry_in_ms = STUCK_RETRY_MS});
        return;
    }
    slot->state = OUTGOING_SENT;
    circuit_started(&self->circuit);
}

static void adopt_secrets(struct relay *self)
{
    if (!atomic_exchange(&self->handover.is_new, false)) {
        return;
    }
    pthread_mutex_lock(&self->handover.lock);
    self->secrets = self->handover.secrets;
    pthread_mutex_unlock(&self->handover.lock);
}

/* True when there may be more to send at once. */
static bool claim_and_send(struct relay *self)
{
    const unsigned wanted =
        circuit_allows(&self->circuit, clock_mono_ms(), slots_in(&self->slots, OUTGOING_FREE));
    struct outbox_batch batch = {.count = 0};
    int64_t lease_until_ms;

    if (wanted == 0 || !store_link_did(&self->store, pg_ready(store_link_pg(&self->store)))) {
        return false;
    }
    lease_until_ms = clock_mono_ms() + self->lease_ms;
    if (!store_link_did(&self->store, outbox_store_claim(store_link_pg(&self->store), &self->rows,
                                                         self->lease_ms, wanted, &batch))) {
        return false;
    }
    adopt_secrets(self); /* those in force now: what was claimed may be newer than the last round */
    for (size_t i = 0; i < batch.count; i++) {
        struct outgoing *slot = slots_free(&self->slots);

        assert(slot != NULL); /* no more was claimed than is free */
        slot->lease_until_ms = lease_until_ms;
        slot->faulted_ms = batch.rows[i].faulted_ago_ms < 0
                               ? INT64_MAX
                               : clock_mono_ms() - batch.rows[i].faulted_ago_ms;
        send_row(self, slot, &batch.rows[i]);
    }
    arena_reset(&self->rows);
    self->idle_ms = batch.count > 0 ? IDLE_MIN_MS : self->idle_ms * 2;
    self->idle_ms = self->idle_ms > IDLE_MAX_MS ? IDLE_MAX_MS : self->idle_ms;
    return batch.count == wanted;
}

static void measure(struct relay *self)
{
    struct outbox_backlog backlog;

    if (clock_mono_ms() < self->measured_ms + BACKLOG_EVERY_MS || self->store.away) {
        return;
    }
    self->measured_ms = clock_mono_ms();
    if (!store_link_did(&self->store,
                        outbox_store_backlog(store_link_pg(&self->store), &backlog))) {
        return;
    }
    relay_metrics_backlog(&backlog);
}

static int64_t pause_ms(const struct relay *self, bool more)
{
    const bool ready =
        slots_in(&self->slots, OUTGOING_DONE) + slots_in(&self->slots, OUTGOING_FAILED) > 0;
    const int64_t circuit_ms = circuit_wait_ms(&self->circuit, clock_mono_ms());

    if (self->store.away) {
        return self->idle_ms;
    }
    if (ready || (more && slots_in(&self->slots, OUTGOING_FREE) > 0)) {
        return 0;
    }
    return circuit_ms > 0 && circuit_ms < self->idle_ms ? circuit_ms : self->idle_ms;
}

static void wait_for_calls(struct relay *self, int64_t timeout_ms)
{
    struct http_call *call = http_client_wait(self->http, timeout_ms);

    while (call != NULL) {
        call_ended(self, call);
        call = http_client_wait(self->http, 0);
    }
}

static void wind_up(struct relay *self)
{
    const int64_t until_ms = clock_mono_ms() + STOP_MS;

    while (http_client_running(self->http) > 0 && clock_mono_ms() < until_ms) {
        wait_for_calls(self, until_ms - clock_mono_ms());
    }
    http_client_free(self->http); /* ends the calls that are left */
    for (size_t i = 0; i < OUTBOX_CLAIM_MAX; i++) {
        if (self->slots.items[i].state == OUTGOING_SENT) {
            slots_fail(&self->slots.items[i], (struct outbox_failure){0});
        }
    }
    slots_record(&self->slots, &self->store);
}

void relay_take_secrets(struct relay *self, const struct webhook_secrets *secrets)
{
    pthread_mutex_lock(&self->handover.lock);
    self->handover.secrets = *secrets;
    pthread_mutex_unlock(&self->handover.lock);
    atomic_store(&self->handover.is_new, true);
    relay_wake(self);
}

static void *relay_main(void *context)
{
    struct relay *self = context;

    while (!atomic_load(&self->stopping)) {
        slots_record(&self->slots, &self->store);
        const bool more = claim_and_send(self);
        measure(self);
        wait_for_calls(self, pause_ms(self, more));
    }
    wind_up(self);
    return NULL;
}

static int64_t or_default(int64_t value, int64_t fallback)
{
    return value > 0 ? value : fallback;
}

struct relay *relay_start(const struct relay_options *options)
{
    struct relay *self = calloc(1, sizeof(*self));

    if (self == NULL) {
        abort();
    }
    pthread_mutex_init(&self->handover.lock, NULL);
    self->secrets = *options->secrets;
    store_link_open(&self->store, options->pg, "relay");
    self->http = http_client_new();
    self->lease_ms = or_default(options->lease_ms, LEASE_MS);
    self->park_after_ms = or_default(options->park_after_ms, PARK_AFTER_MS);
    self->accepted_ms = INT64_MIN;
    self->idle_ms = IDLE_MIN_MS;
    self->measured_ms = clock_mono_ms() - BACKLOG_EVERY_MS;
    self->outgoing_options = (struct outgoing_options){
        .url = options->url,
        .issuer = options->issuer,
        .keyring = options->keyring,
        .secrets = &self->secrets,
        .timeout_ms = or_default(options->timeout_ms, TIMEOUT_MS),
    };
    assert(self->lease_ms > self->outgoing_options.timeout_ms);
    memcpy(self->outgoing_options.links, options->links, sizeof(options->links));
    arena_init(&self->rows, self->rows_memory, sizeof(self->rows_memory));
    arena_init(&self->scratch, self->scratch_memory, sizeof(self->scratch_memory));
    if (pthread_create(&self->thread, NULL, relay_main, self) != 0) {
        abort();
    }
    (void)pthread_setname_np(self->thread, "relay");
    return self;
}

void relay_wake(struct relay *self)
{
    http_client_wake(self->http);
}

void relay_stop(struct relay *self)
{
    if (self == NULL) {
        return;
    }
    atomic_store(&self->stopping, true);
    relay_wake(self);
    pthread_join(self->thread, NULL);
    store_link_close(&self->store);
    pthread_mutex_destroy(&self->handover.lock);
    webhook_secrets_wipe(&self->handover.secrets);
    webhook_secrets_wipe(&self->secrets);
    free(self);
}
