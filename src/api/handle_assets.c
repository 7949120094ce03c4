/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are part of the binary: the documentation and the built-in pages. */
#include <string.h>

#include "embedded_docs.h"
#include "embedded_pages.h"
#include "handlers.h"

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define JSON "application/json"

struct asset {
    const char *path;
    const char *file;
    const char *type;
    bool is_gzip;
};

static const struct asset assets[] = {
    {"/openapi.json", "openapi.json", JSON, false},
    {"/docs", "docs.html", HTML, false},
    {"/docs/init.js", "init.js", SCRIPT, false},
    {"/docs/swagger-ui.css", "swagger-ui.css.gz", CSS, true},
    {"/docs/swagger-ui-bundle.js", "swagger-ui-bundle.js.gz", SCRIPT, true},
    {"/verify", "verify.html", HTML, false},
    {"/reset", "reset.html", HTML, false},
    {"/email-change", "email-change.html", HTML, false},
    {"/email-undo", "email-undo.html", HTML, false},
    {"/pages/pages.css", "pages.css", CSS, false},
    {"/pages/pages.js", "pages.js", SCRIPT, false},
};

/* Nothing from elsewhere, nothing inline, no frames. Swagger UI draws its icons from data: URLs and
 * sets style attributes. */
static const struct str docs_policy = STR(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:;"
    " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
static const struct str pages_policy = STR(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'");

static bool find_file(const char *name, struct str *out)
{
    for (size_t i = 0; i < sizeof(embedded_docs) / sizeof(embedded_docs[0]); i++) {
        if (strcmp(embedded_docs[i].name, name) == 0) {
            *out = (struct str){(const char *)embedded_docs[i].bytes, embedded_docs[i].size};
            return true;
        }
    }
    for (size_t i = 0; i < sizeof(embedded_pages) / sizeof(embedded_pages[0]); i++) {
        if (strcmp(embedded_pages[i].name, name) == 0) {
            *out = (struct str){(const char *)embedded_pages[i].bytes, embedded_pages[i].size};
            return true;
        }
    }
    return false;
}

static void reply(struct request *request, const struct asset *asset, struct str bytes)
{
    bool is_docs = request->route->needs == ROUTE_DOCS;

    request_reply(request, 200, str_from(asset->type), bytes);
    http_response_header(&request->response, "Content-Security-Policy",
                         is_docs ? docs_policy : pages_policy);
    http_response_header(&request->response, "Referrer-Policy", STR("no-referrer"));
    if (asset->is_gzip) {
        http_response_header(&request->response, "Content-Encoding", STR("gzip"));
    }
}

enum error handle_assets(struct request *request)
{
    struct str path = http_request_path(request->x);
    struct str bytes;

    for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++) {
        if (str_equal(str_from(assets[i].path), path) && find_file(assets[i].file, &bytes)) {
            reply(request, &assets[i], bytes);
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}
