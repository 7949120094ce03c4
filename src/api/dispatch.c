/* SPDX-License-Identifier: Apache-2.0 */
#include "dispatch.h"

#include "answer.h"
#include "clock.h"
#include "cors.h"
#include "form_in.h"
#include "problem.h"
#include "validity.h"

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

static bool is_media_type(struct str content_type, struct str wanted)
{
    return str_equal_nocase(str_trim(str_cut(&content_type, ';')), wanted);
}

static enum error decode_json(struct request *request, const struct route_body *body,
                              struct str text)
{
    return json_in_decode(request->arena, text, body->fields, body->count, request->body,
                          &request->findings);
}

/* RFC 6749 appendix B; parameters that nobody knows are ignored (section 3.2). */
static enum error decode_form(struct request *request, const struct route_body *body,
                              struct str text)
{
    return form_in_decode(request->arena, text, body->fields, body->count, request->body);
}

static enum error decode(struct request *request)
{
    const struct route_body *body = request->route->body;
    struct str text = http_request_body(request->x);

    if (body == NULL) {
        return OK;
    }
    request->body = arena_alloc(request->arena, body->struct_bytes + 1);
    if (request->body == NULL) {
        return ERR_NO_SPACE;
    }
    if (body->is_optional && text.len == 0) {
        return OK;
    }
    struct str type = http_request_header(request->x, "Content-Type");
    if (body->is_form) {
        return is_media_type(type, STR("application/x-www-form-urlencoded"))
                   ? decode_form(request, body, text)
                   : ERR_UNSUPPORTED_MEDIA_TYPE;
    }
    return is_media_type(type, STR("application/json")) ? decode_json(request, body, text)
                                                        : ERR_UNSUPPORTED_MEDIA_TYPE;
}

static enum error prepare(struct request *request)
{
    if (request->route->auth == ROUTE_BEARER) {
        TRY(request_authenticate(request));
    }
    if (request->route->auth == ROUTE_ADMIN) {
        TRY(request_authenticate_admin(request));
    }
    if (request->route->auth == ROUTE_READER) {
        TRY(request_authenticate_reader(request));
    }
    if (request->route->auth == ROUTE_TOKEN) {
        TRY(request_authenticate_anyone(request));
    }
    return decode(request);
}

static bool is_deferred(const struct request *request)
{
    return request->route->lane == API_INLINE;
}

/* From here on the request may be another thread's. */
static enum error queue(struct request *request, enum api_lane lane)
{
    request->lane = lane;
    if (!atomic_load(&request->api->options.health->migrated)) {
        return ERR_UNAVAILABLE;
    }
    request->job.deadline_ms =
        request->complete_ms +
        (is_deferred(request) ? DISPATCH_DEFERRED_QUEUE_MS : DISPATCH_QUEUE_MS);
    http_suspend(request->x);
    return lane_submit(request->api->lanes[lane], &request->job);
}

/* ERR_DEFER: a lane has the request, or has answered it already. */
static enum error begin(struct request *request, const struct route *route)
{
    enum api_lane lane = route->lane;

    TRY(prepare(request));
    if (lane == API_INLINE) {
        enum error error = route->handler(request);

        if (error != ERR_DEFER) {
            return error;
        }
        request->response = (struct http_response){0};
        lane = API_DB;
    }
    TRY(queue(request, lane));
    return ERR_DEFER;
}

static enum error handle(struct request *request)
{
    TRY(pg_ready(request->work.pg));
    if (request->route->auth == ROUTE_ADMIN || request->route->auth == ROUTE_READER) {
        TRY(validity_ask(request->work.pg, &request->claims));
    }
    return request->route->handler(request);
}

void dispatch_begin(struct api *api, const struct route_table *table, struct http_exchange *x)
{
    struct request *request = http_request_user(x);
    struct route_match match;
    enum error error;

    answer_begin();
    request->api = api;
    request->x = x;
    request->arena = http_request_arena(x);
    request->complete_ms = clock_mono_ms();
    request->id = codec_uuid_in(request->arena, crypto_uuid4());
    request->trace_id = trace_id_of(x);
    match = routes_find(table, api, request->arena, http_request_method(x), http_request_path(x));
    request->route = match.route;
    request->parameter = match.parameter;
    if (match.route == NULL && cors_preflight(request, match.allow)) {
        answer_finish(request, OK, STR_EMPTY);
        return;
    }
    if (match.route == NULL) {
        answer_finish(request, match.allow.len > 0 ? ERR_METHOD_NOT_ALLOWED : ERR_NOT_FOUND,
                      match.allow);
        return;
    }
    error = begin(request, match.route);
    if (error != ERR_DEFER) {
        answer_finish(request, error, STR_EMPTY);
    }
}

void dispatch_run(struct request *request, struct work *work)
{
    struct api *api = request->api;
    enum error error;

    request->work = *work;
    request->work.arena = request->arena;
    pg_deadline(work->pg, request->complete_ms +
                              (is_deferred(request) ? DISPATCH_DEFERRED_MS : DISPATCH_DEADLINE_MS));
    error = handle(request);
    health_database_answered(api->options.health, pg_answered_ms(work->pg));
    if (error == ERR_UNAVAILABLE || error == ERR_INTERNAL || error == ERR_NO_SPACE) {
        request->database_message = pg_message(work->pg);
    }
    if (request->work.has_events) {
        api->options.events_committed(api->options.context);
    }
    answer_finish(request, error, STR_EMPTY);
}

void dispatch_drop(struct request *request)
{
    answer_finish(request, ERR_OVERLOADED, STR_EMPTY);
}
