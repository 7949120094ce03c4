/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include "clock.h"
#include "handlers.h"
#include "metrics.h"
#include "problem.h"

enum { PROBLEM_BYTES_MIN = 512 };

enum { METRIC_REQUESTS, METRIC_ACTIVE };

static struct metric metrics[] = {
    [METRIC_REQUESTS] = {.name = "http_server_request_duration_seconds",
                         .type = METRIC_HISTOGRAM,
                         .help = "Time from a request's first byte to its answer",
                         .labels = {"http_request_method", "http_route",
                                    "http_response_status_code"}},
    [METRIC_ACTIVE] = {.name = "http_server_active_requests",
                       .type = METRIC_GAUGE,
                       .help = "Requests that are being worked on"},
};

void dispatch_register_metrics(void)
{
    metrics_register(metrics, sizeof(metrics) / sizeof(metrics[0]));
}

/* W3C Trace Context, section 3.2.2: 00-<32 hex>-<16 hex>-<2 hex>; an all-zero trace id is invalid. */
static struct str trace_id_of(const struct http_exchange *x)
{
    struct str header = http_request_header(x, "traceparent");
    struct str id = str_sub(header, 3, 35);
    bool all_zero = true;

    if (header.len < 55 || !str_starts(header, STR("00-")) || header.ptr[35] != '-') {
        return STR_EMPTY;
    }
    for (size_t i = 0; i < id.len; i++) {
        char c = id.ptr[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f')) {
            return STR_EMPTY;
        }
        all_zero = all_zero && c == '0';
    }
    return all_zero ? STR_EMPTY : id;
}

static void write_challenge(struct request *request, enum error error)
{
    bool presented = http_request_header(request->x, "Authorization").ptr != NULL;

    /* RFC 6750 section 3.1: no error code when no credentials were sent. */
    http_response_header(&request->response, "WWW-Authenticate",
                         error == ERR_UNAUTHENTICATED && presented
                             ? STR("Bearer realm=\"user-service\", error=\"invalid_token\"")
                             : STR("Bearer realm=\"user-service\""));
}

static void write_problem(struct request *request, enum error error, struct str allow)
{
    const struct problem *problem = problem_of(error);
    struct buf out = buf_in(request->arena, PROBLEM_BYTES_MAX);

    request->response = (struct http_response){.status = problem->status};
    problem_write(&out, problem, request->id, &request->findings);
    if (out.overflowed) { /* the request has filled its arena: the least that is a problem document */
        out = buf_in(request->arena, PROBLEM_BYTES_MIN);
        problem_write(&out, problem, request->id, &(struct json_findings){0});
    }
    request_reply(request, problem->status, STR("application/problem+json"),
                  out.overflowed ? STR_EMPTY : buf_str(&out));
    if (problem->status == 401) {
        write_challenge(request, error);
    }
    if (problem->status == 405) {
        http_response_header(&request->response, "Allow", allow);
    }
    if (problem->status == 503) {
        enum api_lane lane = request->route == NULL ? API_INLINE : request->route->lane;
        unsigned seconds = lane == API_INLINE ? 1 : lane_retry_after_s(request->api->lanes[lane]);
        http_response_header(&request->response, "Retry-After",
                             arena_printf(request->arena, "%u", seconds));
    }
}

static bool has_flag(const struct request *request, enum route_flag flag)
{
    return request->route != NULL && (request->route->flags & flag) != 0;
}

static enum log_level level_of(const struct request *request, enum error error)
{
    if (error != OK) {
        return problem_of(error)->level;
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
        LOG_TEXT("network.client.ip", http_request_peer(request->x)),
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
    if (request->database_message != NULL) {
        fields[count++] = (struct log_field)LOG_CSTR("error.message", request->database_message);
    }
    log_write(level, "request", fields);
}

/* The one place that answers. After http_respond the request is gone. */
static void finish(struct request *request, enum error error, struct str allow)
{
    int64_t duration_ms = clock_mono_ms() - http_request_started_ms(request->x);
    const char *route = request->route == NULL ? "none" : request->route->path;

    if (error != OK) {
        write_problem(request, error, allow);
    }
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

static bool is_json(struct str content_type)
{
    return str_equal_nocase(str_trim(str_cut(&content_type, ';')), STR("application/json"));
}

static enum error decode(struct request *request)
{
    const struct route_body *body = request->route->body;
    struct str text = http_request_body(request->x);

    if (body == NULL || (body->is_optional && text.len == 0)) {
        return OK;
    }
    if (!is_json(http_request_header(request->x, "Content-Type"))) {
        return ERR_UNSUPPORTED_MEDIA_TYPE;
    }
    request->body = arena_alloc(request->arena, body->struct_bytes + 1);
    if (request->body == NULL) {
        return ERR_NO_SPACE;
    }
    return json_in_decode(request->arena, text, body->fields, body->count, request->body,
                          &request->findings);
}

static enum error prepare(struct request *request)
{
    if (request->route->auth == ROUTE_BEARER) {
        TRY(request_authenticate(request));
    }
    return decode(request);
}

static enum error queue(struct request *request)
{
    int64_t started_ms = http_request_started_ms(request->x);

    if (!atomic_load(&request->api->options.health->migrated)) {
        return ERR_UNAVAILABLE;
    }
    request->job.deadline_ms = started_ms + DISPATCH_QUEUE_MS;
    http_suspend(request->x);
    return lane_submit(request->api->lanes[request->route->lane], &request->job);
}

void dispatch_begin(struct api *api, const struct route_table *table, struct http_exchange *x)
{
    struct request *request = http_request_user(x);
    struct route_match match;
    enum error error;

    metric_add(&metrics[METRIC_ACTIVE], 1.0, NULL, NULL, NULL);
    request->api = api;
    request->x = x;
    request->arena = http_request_arena(x);
    request->id = codec_uuid_in(request->arena, crypto_uuid4());
    request->trace_id = trace_id_of(x);
    match = routes_find(table, api, request->arena, http_request_method(x), http_request_path(x));
    request->route = match.route;
    if (match.route == NULL) {
        finish(request, match.allow.len > 0 ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND, match.allow);
        return;
    }
    error = prepare(request);
    if (error == OK && match.route->lane != API_INLINE) {
        error = queue(request);
        if (error == OK) {
            return; /* the lane has it, or has answered already */
        }
    } else if (error == OK) {
        error = match.route->handler(request);
    }
    finish(request, error, STR_EMPTY);
}

void dispatch_run(struct request *request, struct work *work)
{
    struct api *api = request->api;
    enum error error;

    request->work = *work;
    request->work.arena = request->arena;
    pg_deadline(work->pg, http_request_started_ms(request->x) + DISPATCH_DEADLINE_MS);
    error = pg_ready(work->pg);
    if (error == OK) {
        error = request->route->handler(request);
    }
    if (error == ERR_UNAVAILABLE || (error != OK && problem_of(error)->status == 500)) {
        request->database_message = pg_message(work->pg);
    } else {
        health_database_seen(api->options.health);
    }
    if (request->work.has_events) {
        api->options.events_committed(api->options.context);
    }
    finish(request, error, STR_EMPTY);
}

void dispatch_drop(struct request *request)
{
    finish(request, ERR_OVERLOADED, STR_EMPTY);
}
