/* SPDX-License-Identifier: Apache-2.0 */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>

#include "api.h"
#include "authority.h"
#include "clock.h"
#include "cors.h"
#include "feed.h"
#include "http_client.h"
#include "janitor.h"
#include "links.h"
#include "listeners.h"
#include "mailroom.h"
#include "migration.h"
#include "process.h"
#include "process_metrics.h"
#include "relay.h"
#include "relay_metrics.h"

enum {
    START_ARENA_BYTES = 64 * 1024,
    DRAIN_MS = 1000, /* balancers that still have us on their list are served */
    CONNECT_TIMEOUT_MS = 3000,
};

struct app {
    const struct config *config;
    struct arena arena; /* of the start */
    struct pg_options database;
    struct authority authority;
    struct cors cors;
    struct health health;
    struct cpu_quota quota;
    struct cpu_pace *pace;
    struct relay *relay;
    struct mailroom *mailroom;
    struct janitor *janitor;
    struct feed *feed;
    struct api *api;
    struct listeners listeners;
};

static struct app app;

static bool start_arena(struct app *self)
{
    void *memory = malloc(START_ARENA_BYTES);

    if (memory != NULL) {
        arena_init(&self->arena, memory, START_ARENA_BYTES);
    }
    return memory != NULL;
}

static void end_arena(struct app *self)
{
    arena_reset(&self->arena);
    free(self->arena.memory);
}

static void fill_database(struct app *self)
{
    self->database = (struct pg_options){
        .url = arena_terminated(&self->arena, self->config->database_url),
        .application_name = "user-service",
        .tables = schema_statements,
        .table_count = schema_statements_count,
        .connect_timeout_ms = CONNECT_TIMEOUT_MS,
    };
}

static void start_delivery(struct app *self)
{
    struct relay_options relay = {
        .pg = &self->database,
        .url = arena_terminated(&self->arena, self->config->notification_url),
        .issuer = arena_terminated(&self->arena, self->config->public_url),
        .keyring = self->authority.trust.keyring,
        .secrets = &self->authority.trust.webhook,
    };

    links_fill(self->config, &self->arena, relay.links);
    self->relay = relay_start(&relay);
    struct mailroom_options mailroom = {
        .pg = &self->database,
        .keyring = self->authority.trust.keyring,
        .relay = self->relay,
    };
    self->mailroom = mailroom_start(&mailroom);
    self->janitor = janitor_start(&self->database, self->config->audit_retention_s);
    rotation_start(self->authority.rotation, self->relay);
}

static void revocations_loaded(void *context)
{
    struct app *self = context;

    atomic_store(&self->health.revocations_read, true);
    log_info("ready");
}

static void keys_changed(void *context)
{
    struct app *self = context;

    rotation_keys_changed(self->authority.rotation);
}

static void start_feed(struct app *self)
{
    struct feed_options feed = {
        .pg = &self->database,
        .revocations = self->authority.revocations,
        .clients = self->authority.clients,
        .keys_changed = keys_changed,
        .loaded = revocations_loaded,
        .context = self,
    };

    self->feed = feed_start(&feed);
}

static void events_committed(void *context)
{
    struct app *self = context;

    relay_wake(self->relay);
    mailroom_wake(self->mailroom);
}

static enum error start_api(struct app *self)
{
    const struct config *config = self->config;

    self->quota = cpu_quota_read("/sys/fs/cgroup", "/proc/self/cgroup");
    unsigned hash_threads = config->hash_threads != 0 ? (unsigned)config->hash_threads
                                                      : cpu_quota_hash_workers(self->quota.cpus);
    self->pace = cpu_pace_new(&self->quota, hash_threads);
    for (size_t i = 0; i < config->cors_origins.count; i++) {
        self->cors.origins[self->cors.count++] = config->cors_origins.items[i];
    }
    struct api_options options = {
        .accounts = &self->authority.accounts,
        .tokens = &self->authority.tokens,
        .validity = &self->authority.validity,
        .clients = self->authority.clients,
        .database = &self->database,
        .password_cost = authority_hash_cost(config),
        .db_threads = (unsigned)config->db_threads,
        .hash_threads = hash_threads,
        .pace = self->pace,
        .cors = &self->cors,
        .document_max_age_s = rotation_document_max_age_s(config),
        .docs_on = config->docs,
        .pages_on = config->pages,
        .health = &self->health,
        .events_committed = events_committed,
        .context = self,
    };
    return api_start(&options, &self->api);
}

static enum error open_listeners(struct app *self, const char **why)
{
    const struct listeners_options options = {
        .config = self->config,
        .arena = &self->arena,
        .api = self->api,
        .cpus = self->quota.cpus,
    };

    return listeners_open(&self->listeners, &options, why);
}

/* Readiness off first, so that nobody new is sent here; a second signal shortens the wait. */
static void stop(struct app *self, const sigset_t *waited)
{
    log_info("stopping");
    atomic_store(&self->health.draining, true);
    if (self->listeners.api != NULL) {
        http_server_drain(self->listeners.api);
        (void)process_stop_asked(waited, DRAIN_MS);
        listeners_wait_idle(&self->listeners);
    }
    api_stop(self->api);
    feed_stop(self->feed);
    rotation_stop(self->authority.rotation);
    if (self->relay != NULL) {
        janitor_stop(self->janitor);
        mailroom_stop(self->mailroom);
        relay_stop(self->relay);
    }
    listeners_close(&self->listeners);
    api_free(self->api);
    cpu_pace_free(self->pace);
    authority_free(&self->authority);
    log_info("stopped");
}

static void register_metrics(void)
{
    api_register_metrics();
    lanes_register_metrics();
    rotation_register_metrics();
    relay_metrics_register();
    feed_register_metrics();
    process_metrics_register();
}

static int serve(struct app *self, const sigset_t *waited)
{
    const char *why = "";
    enum error error;

    if (start_api(self) != OK) {
        return process_fail("no memory for the workers");
    }
    error = open_listeners(self, &why);
    if (error == OK) {
        error = migration_patiently(&self->database, waited, &why);
    }
    if (error == OK) {
        error = rotation_begin(self->authority.rotation, waited, &why);
    }
    if (error == OK) {
        start_delivery(self);
        atomic_store(&self->health.migrated, true);
        health_database_seen(&self->health);
        start_feed(self);
        (void)process_stop_asked(waited, -1);
    }
    stop(self, waited);
    return error == OK || error == ERR_UNAVAILABLE ? EXIT_SUCCESS : process_fail(why);
}

int app_serve(const struct config *config)
{
    const char *why = "";
    sigset_t waited;
    int status;

    app.config = config;
    process_harden();
    process_block_signals(&waited);
    http_client_start();
    register_metrics();
    if (!start_arena(&app)) {
        return process_fail("out of memory");
    }
    fill_database(&app);
    if (authority_load(&app.authority, config, &app.database, &app.arena, &why) != OK) {
        return process_fail(why);
    }
    status = serve(&app, &waited);
    end_arena(&app);
    return status;
}

int app_migrate(const struct config *config)
{
    struct schema_report report = {0};
    const char *why = "";
    enum error error;

    app.config = config;
    if (!start_arena(&app)) {
        return process_fail("out of memory");
    }
    fill_database(&app);
    error = migration_once(&app.database, &report, &why);
    if (error != OK) {
        return process_fail(why);
    }
    (void)printf("schema version %lld, %lld migrations applied\n", (long long)report.version,
                 (long long)report.applied);
    end_arena(&app);
    return EXIT_SUCCESS;
}
