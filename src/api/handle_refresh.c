/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "handlers.h"
#include "refresh.h"

struct refresh_body {
    struct str refresh_token;
    struct str client_id;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct refresh_body, refresh_token, 1, 512, JSON_REQUIRED),
    JSON_TEXT(struct refresh_body, client_id, 1, 64, JSON_OPTIONAL),
};

const struct route_body handle_refresh_body = {
    .fields = fields,
    .count = sizeof(fields) / sizeof(fields[0]),
    .struct_bytes = sizeof(struct refresh_body),
};

struct refresh_request handle_refresh_request(const struct request *request,
                                              struct str refresh_token, struct str client_id)
{
    struct str key = http_request_header(request->x, "Idempotency-Key");

    return (struct refresh_request){
        .token = refresh_token,
        .client_id = client_id.ptr == NULL ? SESSION_FIRST_PARTY : client_id,
        .idempotency_key = key.ptr == NULL ? STR_EMPTY : key,
    };
}

enum error handle_refresh(struct request *request)
{
    const struct refresh_body *body = request->body;
    struct refresh_request in =
        handle_refresh_request(request, body->refresh_token, body->client_id);
    struct session_grant grant = {0};

    TRY(refresh_rotate(request->api->options.accounts->sessions, &request->work, &in, &grant));
    return handle_login_reply(request, &grant);
}
