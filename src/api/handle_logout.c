/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "handlers.h"
#include "refresh.h"

struct logout_body {
    struct str refresh_token;
    struct str client_id;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct logout_body, refresh_token, 1, 512, JSON_OPTIONAL),
    JSON_TEXT(struct logout_body, client_id, 1, 64, JSON_OPTIONAL),
};

const struct route_body handle_logout_body = {
    .fields = fields,
    .count = sizeof(fields) / sizeof(fields[0]),
    .struct_bytes = sizeof(struct logout_body),
    .is_optional = true,
};

/* By the refresh token if there is one, else by the access token. */
enum error handle_logout(struct request *request)
{
    const struct session_policy *sessions = request->api->options.accounts->sessions;
    const struct logout_body *body = request->body;

    if (body->refresh_token.ptr != NULL) {
        struct refresh_request in =
            handle_refresh_request(request, body->refresh_token, body->client_id);
        TRY(refresh_revoke(sessions, &request->work, &in));
    } else {
        TRY(request_authenticate(request));
        TRY(session_logout(sessions, &request->work, &request->claims));
    }
    request_reply_empty(request, 204);
    return OK;
}
