/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"

enum { PARAMETER_BYTES_MAX = 256 };

static unsigned hex_value(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* Each % has two hex digits behind it: the listener refuses others. */
static void append_decoded(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '%' && text.len - i > 2) {
            buf_append_byte(out,
                            (char)(hex_value(text.ptr[i + 1]) * 16 + hex_value(text.ptr[i + 2])));
            i += 2;
            continue;
        }
        buf_append_byte(out, text.ptr[i]);
    }
}

enum error admin_parameter(const struct request *request, struct str *out)
{
    struct buf text = buf_in(request->arena, PARAMETER_BYTES_MAX);

    append_decoded(&text, request->parameter);
    if (text.overflowed || !str_is_utf8(buf_str(&text))) {
        return ERR_NOT_FOUND;
    }
    *out = buf_str(&text);
    return OK;
}

struct administration admin_rules(const struct request *request)
{
    const struct session_policy *sessions = request->api->options.accounts->sessions;

    return (struct administration){
        .published = sessions->published,
        .revocation_ttl_s = sessions->revocation_ttl_s,
        .revocations = sessions->revocations,
    };
}

struct administrator admin_actor(const struct request *request)
{
    const struct token_claims *claims = &request->claims;

    return (struct administrator){
        .audit = {claims->sub, request->id, request->client, claims},
        .own_sub = claims->is_client ? STR_EMPTY : claims->sub,
    };
}
