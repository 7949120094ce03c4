/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"

/* A user agent is the client's text: what is kept of it is bounded, and UTF-8. */
enum { USER_AGENT_BYTES_MAX = 256 };

void request_reply(struct request *self, int status, struct str content_type, struct str body)
{
    self->response.status = status;
    self->response.body = body;
    http_response_header(&self->response, "Content-Type", content_type);
}

enum error request_reply_json(struct request *self, int status, const struct buf *body)
{
    struct str written;

    TRY(buf_finish(body, &written));
    if (arena_overflowed(self->arena)) {
        return ERR_NO_SPACE;
    }
    request_reply(self, status, STR("application/json"), written);
    return OK;
}

void request_reply_empty(struct request *self, int status)
{
    self->response.status = status;
    self->response.body = STR_EMPTY;
}

/* RFC 9110 section 13.1.2: a list of tags or "*"; weak comparison, so a W/ before a tag is no matter. */
static bool has_etag(struct str if_none_match, struct str etag)
{
    while (if_none_match.len > 0) {
        struct str tag = str_trim(str_cut(&if_none_match, ','));

        if (str_starts(tag, STR("W/"))) {
            tag = str_sub(tag, 2, tag.len);
        }
        if (str_equal(tag, etag) || str_equal(tag, STR("*"))) {
            return true;
        }
    }
    return false;
}

void request_reply_document(struct request *self, const struct request_document *document)
{
    if (has_etag(http_request_header(self->x, "If-None-Match"), document->etag)) {
        request_reply_empty(self, 304);
    } else {
        request_reply(self, 200, STR("application/json"), document->body);
    }
    http_response_header(&self->response, "Cache-Control", document->cache_control);
    http_response_header(&self->response, "ETag", document->etag);
}

static enum error bearer(const struct request *self, struct str *out)
{
    struct str token = http_request_header(self->x, "Authorization");
    struct str scheme = str_cut(&token, ' ');

    token = str_trim(token);
    if (!str_equal_nocase(scheme, STR("Bearer")) || token.len == 0) {
        return ERR_UNAUTHENTICATED;
    }
    *out = token;
    return OK;
}

enum error request_authenticate(struct request *self)
{
    struct str token;

    TRY(bearer(self, &token));
    TRY(token_check(self->api->options.tokens, self->arena, token, &self->claims));
    return clients_is_disabled(self->api->options.clients, self->claims.client_id)
               ? ERR_UNAUTHENTICATED
               : OK;
}

enum error request_authenticate_anyone(struct request *self)
{
    struct str token;

    TRY(bearer(self, &token));
    return token_verify(self->api->options.tokens, self->arena, token, &self->claims);
}

enum error request_authenticate_admin(struct request *self)
{
    TRY(request_authenticate_anyone(self));
    return token_require_admin(self->api->options.tokens, &self->claims);
}

enum error request_authenticate_reader(struct request *self)
{
    TRY(request_authenticate_anyone(self));
    return token_require_reader(self->api->options.tokens, &self->claims);
}

struct account_origin request_origin(const struct request *self, struct str client_id)
{
    struct str agent = str_sub(http_request_header(self->x, "User-Agent"), 0, USER_AGENT_BYTES_MAX);

    return (struct account_origin){
        .client_id = client_id,
        .ip = self->client,
        .user_agent = str_is_utf8(agent) ? agent : STR_EMPTY,
        .request_id = self->id,
    };
}

struct user_session request_session(const struct request *self)
{
    return (struct user_session){
        .session_id = self->claims.sid,
        .auth_ver = self->claims.auth_ver,
    };
}

enum error request_invalid(struct request *self, struct str pointer, const char *code,
                           const char *detail)
{
    json_findings_add(&self->findings, pointer, code, str_from(detail));
    return ERR_VALIDATION;
}

enum error request_email(struct request *self, struct str text, struct str pointer,
                         struct email *out)
{
    const char *why = "";
    enum error error = email_parse(self->arena, text, out, &why);

    return error == ERR_INVALID ? request_invalid(self, pointer, "invalid_format", why) : error;
}
