/* SPDX-License-Identifier: Apache-2.0 */
#include "http_server_internal.h"

#include <assert.h>

static const char *const names[HTTP_METHOD_COUNT] = {
    [HTTP_GET] = "GET",         [HTTP_HEAD] = "HEAD",    [HTTP_POST] = "POST",
    [HTTP_PUT] = "PUT",         [HTTP_PATCH] = "PATCH",  [HTTP_DELETE] = "DELETE",
    [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "_OTHER", /* as OpenTelemetry calls it */
};

const char *http_method_name(enum http_method method)
{
    assert(method < HTTP_METHOD_COUNT);
    return names[method];
}

enum http_method http_method_of(struct str token)
{
    for (enum http_method method = HTTP_GET; method < HTTP_OTHER; method++) {
        if (str_equal(token, str_from(names[method]))) {
            return method;
        }
    }
    return HTTP_OTHER;
}
