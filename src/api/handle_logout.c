/* SPDX-License-Identifier: Apache-2.0 */
#include "handlers.h"

const struct route_body handle_logout_body = {NULL, 0, 0, true};

enum error handle_logout(struct request *request)
{
    const struct session_policy *sessions = request->api->options.accounts->sessions;

    TRY(session_logout(sessions, &request->work, &request->claims));
    request_reply_empty(request, 204);
    return OK;
}
