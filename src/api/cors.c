/* SPDX-License-Identifier: Apache-2.0 */
#include "cors.h"

/* ptr NULL when the request has no origin, or not one of ours. */
static struct str known_origin(const struct request *request)
{
    const struct cors *cors = request->api->options.cors;
    struct str origin = http_request_header(request->x, "Origin");

    for (size_t i = 0; origin.ptr != NULL && i < cors->count; i++) {
        if (str_equal(cors->origins[i], origin)) {
            return cors->origins[i];
        }
    }
    return (struct str){0};
}

void cors_mark(struct request *request)
{
    struct str origin = known_origin(request);

    if (request->api->options.cors->count > 0) { /* others must not be given this one's answer */
        http_response_header(&request->response, "Vary", STR("Origin"));
    }
    if (origin.ptr != NULL) {
        http_response_header(&request->response, "Access-Control-Allow-Origin", origin);
        http_response_header(&request->response, "Access-Control-Expose-Headers",
                             STR("X-Request-Id, Retry-After, WWW-Authenticate"));
    }
}

bool cors_preflight(struct request *request, struct str methods)
{
    if (http_request_method(request->x) != HTTP_OPTIONS || methods.len == 0 ||
        known_origin(request).ptr == NULL ||
        http_request_header(request->x, "Access-Control-Request-Method").ptr == NULL) {
        return false;
    }
    request_reply_empty(request, 204);
    http_response_header(&request->response, "Access-Control-Allow-Methods", methods);
    http_response_header(&request->response, "Access-Control-Allow-Headers",
                         STR("Authorization, Content-Type, Idempotency-Key"));
    http_response_header(&request->response, "Access-Control-Max-Age", STR("600"));
    return true;
}
