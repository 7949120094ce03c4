/* SPDX-License-Identifier: Apache-2.0 */
#include "listeners.h"

#include <time.h>

#include "clock.h"
#include "cpu_quota.h"
#include "log.h"

enum {
    FINISH_MS = 10000, /* what is under way may take its deadline */
    CONNECTIONS_MAX = 4096,
    EXCHANGES_MAX = 512,
    OPS_CONNECTIONS_MAX = 64,
    OPS_EXCHANGES_MAX = 4,
    KEEP_ALIVE_S = 75, /* longer than the 60 s of an ALB */
};

static enum error open_one(const struct listeners_options *self, const char *variable,
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
        *why = arena_terminated(self->arena, arena_printf(self->arena, "%s: %s", variable, *why));
        return ERR_CONFIG;
    }
    return OK;
}

static enum error open_ops(const struct listeners_options *self, struct http_server **out,
                           const char **why)
{
    struct http_server_options options = {
        .name = "ops",
        .listen = arena_terminated(self->arena, self->config->ops_listen),
        .io_threads = 1,
        .connections_max = OPS_CONNECTIONS_MAX,
        .exchanges_max = OPS_EXCHANGES_MAX,
        .arena_bytes = API_OPS_ARENA_BYTES,
        .body_bytes_max = 0, /* who sends one slowly must not keep probes out */
        .handle = api_handle_ops,
    };
    return open_one(self, "US_OPS_LISTEN", &options, out, why);
}

static enum error open_api(const struct listeners_options *self, struct http_server **out,
                           const char **why)
{
    const struct config *config = self->config;
    struct http_server_options options = {
        .name = "api",
        .listen = arena_terminated(self->arena, config->http_listen),
        .io_threads = config->io_threads != 0 ? (unsigned)config->io_threads
                                              : cpu_quota_io_threads(self->cpus),
        .connections_max = CONNECTIONS_MAX,
        .exchanges_max = EXCHANGES_MAX,
        .arena_bytes = API_ARENA_BYTES,
        .body_bytes_max = API_BODY_BYTES_MAX,
        .raw_path_prefix = "/v1/auth/verify/",
        .handle = api_handle,
    };
    return open_one(self, "US_HTTP_LISTEN", &options, out, why);
}

enum error listeners_open(struct listeners *self, const struct listeners_options *options,
                          const char **why)
{
    TRY(open_ops(options, &self->ops, why));
    TRY(open_api(options, &self->api, why));
    log_info("listening", LOG_TEXT("api", options->config->http_listen),
             LOG_TEXT("ops", options->config->ops_listen),
             LOG_NUMBER("api_port", http_server_port(self->api)),
             LOG_NUMBER("ops_port", http_server_port(self->ops)));
    return OK;
}

void listeners_wait_idle(const struct listeners *self)
{
    const struct timespec pause = {.tv_nsec = 5000000L};
    int64_t deadline_ms = clock_mono_ms() + FINISH_MS;

    while (http_server_active(self->api) > 0 && clock_mono_ms() < deadline_ms) {
        (void)nanosleep(&pause, NULL);
    }
}

void listeners_close(struct listeners *self)
{
    if (self->api != NULL) {
        http_server_stop(self->api);
    }
    if (self->ops != NULL) {
        http_server_stop(self->ops);
    }
}
