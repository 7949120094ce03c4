/* SPDX-License-Identifier: Apache-2.0 */
#include "answer.h"

#include "clock.h"
#include "cors.h"
#include "metrics.h"
#include "oauth_error.h"
#include "problem.h"

enum { PROBLEM_BYTES_MIN = 512 };

enum { METRIC_REQUESTS, METRIC_ACTIVE };

/* Few, since there is a series for each route and status. */
static const double buckets_s[] = {0.005, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 0};

static struct metric metrics[] = {
    [METRIC_REQUESTS] = {.name = "http_server_request_duration_seconds",
                         .type = METRIC_HISTOGRAM,
                         .help = "Time from the complete request to its answer.",
                         .labels = {"http_request_method", "http_route",
                                    "http_response_status_code"},
                         .buckets = buckets_s},
    [METRIC_ACTIVE] = {.name = "http_server_active_requests",
                       .type = METRIC_GAUGE,
                       .help = "Requests that are being worked on."},
};

void answer_register_metrics(void)
{
    metrics_register(metrics, sizeof(metrics) / sizeof(metrics[0]));
}

void answer_begin(void)
{
    metric_add(&metrics[METRIC_ACTIVE], 1.0, NULL, NULL, NULL);
}

static bool has_flag(const struct request *request, enum route_flag flag)
{
    return request->route != NULL && (request->route->flags & flag) != 0;
}

static const struct problem *problem_for(const struct request *request, enum error error)
{
    return has_flag(request, ROUTE_OAUTH) ? oauth_error_of(error) : problem_of(error);
}

/* RFC 6750 section 3.1. */
static struct str insufficient_scope(const struct request *request)
{
    if (request->wanted_scope.len == 0) {
        return STR("Bearer realm=\"user-service\", error=\"insufficient_scope\"");
    }
    return arena_printf(
        request->arena,
        "Bearer realm=\"user-service\", error=\"insufficient_scope\", scope=\"%.*s\"",
        STR_ARG(request->wanted_scope));
}

static void write_challenge(struct request *request, enum error error)
{
    bool presented = http_request_header(request->x, "Authorization").ptr != NULL;
    struct str challenge = STR("Bearer realm=\"user-service\"");

    /* RFC 6750 section 3.1: no error code when no credentials were sent. */
    if (error == ERR_UNAUTHENTICATED && presented) {
        challenge = STR("Bearer realm=\"user-service\", error=\"invalid_token\"");
    }
    if (error == ERR_INVALID_CLIENT) {
        challenge = STR("Basic realm=\"user-service\"");
    }
    if (error == ERR_INSUFFICIENT_SCOPE) {
        challenge = insufficient_scope(request);
    }
    http_response_header(&request->response, "WWW-Authenticate", challenge);
}

static void write_document(struct request *request, const struct problem *problem)
{
    const struct problem_more more = {
        .findings = &request->findings,
        .mfa_token = problem->error == ERR_MFA_REQUIRED ? request->work.mfa_token : STR_EMPTY,
    };
    struct buf out = buf_in(request->arena, PROBLEM_BYTES_MAX);

    problem_write(&out, problem, request->id, &more);
    if (out.overflowed) { /* the request has filled its arena: the least that is a problem document */
        out = buf_in(request->arena, PROBLEM_BYTES_MIN);
        problem_write(&out, problem, request->id, &(struct problem_more){0});
    }
    request_reply(request, problem->status, STR("application/problem+json"),
                  out.overflowed ? STR_EMPTY : buf_str(&out));
}

static void write_oauth_error(struct request *request, const struct problem *problem)
{
    struct buf out = buf_in(request->arena, PROBLEM_BYTES_MIN);

    oauth_error_write(&out, problem);
    request_reply(request, problem->status, STR("application/json"),
                  out.overflowed ? STR_EMPTY : buf_str(&out));
}

static void write_problem(struct request *request, enum error error, struct str allow)
{
    const struct problem *problem = problem_for(request, error);

    request->response = (struct http_response){.status = problem->status};
    if (has_flag(request, ROUTE_OAUTH)) {
        write_oauth_error(request, problem);
    } else {
        write_document(request, problem);
    }
    if (problem->status == 401 || error == ERR_INSUFFICIENT_SCOPE) {
        write_challenge(request, error);
    }
    if (problem->status == 405) {
        http_response_header(&request->response, "Allow", allow);
    }
    if (problem->status == 429) {
        http_response_header(
            &request->response, "Retry-After",
            arena_printf(request->arena, "%lld", (long long)request->work.retry_after_s));
    }
    if (problem->status == 503) {
        unsigned seconds = request->lane == API_INLINE
                               ? 1
                               : lane_retry_after_s(request->api->lanes[request->lane]);
        http_response_header(&request->response, "Retry-After",
                             arena_printf(request->arena, "%u", seconds));
    }
}

static enum log_level level_of(const struct request *request, enum error error)
{
    if (error != OK) {
        return problem_for(request, error)->level;
    }
    return request->response.status < 400 && has_flag(request, ROUTE_QUIET) ? LOG_DEBUG : LOG_INFO;
}

static void log_request(const struct request *request, enum error error, int64_t duration_ms)
{
    enum log_level level = level_of(request, error);
    const char *route = request->route == NULL ? "none" : request->route->path;
    struct log_field fields[] = {
        LOG_TEXT("request_id", request->id),
        LOG_CSTR("http.method", http_method_name(http_request_method(request->x))),
        LOG_CSTR("http.route", route),
        LOG_NUMBER("http.status_code", request->response.status),
        LOG_NUMBER("duration_ms", duration_ms),
        LOG_TEXT("network.client.ip", request->client),
        {0},
        {0},
        {0},
        {0},
        {0},
    };
    size_t count = 6;

    if (request->trace_id.len > 0) {
        fields[count++] = (struct log_field)LOG_TEXT("trace_id", request->trace_id);
    }
    if (request->claims.sub.len > 0) {
        fields[count++] = (struct log_field)LOG_TEXT("usr.id", request->claims.sub);
    }
    if (error != OK) {
        fields[count++] = (struct log_field)LOG_CSTR("error.kind", error_code(error));
    }
    if (request->database_message != NULL && request->database_message[0] != '\0') {
        fields[count++] = (struct log_field)LOG_CSTR("error.message", request->database_message);
    }
    log_write(level, "request", fields);
}

void answer_finish(struct request *request, enum error error, struct str allow)
{
    int64_t duration_ms = clock_mono_ms() - request->complete_ms;
    const char *route = request->route == NULL ? "none" : request->route->path;

    if (error != OK) {
        write_problem(request, error, allow);
    }
    cors_mark(request);
    http_response_header(&request->response, "X-Request-Id", request->id);
    http_response_header(&request->response, "X-Content-Type-Options", STR("nosniff"));
    if (request->response.status >= 400 || !has_flag(request, ROUTE_CACHEABLE)) {
        http_response_header(&request->response, "Cache-Control", STR("no-store"));
    }
    metric_observe(&metrics[METRIC_REQUESTS], (double)duration_ms / 1000.0,
                   http_method_name(http_request_method(request->x)), route,
                   problem_status_label(request->response.status));
    metric_add(&metrics[METRIC_ACTIVE], -1.0, NULL, NULL, NULL);
    log_request(request, error, duration_ms);
    http_respond(request->x, &request->response);
}
