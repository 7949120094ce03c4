/* SPDX-License-Identifier: Apache-2.0 */
#include "event.h"

#include <assert.h>

#include "clock.h"
#include "crypto.h"
#include "json_out.h"

/* Room for a `data` object: an address and a name of 320 and 200 code points, each byte escaped. */
enum { DATA_BYTES_MAX = 8192, SEQUENCE_DIGITS = 19 };

static const struct {
    const char *name;
    bool is_mail;
    bool has_token;
} types[EVENT_TYPE_COUNT] = {
    [EVENT_USER_REGISTERED] = {"user.registered", false, false},
    [EVENT_USER_VERIFICATION_REQUESTED] = {"user.verification_requested", true, true},
    [EVENT_USER_REGISTRATION_REPEATED] = {"user.registration_repeated", true, false},
    [EVENT_USER_VERIFIED] = {"user.verified", false, false},
    [EVENT_USER_PASSWORD_RESET_REQUESTED] = {"user.password_reset_requested", true, true},
    [EVENT_USER_PASSWORD_CHANGED] = {"user.password_changed", false, false},
    [EVENT_USER_MFA_CHANGED] = {"user.mfa_changed", false, false},
    [EVENT_USER_DISABLED] = {"user.disabled", false, false},
    [EVENT_SESSION_CREATED] = {"session.created", false, false},
    [EVENT_SESSION_REVOKED] = {"session.revoked", false, false},
    [EVENT_SESSION_REUSE_DETECTED] = {"session.reuse_detected", false, false},
};

const char *event_type_name(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return types[type].name;
}

enum error event_type_parse(struct str name, enum event_type *out)
{
    for (unsigned i = 0; i < EVENT_TYPE_COUNT; i++) {
        if (str_equal(name, str_from(types[i].name))) {
            *out = (enum event_type)i;
            return OK;
        }
    }
    return ERR_INVALID;
}

bool event_is_ordered(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return !types[type].is_mail;
}

bool event_has_token(enum event_type type)
{
    assert(type < EVENT_TYPE_COUNT);
    return types[type].has_token;
}

/* A `data` object that is being written; begin and end make it an event. */
struct draft {
    struct buf buf;
    struct json_out json;
};

static void draft_begin(struct draft *self, struct arena *arena)
{
    self->buf = buf_in(arena, DATA_BYTES_MAX);
    self->json = json_out_to(&self->buf);
    json_object(&self->json);
}

static struct event draft_end(struct draft *self, enum event_type type, struct str subject)
{
    json_object_end(&self->json);
    return (struct event){
        .id = crypto_uuid7(clock_wall_ms()),
        .type = type,
        .subject = subject,
        .data = self->buf.overflowed ? STR_EMPTY : buf_str(&self->buf),
    };
}

struct event event_user_registered(struct arena *arena, struct str subject,
                                   const struct event_registered *in)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_str(&draft.json, "email", in->email);
    json_member_bool(&draft.json, "email_verified", in->email_verified);
    json_member_str_or_null(&draft.json, "name", in->name);
    json_member_str_or_null(&draft.json, "locale", in->locale);
    return draft_end(&draft, EVENT_USER_REGISTERED, subject);
}

struct event event_user_verified(struct arena *arena, struct str subject, struct str email)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_str(&draft.json, "email", email);
    return draft_end(&draft, EVENT_USER_VERIFIED, subject);
}

struct event event_user_password_changed(struct arena *arena, struct str subject,
                                         const struct event_owner *owner, const char *reason)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_str(&draft.json, "email", owner->email);
    json_member_str_or_null(&draft.json, "locale", owner->locale);
    json_member_str(&draft.json, "reason", str_from(reason));
    return draft_end(&draft, EVENT_USER_PASSWORD_CHANGED, subject);
}

struct event event_user_mfa_changed(struct arena *arena, struct str subject,
                                    const struct event_owner *owner,
                                    const struct event_mfa_change *change)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_str(&draft.json, "email", owner->email);
    json_member_str_or_null(&draft.json, "locale", owner->locale);
    json_member_bool(&draft.json, "enabled", change->enabled);
    json_member_str(&draft.json, "reason", str_from(change->reason));
    return draft_end(&draft, EVENT_USER_MFA_CHANGED, subject);
}

struct event event_user_disabled(struct arena *arena, struct str subject, const char *reason)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_str(&draft.json, "reason", str_from(reason));
    return draft_end(&draft, EVENT_USER_DISABLED, subject);
}

struct event event_mail(struct arena *arena, enum event_type type, struct str subject,
                        struct str email, struct str locale)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_str(&draft.json, "email", email);
    json_member_str_or_null(&draft.json, "locale", locale);
    return draft_end(&draft, type, subject);
}

struct event event_session_created(struct arena *arena, struct str subject, struct uuid session_id,
                                   struct str client_id)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_uuid(&draft.json, "session_id", session_id);
    json_member_str(&draft.json, "client_id", client_id);
    return draft_end(&draft, EVENT_SESSION_CREATED, subject);
}

struct event event_session_revoked(struct arena *arena, struct str subject, struct uuid session_id,
                                   const char *reason)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_uuid(&draft.json, "session_id", session_id);
    json_member_str(&draft.json, "reason", str_from(reason));
    return draft_end(&draft, EVENT_SESSION_REVOKED, subject);
}

struct event event_session_reuse_detected(struct arena *arena, struct str subject,
                                          struct uuid session_id, struct str client_id)
{
    struct draft draft;

    draft_begin(&draft, arena);
    json_member_uuid(&draft.json, "session_id", session_id);
    json_member_str(&draft.json, "client_id", client_id);
    return draft_end(&draft, EVENT_SESSION_REUSE_DETECTED, subject);
}

/* CloudEvents 1.0 section 3.1 and its JSON format, section 3; `sequence` is the extension of that
 * name, padded so that it can be compared as text. */
void event_write(struct buf *out, const struct event_envelope *in)
{
    struct json_out json = json_out_to(out);
    char text[64];
    struct buf scratch = buf_over(text, sizeof(text));

    json_object(&json);
    json_member_str(&json, "specversion", STR("1.0"));
    json_member_str(&json, "id", in->id);
    json_member_str(&json, "source", in->source);
    buf_printf(&scratch, "com.mallhive.%.*s.v1", STR_ARG(in->type));
    json_member_str(&json, "type", buf_str(&scratch));
    json_member_str(&json, "subject", in->subject);
    json_member_time(&json, "time", in->time_ms);
    json_member_str(&json, "datacontenttype", STR("application/json"));
    scratch = buf_over(text, sizeof(text));
    buf_printf(&scratch, "%0*lld", SEQUENCE_DIGITS, (long long)in->sequence);
    json_member_str(&json, "sequence", buf_str(&scratch));
    json_member_raw(&json, "data", in->data);
    json_object_end(&json);
}

struct str event_data_with_link(struct arena *arena, struct str data, struct str link,
                                int64_t expires_ms)
{
    struct buf buf = buf_in(arena, DATA_BYTES_MAX);
    struct json_out json = json_out_to(&buf);
    struct buf whole = buf_in(arena, DATA_BYTES_MAX + data.len);
    struct str more;
    struct str all = STR_EMPTY;

    assert(data.len >= 2 && data.ptr[0] == '{' && data.ptr[data.len - 1] == '}');
    json_object(&json);
    json_member_str(&json, "link", link);
    json_member_time(&json, "expires_at", expires_ms);
    json_object_end(&json);
    if (buf_finish(&buf, &more) != OK) {
        return STR_EMPTY;
    }
    buf_append(&whole, str_sub(data, 0, data.len - 1));
    if (data.len > 2) {
        buf_append_byte(&whole, ',');
    }
    buf_append(&whole, str_sub(more, 1, more.len));
    return buf_finish(&whole, &all) == OK ? all : STR_EMPTY;
}
