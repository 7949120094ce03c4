/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is refused before the handler sees a request, on top of the library's own strictness. Two
 * readers of one message (a proxy and this server) must never see two different requests in it.
 */
#include "http_server_internal.h"

#include <string.h>

#define BAD(reason_, detail_)                                                                      \
    {                                                                                              \
        .status = 400, .reason = (reason_), .title = "Bad Request", .code = "malformed_request",   \
        .detail = (detail_)                                                                        \
    }

const struct http_refusal http_head_busy = {
    .status = 503,
    .reason = "exchanges",
    .title = "Service Unavailable",
    .code = "overloaded",
    .detail = "Too many requests are being served; try again later.",
};
const struct http_refusal http_head_bodies = {
    .status = 503,
    .reason = "bodies",
    .title = "Service Unavailable",
    .code = "overloaded",
    .detail = "Too many requests are still sending their body; try again later.",
};
const struct http_refusal http_head_body_size = {
    .status = 413,
    .reason = "body_size",
    .title = "Content Too Large",
    .code = "body_too_large",
    .detail = "The body is larger than this server accepts.",
};

const struct http_refusal http_head_size = {
    .status = 431,
    .reason = "head_size",
    .title = "Request Header Fields Too Large",
    .code = "malformed_request",
    .detail = "The head of the request is larger than this server accepts.",
};

static const struct http_refusal refused_target_size = {
    .status = 414,
    .reason = "target_size",
    .title = "URI Too Long",
    .code = "malformed_request",
    .detail = "The request target is too long.",
};
static const struct http_refusal refused_method =
    BAD("method", "The method is not a token (RFC 9110 section 9.1).");
static const struct http_refusal refused_host =
    BAD("host", "Exactly one Host field with a valid value is required (RFC 9112 section 3.2).");
static const struct http_refusal refused_length =
    BAD("length", "One Content-Length or one Transfer-Encoding is allowed (RFC 9112 section 6.3).");
static const struct http_refusal refused_authorization =
    BAD("authorization", "At most one Authorization field is allowed (RFC 9110 section 5.3).");
static const struct http_refusal refused_field =
    BAD("field", "A field has a byte that is not allowed (RFC 9110 section 5.5).");
static const struct http_refusal refused_target = BAD(
    "target", "The request target has a form or byte that is not allowed (RFC 9112 section 3.2).");
static const struct http_refusal refused_path =
    BAD("path", "The path is not in its normal form (RFC 3986 section 6.2.2).");

static bool is_alpha(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9110 section 5.6.2. */
static bool is_token(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (!is_alpha(c) && !is_digit(c) && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) {
            return false;
        }
    }
    return s.len > 0;
}

/* RFC 9110 section 5.5: visible bytes, obs-text, and blanks between them. */
static bool is_field_value(struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f) {
            return false;
        }
    }
    return true;
}

static int hex_value(char c)
{
    if (is_digit((unsigned char)c)) {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return -1;
}

/* RFC 3986 sections 3.2.2 and 3.2.3: host and optional port, without userinfo. Of the bytes that a
 * registered name may have only those are taken that names in use have: a comma may be two joined
 * Host fields. An http URI with an empty host must be rejected (RFC 9110 section 4.2.1). */
static bool is_authority(struct str s)
{
    size_t i = 0;

    if (s.len > 0 && s.ptr[0] == '[') {
        for (i = 1; i < s.len && s.ptr[i] != ']'; i++) {
            if (hex_value(s.ptr[i]) < 0 && s.ptr[i] != ':' && s.ptr[i] != '.') {
                return false;
            }
        }
        if (i == 1 || i == s.len) {
            return false;
        }
        i++;
    }
    for (; i < s.len && s.ptr[i] != ':' && s.ptr[0] != '['; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '.' && c != '_') {
            return false;
        }
    }
    if (i == 0 || (i < s.len && s.ptr[i] != ':')) {
        return false;
    }
    for (i++; i < s.len; i++) {
        if (!is_digit((unsigned char)s.ptr[i])) {
            return false;
        }
    }
    return true;
}

void http_head_field(struct http_head *self, struct str name, struct str value)
{
    self->fields++;
    if (self->refused == NULL && (!is_token(name) || !is_field_value(value))) {
        self->refused = &refused_field;
    }
    if (str_equal_nocase(name, STR("Host"))) {
        self->hosts++;
        self->host = value;
    }
    if (str_equal_nocase(name, STR("Content-Length"))) {
        self->lengths++;
        self->content_length = value;
    }
    self->encodings += str_equal_nocase(name, STR("Transfer-Encoding")) ? 1 : 0;
    self->authorizations += str_equal_nocase(name, STR("Authorization")) ? 1 : 0;
}

uint64_t http_head_body_bytes(const struct http_head *self)
{
    struct str digits = self->content_length;
    uint64_t bytes = 0;

    if (self->encodings > 0) {
        return UINT64_MAX;
    }
    while (digits.len > 1 && digits.ptr[0] == '0') { /* 1*DIGIT: leading zeros are valid */
        digits = str_sub(digits, 1, digits.len);
    }
    if (self->lengths > 0 && str_to_u64(digits, &bytes) != OK) {
        return UINT64_MAX - 1; /* the library has seen to it that these are digits */
    }
    return bytes;
}

static const struct http_refusal *judge_fields(const struct http_head *self, size_t body_bytes_max)
{
    size_t records = (size_t)self->fields + self->parameters;

    if (self->bytes + records * HTTP_FIELD_RECORD_BYTES >
        HTTP_POOL_BYTES - HTTP_ANSWER_HEAD_BYTES_MAX) {
        return &http_head_size;
    }
    if (self->refused != NULL) {
        return self->refused;
    }
    if (self->hosts > 1 || (self->hosts == 1 && !is_authority(self->host))) {
        return &refused_host;
    }
    if (self->lengths + self->encodings > 1) {
        return &refused_length;
    }
    if (self->authorizations > 1) {
        return &refused_authorization;
    }
    /* How long a chunked one is shows only as it comes; where there may be none that is too late. */
    if (http_head_body_bytes(self) > body_bytes_max &&
        (self->encodings == 0 || body_bytes_max == 0)) {
        return &http_head_body_size;
    }
    return NULL;
}

/* An octet whose %-encoding a normaliser would undo, or that changes what a path means to some
 * proxy once it is undone: unreserved characters, "/", "\", ";", controls. */
static bool must_not_be_encoded(int octet)
{
    return octet < 0x20 || octet == 0x7f || is_alpha((unsigned char)octet) ||
           is_digit((unsigned char)octet) || strchr("-._~/\\;", octet) != NULL;
}

static bool is_dots(struct str segment)
{
    return str_equal(segment, STR(".")) || str_equal(segment, STR(".."));
}

/* RFC 3986 section 6.2.2: a path that case, percent-encoding and path segment normalisation leave
 * as it is; and no "\" or ";", which some servers normalise too. */
static bool is_normal_path(struct str path)
{
    struct str rest = str_sub(path, 1, path.len);

    for (size_t i = 0; i < path.len; i++) {
        if (path.ptr[i] == '\\' || path.ptr[i] == ';') {
            return false;
        }
        if (path.ptr[i] != '%') {
            continue;
        }
        if (path.len - i < 3 || hex_value(path.ptr[i + 1]) < 0 || hex_value(path.ptr[i + 2]) < 0 ||
            must_not_be_encoded(hex_value(path.ptr[i + 1]) * 16 + hex_value(path.ptr[i + 2]))) {
            return false;
        }
    }
    while (rest.len > 0) {
        struct str segment = str_cut(&rest, '/');

        if (segment.len == 0 || is_dots(segment)) {
            return false;
        }
    }
    return true;
}

/* RFC 9112 section 3.2.2: a server must accept the absolute-form. Its authority is checked and
 * dropped, as Host is: nothing is taken from either. */
static bool strip_authority(struct str *target)
{
    struct str rest = *target;
    size_t at = 0;

    if (str_equal_nocase(str_sub(rest, 0, 7), STR("http://"))) {
        rest = str_sub(rest, 7, rest.len);
    } else if (str_equal_nocase(str_sub(rest, 0, 8), STR("https://"))) {
        rest = str_sub(rest, 8, rest.len);
    } else {
        return false;
    }
    while (at < rest.len && rest.ptr[at] != '/' && rest.ptr[at] != '?') {
        at++;
    }
    if (!is_authority(str_sub(rest, 0, at))) {
        return false;
    }
    *target = str_sub(rest, at, rest.len);
    return true;
}

/* RFC 9112 section 3.2: origin-form, absolute-form, and the asterisk-form of OPTIONS. */
static const struct http_refusal *judge_target(struct http_head *self, struct str target,
                                               const char *raw_path_prefix)
{
    struct str rest = target;

    if (target.len >= HTTP_TARGET_BYTES_MAX) {
        return &refused_target_size;
    }
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];

        if (c <= 0x20 || c >= 0x7f || c == '#') {
            return &refused_target;
        }
    }
    if (self->method == HTTP_OPTIONS && str_equal(target, STR("*"))) {
        self->path = target;
        self->query = STR_EMPTY;
        return NULL;
    }
    if (!str_starts(rest, STR("/")) && !strip_authority(&rest)) {
        return &refused_target;
    }
    self->path = str_cut(&rest, '?');
    self->query = rest;
    if (self->path.len == 0) {
        self->path = STR("/");
    }
    if (raw_path_prefix != NULL && str_starts(self->path, str_from(raw_path_prefix))) {
        return NULL;
    }
    return is_normal_path(self->path) ? NULL : &refused_path;
}

const struct http_refusal *http_head_judge(struct http_head *self, struct str method,
                                           struct str target,
                                           const struct http_server_options *options)
{
    const struct http_refusal *refusal = is_token(method) ? NULL : &refused_method;

    self->method = http_method_of(method);
    if (refusal == NULL) {
        refusal = judge_fields(self, options->body_bytes_max);
    }
    if (refusal == NULL) {
        refusal = judge_target(self, target, options->raw_path_prefix);
    }
    return refusal;
}
