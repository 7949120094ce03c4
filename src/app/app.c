/* SPDX-License-Identifier: Apache-2.0 */
#include "app.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "api.h"
#include "clock.h"
#include "cors.h"
#include "feed.h"
#include "http_client.h"
#include "janitor.h"
#include "links.h"
#include "mailroom.h"
#include "migration.h"
#include "password_policy.h"
#include "process.h"
#include "process_metrics.h"
#include "relay.h"
#include "relay_metrics.h"
#include "rotation.h"
#include "token_cache.h"

enum {
    START_ARENA_BYTES = 64 * 1024,
    TRUST_ARENA_BYTES = 512 * 1024,
    DRAIN_MS = 1000,   /* balancers that still have us on their list are served */
    FINISH_MS = 10000, /* what is under way may take its deadline */
    CONNECT_TIMEOUT_MS = 3000,
    REGISTRATION_TTL_S = 86400,
    CLOCKS_APART_S = 300, /* and what else may keep a token alive for longer than it should be */
    CONNECTIONS_MAX = 4096,
    EXCHANGES_MAX = 512,
    OPS_EXCHANGES_MAX = 4,
    KEEP_ALIVE_S = 75, /* longer than the 60 s of an ALB */
};

struct app {
    const struct config *config;
    struct arena arena; /* of the start */
    struct trust trust;
    struct pg_options database;
    struct signers *signers;
    struct rotation *rotation;
    struct tokens tokens;
    struct clients *clients;
    struct revocations *revocations;
    struct validity validity;
    struct passwords passwords;
    struct session_policy sessions;
    struct accounts accounts;
    struct cors cors;
    struct health health;
    struct cpu_quota quota;
    struct cpu_pace *pace;
    struct relay *relay;
    struct mailroom *mailroom;
    struct janitor *janitor;
    struct feed *feed;
    struct api *api;
    struct http_server *api_server;
    struct http_server *ops_server;
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

static struct password_hash_cost hash_cost(const struct config *config)
{
    return (struct password_hash_cost){
        .memory_kib = (uint32_t)config->argon2_memory_kib,
        .passes = (uint32_t)config->argon2_passes,
    };
}

/* The secrets' text is read into memory of its own, and wiped with it as soon as it was parsed. */
static enum error load_trust(struct app *self, const char **why)
{
    void *memory = malloc(TRUST_ARENA_BYTES);
    struct arena arena;
    enum error error;

    if (memory == NULL) {
        *why = "out of memory";
        return ERR_CONFIG;
    }
    arena_init(&arena, memory, TRUST_ARENA_BYTES);
    error = trust_load(self->config, &arena, &self->trust, why);
    if (error != OK) {
        *why = arena_terminated(&self->arena, str_from(*why));
    }
    arena_reset(&arena);
    free(memory);
    return error;
}

/* What everybody would put into a password of this service. */
static void name_service(struct app *self)
{
    static const struct str always[] = {{"mallhive", 8}, {"user-service", 12}, {"userservice", 11}};
    const struct config *config = self->config;

    for (size_t i = 0; i < sizeof(always) / sizeof(always[0]); i++) {
        password_policy_word(&self->passwords, &self->arena, always[i]);
    }
    for (size_t i = 0; i < config->audience.count; i++) {
        password_policy_word(&self->passwords, &self->arena, config->audience.items[i]);
    }
    password_policy_url(&self->passwords, &self->arena, config->public_url);
}

static void fill_auth(struct app *self)
{
    const struct config *config = self->config;
    const struct rotation_options rotation = {
        .config = config,
        .database = &self->database,
        .signers = signers_new(),
    };

    self->signers = rotation.signers;
    self->rotation = rotation_new(&rotation, &self->trust);
    self->tokens = (struct tokens){
        .issuer = config->public_url,
        .audience_count = config->audience.count,
        .typ = config->token_typ,
        .ttl_s = config->access_token_ttl_s,
        .signers = self->signers,
        .cache = token_cache_new(TOKEN_CACHE_SLOTS),
    };
    for (size_t i = 0; i < config->audience.count; i++) {
        self->tokens.audiences[i] = config->audience.items[i];
    }
    self->clients = clients_new();
    self->revocations = revocation_new(config->revocation_stale_max_s * 1000);
    revocation_register_metrics(self->revocations);
    self->validity = (struct validity){self->revocations, self->clients};
    self->passwords = (struct passwords){
        .keyring = self->trust.keyring,
        .codepoints_min = (unsigned)config->password_min_length,
        .peppered = config->password_pepper,
    };
    password_init(&self->passwords, hash_cost(config));
    name_service(self);
    self->sessions = (struct session_policy){
        .keyring = self->trust.keyring,
        .tokens = &self->tokens,
        .published = config->events,
        .idle_ttl_s = config->refresh_idle_ttl_s,
        .absolute_ttl_s = config->refresh_absolute_ttl_s,
        .grace_s = config->refresh_grace_s,
        .revocations = self->revocations,
        .revocation_ttl_s = config->access_token_ttl_s + CLOCKS_APART_S,
    };
    self->accounts = (struct accounts){
        .keyring = self->trust.keyring,
        .passwords = &self->passwords,
        .sessions = &self->sessions,
        .published = config->events,
        .verification_required = config->verification_required,
        .registration_ttl_s = REGISTRATION_TTL_S,
    };
}

static void start_delivery(struct app *self)
{
    struct relay_options relay = {
        .pg = &self->database,
        .url = arena_terminated(&self->arena, self->config->notification_url),
        .issuer = arena_terminated(&self->arena, self->config->public_url),
        .keyring = self->trust.keyring,
        .secrets = &self->trust.webhook,
    };

    links_fill(self->config, &self->arena, relay.links);
    self->relay = relay_start(&relay);
    struct mailroom_options mailroom = {
        .pg = &self->database,
        .keyring = self->trust.keyring,
        .relay = self->relay,
    };
    self->mailroom = mailroom_start(&mailroom);
    self->janitor = janitor_start(&self->database, self->config->audit_retention_s);
    rotation_start(self->rotation, self->relay);
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

    rotation_keys_changed(self->rotation);
}

static void start_feed(struct app *self)
{
    struct feed_options feed = {
        .pg = &self->database,
        .revocations = self->revocations,
        .clients = self->clients,
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
        .accounts = &self->accounts,
        .tokens = &self->tokens,
        .validity = &self->validity,
        .clients = self->clients,
        .database = &self->database,
        .password_cost = hash_cost(config),
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

static enum error start_server(struct app *self, const char *variable,
                               struct http_server_options *options, struct http_server **out,
                               const char **why)
{
    options->context = self->api;
    options->user_bytes = api_user_bytes();
    options->header_ms = 5000;
    options->body_ms = 15000;
    options->response_ms = 30000;
    options->keep_alive_s = KEEP_ALIVE_S;
    if (http_server_start(options, out, why) != OK) {
        *why = arena_terminated(&self->arena, arena_printf(&self->arena, "%s: %s", variable, *why));
        return ERR_CONFIG;
    }
    return OK;
}

static enum error start_servers(struct app *self, const char **why)
{
    const struct config *config = self->config;
    struct http_server_options ops = {
        .name = "ops",
        .listen = arena_terminated(&self->arena, config->ops_listen),
        .io_threads = 1,
        .connections_max = 64,
        .exchanges_max = OPS_EXCHANGES_MAX,
        .arena_bytes = API_OPS_ARENA_BYTES,
        .body_bytes_max = 0, /* who sends one slowly must not keep probes out */
        .handle = api_handle_ops,
    };
    struct http_server_options api = {
        .name = "api",
        .listen = arena_terminated(&self->arena, config->http_listen),
        .io_threads = config->io_threads != 0 ? (unsigned)config->io_threads
                                              : cpu_quota_io_threads(self->quota.cpus),
        .connections_max = CONNECTIONS_MAX,
        .exchanges_max = EXCHANGES_MAX,
        .arena_bytes = API_ARENA_BYTES,
        .body_bytes_max = API_BODY_BYTES_MAX,
        .raw_path_prefix = "/v1/auth/verify/",
        .handle = api_handle,
    };

    TRY(start_server(self, "US_OPS_LISTEN", &ops, &self->ops_server, why));
    return start_server(self, "US_HTTP_LISTEN", &api, &self->api_server, why);
}

static void wait_until_idle(const struct app *self)
{
    const struct timespec pause = {.tv_nsec = 5000000L};
    int64_t deadline_ms = clock_mono_ms() + FINISH_MS;

    while (http_server_active(self->api_server) > 0 && clock_mono_ms() < deadline_ms) {
        (void)nanosleep(&pause, NULL);
    }
}

/* Readiness off first, so that nobody new is sent here; a second signal shortens the wait. */
static void stop(struct app *self, const sigset_t *waited)
{
    log_info("stopping");
    atomic_store(&self->health.draining, true);
    if (self->api_server != NULL) {
        http_server_drain(self->api_server);
        (void)process_stop_asked(waited, DRAIN_MS);
        wait_until_idle(self);
    }
    api_stop(self->api);
    feed_stop(self->feed);
    rotation_stop(self->rotation);
    if (self->relay != NULL) {
        janitor_stop(self->janitor);
        mailroom_stop(self->mailroom);
        relay_stop(self->relay);
    }
    if (self->api_server != NULL) {
        http_server_stop(self->api_server);
    }
    if (self->ops_server != NULL) {
        http_server_stop(self->ops_server);
    }
    api_free(self->api);
    cpu_pace_free(self->pace);
    token_cache_free(self->tokens.cache);
    clients_free(self->clients);
    revocation_free(self->revocations);
    rotation_free(self->rotation);
    signers_free(self->signers);
    trust_free(&self->trust);
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
    error = start_servers(self, &why);
    if (error == OK) {
        log_info("listening", LOG_TEXT("api", self->config->http_listen),
                 LOG_TEXT("ops", self->config->ops_listen),
                 LOG_NUMBER("api_port", http_server_port(self->api_server)),
                 LOG_NUMBER("ops_port", http_server_port(self->ops_server)));
        error = migration_patiently(&self->database, waited, &why);
    }
    if (error == OK) {
        error = rotation_begin(self->rotation, waited, &why);
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
    if (load_trust(&app, &why) != OK) {
        return process_fail(why);
    }
    fill_auth(&app);
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
