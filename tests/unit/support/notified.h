/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests of the relay and the mailroom share: keys, secrets, a database and a receiver that plays
 * the Notification Service. Floor delivery.
 */
#pragma once

#include "support/database.h"
#include "support/receiver.h"

#include "http_client.h"
#include "json_in.h"
#include "keyring.h"
#include "relay.h"
#include "relay_metrics.h"

static struct keyring *test_keyring;
static struct webhook_secrets test_secrets;

static inline void notified_start(void)
{
    static unsigned char memory[65536];
    struct arena arena;
    const char *why = "";

    database_start();
    json_in_start();
    http_client_start();
    relay_metrics_register();
    arena_init(&arena, memory, sizeof(memory));
    if (keyring_load(&arena,
                     STR("{\"current\":\"k1\",\"keys\":"
                         "{\"k1\":\"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\"}}"),
                     &test_keyring, &why) != OK ||
        webhook_secrets_parse(&arena,
                              STR("{\"secrets\":[\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\","
                                  "\"whsec_AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB\"]}"),
                              &test_secrets, &why) != OK) {
        fail_msg("%s", why);
    }
}

static inline void notified_stop(void)
{
    keyring_free(test_keyring);
    database_stop();
}

static inline struct relay_options notified_options(const char *url)
{
    return (struct relay_options){
        .pg = &test_options,
        .url = url,
        .issuer = "https://auth.example.com",
        .keyring = test_keyring,
        .secrets = &test_secrets,
        .links = {[ONETIME_REGISTRATION] = "https://app.example.com/verify#token={token}&x=1",
                  [ONETIME_VERIFICATION] = "https://app.example.com/verify#token={token}",
                  [ONETIME_RESET] = "https://app.example.com/reset#token={token}"},
    };
}

static inline struct relay *notified_relay(const char *url)
{
    const struct relay_options options = notified_options(url);

    return relay_start(&options);
}

static inline bool notified_ok(struct receiver *self, int fd, const struct received *request)
{
    (void)self;
    (void)request;
    return receiver_status(fd, 200);
}

/* An attempt waits for its back-off: not in a test. */
static inline void notified_hurry(void)
{
    database_do("UPDATE outbox SET due_at = now()"
                " WHERE attempts > 0 AND due_at > now() AND leased_at IS NULL");
}

/* Until the outbox holds so many events; those that wait are hurried along. */
static inline void notified_await_left(int64_t left)
{
    const int64_t until_ms = clock_mono_ms() + 20000;

    while (database_number("SELECT count(*) FROM outbox") != left) {
        if (clock_mono_ms() > until_ms) {
            fail_msg("the outbox still holds %lld events",
                     (long long)database_number("SELECT count(*) FROM outbox"));
        }
        notified_hurry();
        (void)poll(NULL, 0, 5);
    }
}
