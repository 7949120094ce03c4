/* SPDX-License-Identifier: Apache-2.0 */
#include "app.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "api.h"
#include "clock.h"
#include "http_client.h"
#include "mailroom.h"
#include "metrics.h"
#include "relay.h"
#include "relay_metrics.h"
#include "schema.h"
#include "trust.h"

enum {
    START_ARENA_BYTES = 512 * 1024,
    MIGRATE_TRY_MS = 20000,
    MIGRATE_PAUSE_MS = 250,
    DRAIN_MS = 1000,    /* balancers that still have us on their list are served */
    FINISH_MS = 10000,  /* what is under way may take its deadline */
    CONNECT_TIMEOUT_MS = 3000,
    REGISTRATION_TTL_S = 86400,
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
    struct tokens tokens;
    struct passwords passwords;
    struct session_policy sessions;
    struct accounts accounts;
    struct health health;
    struct cpu_quota quota;
    struct cpu_pace *pace;
    struct relay *relay;
    struct mailroom *mailroom;
    struct api *api;
    struct http_server *api_server;
    struct http_server *ops_server;
};

static struct app app;

static int fail(const char *reason)
{
    (void)fprintf(stderr, "user-service: %s\n", reason);
    return EXIT_FAILURE;
}

/* No core files and no ptrace by others: the memory holds keys and passwords. */
static void harden_process(void)
{
    const struct rlimit none = {0};
    struct rlimit files;

    (void)prctl(PR_SET_DUMPABLE, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) { /* Fargate's soft limit is 1024 */
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

/* Signals are waited for on the main thread; no other thread is interrupted. */
static void block_signals(sigset_t *waited)
{
    sigemptyset(waited);
    sigaddset(waited, SIGTERM);
    sigaddset(waited, SIGINT);
    (void)pthread_sigmask(SIG_BLOCK, waited, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* True when a signal to stop came within the time. */
static bool stop_asked(const sigset_t *waited, int64_t ms)
{
    const struct timespec timeout = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000L};

    return sigtimedwait(waited, NULL, &timeout) > 0;
}

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

static void fill_auth(struct app *self)
{
    const struct config *config = self->config;

    self->tokens = (struct tokens){
        .issuer = config->public_url,
        .audience_count = config->audience.count,
        .typ = STR("at+jwt"),
        .ttl_s = config->access_token_ttl_s,
        .key_count = self->trust.key_count,
    };
    for (size_t i = 0; i < config->audience.count; i++) {
        self->tokens.audiences[i] = config->audience.items[i];
    }
    for (size_t i = 0; i < self->trust.key_count; i++) {
        self->tokens.keys[i] = self->trust.keys[i];
    }
    self->passwords = (struct passwords){
        .keyring = self->trust.keyring,
        .codepoints_min = (unsigned)config->password_min_length,
        .peppered = config->password_pepper,
    };
    passwords_init(&self->passwords, hash_cost(config));
    self->sessions = (struct session_policy){
        .keyring = self->trust.keyring,
        .tokens = &self->tokens,
        .published = config->events,
        .idle_ttl_s = config->refresh_idle_ttl_s,
        .absolute_ttl_s = config->refresh_absolute_ttl_s,
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

/* What the link in a verification mail looks like. */
static const char *verify_link(struct app *self)
{
    struct str link = self->config->link_verify;

    if (link.len == 0) {
        link = arena_printf(&self->arena, "%.*s/verify#token={token}",
                            STR_ARG(self->config->public_url));
        if (!self->config->pages) {
            log_warn("links in mails lead to the built-in pages, which are off",
                     LOG_CSTR("variable", "US_LINK_VERIFY"));
        }
    }
    return arena_terminated(&self->arena, link);
}

static void start_delivery(struct app *self)
{
    const char *link = verify_link(self);
    struct relay_options relay = {
        .pg = &self->database,
        .url = arena_terminated(&self->arena, self->config->notification_url),
        .issuer = arena_terminated(&self->arena, self->config->public_url),
        .keyring = self->trust.keyring,
        .secrets = &self->trust.webhook,
        .links = {[ONETIME_REGISTRATION] = link, [ONETIME_VERIFICATION] = link},
    };

    self->relay = relay_start(&relay);
    struct mailroom_options mailroom = {
        .pg = &self->database,
        .keyring = self->trust.keyring,
        .relay = self->relay,
    };
    self->mailroom = mailroom_start(&mailroom);
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
    struct api_options options = {
        .accounts = &self->accounts,
        .tokens = &self->tokens,
        .database = &self->database,
        .password_cost = hash_cost(config),
        .db_threads = (unsigned)config->db_threads,
        .hash_threads = hash_threads,
        .pace = self->pace,
        .docs_on = config->docs,
        .pages_on = config->pages,
        .health = &self->health,
        .events_committed = events_committed,
        .context = self,
    };
    return api_start(&options, &self->api);
}

static enum error start_server(struct app *self, struct http_server_options *options,
                               struct http_server **out, const char **why)
{
    options->context = self->api;
    options->user_bytes = api_user_bytes();
    options->body_bytes_max = API_BODY_BYTES_MAX;
    options->header_ms = 5000;
    options->body_ms = 15000;
    options->response_ms = 30000;
    options->keep_alive_s = KEEP_ALIVE_S;
    return http_server_start(options, out, why);
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
        .raw_path_prefix = "/v1/auth/verify/",
        .handle = api_handle,
    };

    TRY(start_server(self, &ops, &self->ops_server, why));
    return start_server(self, &api, &self->api_server, why);
}

static enum error migrate_once(struct app *self, struct schema_report *report, const char **why)
{
    struct arena arena;
    void *memory = malloc(SCHEMA_ARENA_BYTES);
    enum error error;

    if (memory == NULL) {
        return ERR_NO_SPACE;
    }
    arena_init(&arena, memory, SCHEMA_ARENA_BYTES);
    error = schema_migrate(&self->database, &arena, clock_mono_ms() + MIGRATE_TRY_MS, report, why);
    if (error == ERR_CONFIG) { /* the sentence outlives this arena */
        *why = arena_terminated(&self->arena, str_from(*why));
    }
    arena_reset(&arena);
    free(memory);
    return error;
}

/* Tries until the database is there. ERR_CONFIG when trying again is of no use; ERR_UNAVAILABLE when a
 * signal came first. */
static enum error migrate_patiently(struct app *self, const sigset_t *waited, const char **why)
{
    struct schema_report report = {0};
    bool told = false;

    for (;;) {
        enum error error = migrate_once(self, &report, why);

        if (error == OK) {
            atomic_store(&self->health.migrated, true);
            health_database_seen(&self->health);
            log_info("schema is up to date", LOG_NUMBER("version", report.version),
                     LOG_NUMBER("applied", report.applied));
            return OK;
        }
        if (error == ERR_CONFIG) {
            return error;
        }
        if (!told) {
            log_warn("waiting for the database", LOG_CSTR("error.kind", error_code(error)));
            told = true;
        }
        if (stop_asked(waited, MIGRATE_PAUSE_MS)) {
            return ERR_UNAVAILABLE;
        }
    }
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
        (void)stop_asked(waited, DRAIN_MS);
        wait_until_idle(self);
    }
    if (self->api != NULL) {
        api_stop(self->api);
    }
    mailroom_stop(self->mailroom);
    relay_stop(self->relay);
    if (self->api_server != NULL) {
        http_server_stop(self->api_server);
    }
    if (self->ops_server != NULL) {
        http_server_stop(self->ops_server);
    }
    if (self->api != NULL) {
        api_free(self->api);
    }
    cpu_pace_free(self->pace);
    trust_free(&self->trust);
    log_info("stopped");
}

static void register_metrics(void)
{
    api_register_metrics();
    lanes_register_metrics();
    relay_metrics_register();
}

/* Once a second: what looks at time by itself. */
static void serve_until_asked(struct app *self, const sigset_t *waited)
{
    while (!stop_asked(waited, 1000)) {
        cpu_pace_tick(self->pace, clock_mono_ns());
    }
}

static int serve(struct app *self, const sigset_t *waited)
{
    const char *why = "";
    enum error error;

    if (start_api(self) != OK) {
        return fail("no memory for the workers");
    }
    start_delivery(self);
    error = start_servers(self, &why);
    if (error == OK) {
        log_info("listening", LOG_TEXT("api", self->config->http_listen),
                 LOG_TEXT("ops", self->config->ops_listen),
                 LOG_NUMBER("api_port", http_server_port(self->api_server)),
                 LOG_NUMBER("ops_port", http_server_port(self->ops_server)));
        error = migrate_patiently(self, waited, &why);
    }
    if (error == OK) {
        log_info("ready");
        serve_until_asked(self, waited);
    }
    stop(self, waited);
    return error == ERR_CONFIG ? fail(why) : EXIT_SUCCESS;
}

int app_serve(const struct config *config)
{
    const char *why = "";
    sigset_t waited;
    int status;

    app.config = config;
    log_start(config->log_level, "user-service", USER_SERVICE_VERSION);
    harden_process();
    block_signals(&waited);
    http_client_start();
    register_metrics();
    if (!start_arena(&app)) {
        return fail("out of memory");
    }
    fill_database(&app);
    if (trust_load(config, &app.arena, &app.trust, &why) != OK) {
        return fail(why);
    }
    fill_auth(&app);
    status = serve(&app, &waited);
    end_arena(&app);
    return status;
}

int app_migrate(const struct config *config)
{
    struct schema_report report = {0};
    const char *why = "the database does not answer: see US_DATABASE_URL";
    enum error error;

    app.config = config;
    if (!start_arena(&app)) {
        return fail("out of memory");
    }
    fill_database(&app);
    error = migrate_once(&app, &report, &why);
    if (error != OK) {
        return fail(why);
    }
    (void)printf("schema version %lld, %lld migrations applied\n", (long long)report.version,
                 (long long)report.applied);
    end_arena(&app);
    return EXIT_SUCCESS;
}
