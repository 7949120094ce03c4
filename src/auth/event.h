/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The events that others are told of: CloudEvents 1.0 in structured JSON form. A change appends an
 * outbox row with the event's `data`; the relay writes the envelope when it sends.
 *
 * Ownership: `data` is in the arena given. Threads: pure functions.
 */
#pragma once

#include "codec.h"

enum event_type {
    EVENT_USER_REGISTERED,
    EVENT_USER_VERIFICATION_REQUESTED,
    EVENT_USER_REGISTRATION_REPEATED,
    EVENT_USER_VERIFIED,
    EVENT_USER_PASSWORD_RESET_REQUESTED,
    EVENT_USER_PASSWORD_CHANGED,
    EVENT_USER_MFA_CHANGED,
    EVENT_USER_DISABLED,
    EVENT_SESSION_CREATED,
    EVENT_SESSION_REVOKED,
    EVENT_SESSION_REUSE_DETECTED,
    EVENT_TYPE_COUNT
};

/* As in US_EVENTS and the outbox: "user.registered". */
const char *event_type_name(enum event_type type);
NODISCARD enum error event_type_parse(struct str name, enum event_type *out);
/* False for mails: strangers can cause them, so they wait for nobody and nobody waits for them. Each has
 * an expiry. */
bool event_is_ordered(enum event_type type);
/* A mail whose data gets `link` and `expires_at` as it is sent. */
bool event_has_token(enum event_type type);

/* Which types are published: a bit per enum event_type. */
typedef uint32_t event_set;
#define EVENT_BIT(type) (1u << (unsigned)(type))

struct event {
    struct uuid id; /* CloudEvents id and webhook-id */
    enum event_type type;
    struct str subject; /* the user's `sub` */
    struct str data;    /* JSON object */
};

struct event_registered {
    struct str email;
    bool email_verified;
    struct str name;
    struct str locale;
};

/* Who is to hear of a change of their account. */
struct event_owner {
    struct str email;
    struct str locale; /* empty: none */
};

struct event event_user_registered(struct arena *arena, struct str subject,
                                   const struct event_registered *in);
struct event event_user_verified(struct arena *arena, struct str subject, struct str email);
/* `reason`: disabled_by_admin or disabled_by_operator. */
struct event event_user_disabled(struct arena *arena, struct str subject, const char *reason);
/* A mail to `email`; link and expiry come in when it is sent. */
struct event event_mail(struct arena *arena, enum event_type type, struct str subject,
                        struct str email, struct str locale);
/* `reason`: changed, reset. Tells the owner, at the address and in the language given. */
struct event event_user_password_changed(struct arena *arena, struct str subject,
                                         const struct event_owner *owner, const char *reason);
/* `reason`: changed_by_user, removed_by_admin or removed_by_operator. */
struct event_mfa_change {
    bool enabled;
    const char *reason;
};
/* Tells the owner, at the address and in the language given. */
struct event event_user_mfa_changed(struct arena *arena, struct str subject,
                                    const struct event_owner *owner,
                                    const struct event_mfa_change *change);
struct event event_session_created(struct arena *arena, struct str subject, struct uuid session_id,
                                   struct str client_id);
struct event event_session_revoked(struct arena *arena, struct str subject, struct uuid session_id,
                                   const char *reason);

struct event event_session_reuse_detected(struct arena *arena, struct str subject,
                                          struct uuid session_id, struct str client_id);

/* The envelope of one outbox row; `data` is a whole JSON object. */
struct event_envelope {
    struct str id;
    struct str source; /* issuer */
    struct str type;   /* "user.registered" */
    struct str subject;
    int64_t time_ms;
    int64_t sequence;
    struct str data;
};

/* com.mallhive.<type>.v1, sequence as 19 digits. */
void event_write(struct buf *out, const struct event_envelope *in);
/* Appends the members `link` and `expires_at` to a data object. */
struct str event_data_with_link(struct arena *arena, struct str data, struct str link,
                                int64_t expires_ms);
