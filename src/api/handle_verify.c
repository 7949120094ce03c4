/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Forward authentication: a gateway asks with its caller's headers whether the bearer token counts, and
 * hands the four answered headers on. `-` stands for what a token does not have.
 *
 * A gateway that keeps its caller's path asks below the route, where nothing is a parameter: what
 * stands there is the caller's.
 */
#include <stddef.h>

#include "form_in.h"
#include "handlers.h"

/* The fields of an answer have to fit HTTP_ANSWER_FIELDS_BYTES_MAX, those of all answers included. */
enum { WISH_CODEPOINTS_MAX = 1024, VALUES_BYTES_MAX = 1200, CHALLENGE_SCOPE_BYTES_MAX = 256 };

/* What the gateway asks for beyond a live token; each a list with commas. */
struct wish {
    struct str scope;
    struct str role;
    struct str aud;
};

static const struct json_field wish_fields[] = {
    JSON_TEXT(struct wish, scope, 1, WISH_CODEPOINTS_MAX, JSON_OPTIONAL),
    JSON_TEXT(struct wish, role, 1, WISH_CODEPOINTS_MAX, JSON_OPTIONAL),
    JSON_TEXT(struct wish, aud, 1, WISH_CODEPOINTS_MAX, JSON_OPTIONAL),
};

/* A list without a word: a gateway's variable that was empty. To ask for nothing by it would let every
 * token of the issuer through. */
static bool is_blank(struct str list)
{
    while (list.len > 0) {
        if (str_trim(str_cut(&list, ',')).len > 0) {
            return false;
        }
    }
    return true;
}

static bool is_for_all(const struct token_claims *claims, struct str audiences)
{
    while (audiences.len > 0) {
        struct str one = str_trim(str_cut(&audiences, ','));

        if (one.len > 0 && !token_is_for(claims, one)) {
            return false;
        }
    }
    return true;
}

static bool has_all(struct str words, struct str wanted)
{
    while (wanted.len > 0) {
        struct str one = str_trim(str_cut(&wanted, ','));

        if (one.len > 0 && !token_has_word(words, one)) {
            return false;
        }
    }
    return true;
}

/* RFC 6750 section 3: in a challenge scopes are separated by spaces, and of these bytes alone. */
static struct str challenge_scope(struct arena *arena, struct str wanted)
{
    struct buf out;

    if (wanted.ptr == NULL) {
        return STR_EMPTY;
    }
    out = buf_in(arena, CHALLENGE_SCOPE_BYTES_MAX);
    for (size_t i = 0; i < wanted.len; i++) {
        char c = wanted.ptr[i];

        if (c < '!' || c > '~' || c == '"' || c == '\\') {
            return STR_EMPTY;
        }
        buf_append_byte(&out, (char)(c == ',' ? ' ' : c));
    }
    return out.overflowed ? STR_EMPTY : buf_str(&out);
}

/* Only visible ASCII may come into a header (RFC 9110 section 5.5), and two values must not become one:
 * what is none, and the percent sign itself, is percent-encoded. */
static void append_value(struct buf *out, struct str value, bool is_list)
{
    if (value.len == 0) {
        buf_append_byte(out, '-');
        return;
    }
    if (str_equal(value, STR("-"))) {
        buf_append(out, STR("%2D"));
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];

        if ((c > ' ' && c < 0x7f && c != '%') || (c == ' ' && is_list)) {
            buf_append_byte(out, (char)c);
            continue;
        }
        buf_append_byte(out, '%');
        buf_append_byte(out, "0123456789ABCDEF"[c >> 4]);
        buf_append_byte(out, "0123456789ABCDEF"[c & 15]);
    }
}

static void add_value(struct request *request, struct buf *values, const char *name,
                      struct str value, bool is_list)
{
    size_t begin = values->len;

    append_value(values, value, is_list);
    http_response_header(&request->response, name, str_sub(buf_str(values), begin, values->len));
}

static enum error reply(struct request *request)
{
    const struct token_claims *claims = &request->claims;
    struct buf values = buf_in(request->arena, VALUES_BYTES_MAX);
    struct str sid = claims->is_client ? STR_EMPTY : codec_uuid_in(request->arena, claims->sid);

    request_reply_empty(request, 200);
    add_value(request, &values, "X-Auth-Subject", claims->sub, false);
    add_value(request, &values, "X-Auth-Session", sid, false);
    add_value(request, &values, "X-Auth-Roles", claims->roles, true);
    add_value(request, &values, "X-Auth-Scope", claims->scope, true);
    return values.overflowed || arena_overflowed(request->arena) ? ERR_NO_SPACE : OK;
}

/* Whether it counts comes before what it lacks: of a token that is over nothing more is told. */
static enum error verify(struct request *request, const struct wish *wish)
{
    if (!is_for_all(&request->claims, wish->aud)) {
        return ERR_UNAUTHENTICATED;
    }
    if (request->work.pg == NULL) {
        TRY(validity_judge(request->api->options.validity, &request->claims));
    } else {
        TRY(validity_ask(request->work.pg, &request->claims));
    }
    if (!has_all(request->claims.scope, wish->scope) ||
        !has_all(request->claims.roles, wish->role)) {
        request->wanted_scope = challenge_scope(request->arena, wish->scope);
        return ERR_INSUFFICIENT_SCOPE;
    }
    return reply(request);
}

enum error handle_verify(struct request *request)
{
    struct str query = http_request_query(request->x);
    struct wish wish = {0};

    if (form_in_is_empty(query, STR("scope")) || form_in_is_empty(query, STR("role")) ||
        form_in_is_empty(query, STR("aud"))) {
        return ERR_MALFORMED_REQUEST;
    }
    TRY(form_in_decode(request->arena, query, wish_fields,
                       sizeof(wish_fields) / sizeof(wish_fields[0]), &wish));
    if ((wish.scope.ptr != NULL && is_blank(wish.scope)) ||
        (wish.role.ptr != NULL && is_blank(wish.role)) ||
        (wish.aud.ptr != NULL && is_blank(wish.aud))) {
        return ERR_MALFORMED_REQUEST;
    }
    return verify(request, &wish);
}

enum error handle_verify_below(struct request *request)
{
    const struct wish nothing_more = {0};

    return verify(request, &nothing_more);
}
