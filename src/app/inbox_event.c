/* SPDX-License-Identifier: Apache-2.0 */
#include "inbox_event.h"

#include <stddef.h>

#include "clock.h"
#include "crypto.h"
#include "json_in.h"

enum { ID_BYTES_MAX = 64, TYPE_BYTES_MAX = 96, LINK_BYTES_MAX = 2048, ADDRESS_BYTES_MAX = 254 };

struct envelope {
    struct str id;
    struct str type;
    struct str subject;
    struct str specversion;
};

static const struct json_field envelope_fields[] = {
    JSON_TEXT(struct envelope, id, 1, ID_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct envelope, type, 1, TYPE_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct envelope, subject, 1, ID_BYTES_MAX, JSON_REQUIRED),
    JSON_TEXT(struct envelope, specversion, 1, 8, JSON_REQUIRED),
};

struct mail_data {
    struct str email;
    struct str link;
};

static const struct json_field data_fields[] = {
    JSON_TEXT(struct mail_data, email, 1, ADDRESS_BYTES_MAX, JSON_OPTIONAL),
    JSON_TEXT(struct mail_data, link, 1, LINK_BYTES_MAX, JSON_OPTIONAL),
};

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Both are lists, separated by spaces, while the secret is being changed. */
static bool has_common(struct str given, struct str expected)
{
    while (given.len > 0) {
        struct str one = str_cut(&given, ' ');
        struct str rest = expected;
        while (rest.len > 0) {
            struct str other = str_cut(&rest, ' ');
            if (one.len == other.len && crypto_equal(one.ptr, other.ptr, one.len)) {
                return true;
            }
        }
    }
    return false;
}

static bool is_signed(struct arena *arena, const struct webhook_secrets *secrets,
                      const struct inbox_headers *headers, struct str body)
{
    struct str content = arena_printf(arena, "%.*s.%.*s.%.*s", STR_ARG(headers->id),
                                      STR_ARG(headers->timestamp), STR_ARG(body));
    char text[WEBHOOK_SIGNATURE_BYTES_MAX];
    struct buf expected = buf_over(text, sizeof(text));

    webhook_sign(secrets, content, &expected);
    return content.len > 0 && has_common(headers->signature, buf_str(&expected));
}

static bool is_recent(struct str timestamp)
{
    int64_t now_s = clock_wall_s();
    uint64_t then_s;

    if (str_to_u64(timestamp, &then_s) != OK || then_s > INT64_MAX) {
        return false;
    }
    return (int64_t)then_s >= now_s - INBOX_EVENT_TOLERANCE_S &&
           (int64_t)then_s <= now_s + INBOX_EVENT_TOLERANCE_S;
}

const char *inbox_event_signature(struct arena *arena, const struct webhook_secrets *secrets,
                                  const struct inbox_headers *headers, struct str body)
{
    if (headers->signature.len == 0 || headers->id.len == 0) {
        return "missing";
    }
    if (!is_recent(headers->timestamp)) {
        return "too old";
    }
    return is_signed(arena, secrets, headers, body) ? "valid" : "wrong";
}

/* What names an address is a mail to it, but for these two, which tell other services. */
static bool is_mail(struct str type, struct str address)
{
    return address.len > 0 && !str_equal(type, STR("com.mallhive.user.registered.v1")) &&
           !str_equal(type, STR("com.mallhive.user.verified.v1"));
}

NODISCARD enum error inbox_event_parse(struct arena *arena, struct str body,
                                       struct inbox_event *out)
{
    struct envelope envelope = {0};
    struct mail_data data = {0};
    struct str data_json;

    if (json_in_decode_lenient(arena, body, envelope_fields, COUNT_OF(envelope_fields), &envelope,
                               NULL) != OK ||
        !str_equal(envelope.specversion, STR("1.0"))) {
        return ERR_INVALID;
    }
    if (json_in_member(arena, body, "data", &data_json) != OK ||
        json_in_decode_lenient(arena, data_json, data_fields, COUNT_OF(data_fields), &data, NULL) !=
            OK) {
        return ERR_INVALID;
    }
    *out = (struct inbox_event){
        .id = envelope.id,
        .type = envelope.type,
        .subject = envelope.subject,
        .is_mail = is_mail(envelope.type, data.email),
        .to = data.email.ptr == NULL ? STR_EMPTY : data.email,
        .link = data.link.ptr == NULL ? STR_EMPTY : data.link,
    };
    return OK;
}
