/* SPDX-License-Identifier: Apache-2.0 */
#include "handlers.h"
#include "json_out.h"
#include "metrics.h"

/* The operations listener's arenas are larger than this (API_OPS_ARENA_BYTES). */
enum { METRICS_BYTES_MAX = 512 * 1024 };

static bool a_worker_is_stuck(const struct api *api)
{
    for (size_t i = API_DB; i < API_LANE_COUNT; i++) {
        if (lane_stuck_ms(api->lanes[i]) > HEALTH_STUCK_MS) {
            return true;
        }
    }
    return false;
}

static enum error reply_status(struct request *request, int status, const char *text)
{
    struct buf out = buf_in(request->arena, 256);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "status", str_from(text));
    json_object_end(&json);
    if (status == 503) {
        http_response_header(&request->response, "Retry-After", STR("1"));
    }
    return request_reply_json(request, status, &out);
}

enum error handle_health_livez(struct request *request)
{
    bool stuck = a_worker_is_stuck(request->api);

    return reply_status(request, stuck ? 503 : 200, stuck ? "worker_stuck" : "alive");
}

enum error handle_health_readyz(struct request *request)
{
    bool ready;
    const char *reason = health_readiness(request->api->options.health, &ready);

    return reply_status(request, ready ? 200 : 503, reason);
}

enum error handle_health_metrics(struct request *request)
{
    struct buf out = buf_in(request->arena, METRICS_BYTES_MAX);
    struct str body;

    metrics_render(&out);
    TRY(buf_finish(&out, &body));
    request_reply(request, 200, STR("text/plain; version=0.0.4; charset=utf-8"), body);
    return OK;
}
