/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include "clock.h"
#include "credential.h"
#include "mail_store.h"
#include "mfa_login.h"
#include "one_time_store.h"
#include "onetime.h"
#include "outbox.h"
#include "registration_store.h"
#include "throttle.h"

static bool is_published(const struct accounts *self, enum event_type type)
{
    return (self->published & EVENT_BIT(type)) != 0;
}

/* What has been queued is committed, and the relay and the mailroom are to hear of it. */
static enum error commit_events(struct work *work, struct pg_tx *tx)
{
    if (arena_overflowed(work->arena)) { /* a text of what is queued was left out */
        return ERR_NO_SPACE;
    }
    TRY(pg_tx_commit(tx));
    work->has_events = true;
    return OK;
}

static void queue_mail(struct pg_tx *tx, enum mail_kind kind, const struct email *email,
                       struct str locale, struct uuid registration_id)
{
    struct mail_request request = {
        .id = crypto_uuid7(clock_wall_ms()),
        .kind = kind,
        .email = email->written,
        .email_canonical = email->canonical,
        .locale = locale,
        .registration_id = registration_id,
    };
    mail_store_insert(tx, &request);
}

enum error account_register(const struct accounts *self, struct work *work,
                            const struct account_registration *in)
{
    struct password_record password;
    struct pg_tx tx;

    TRY(password_store(self->passwords, work->hasher, work->arena, in->password, &password));
    struct registration row = {
        .id = crypto_uuid7(clock_wall_ms()),
        .user_id = crypto_uuid4(),
        .email = in->email.written,
        .email_canonical = in->email.canonical,
        .password_phc = password.phc,
        .pepper_kid = password.pepper_kid,
        .name = in->name,
        .locale = in->locale,
    };
    pg_tx_begin(&tx, work->pg);
    registration_store_insert(&tx, &row, self->registration_ttl_s);
    queue_mail(&tx, MAIL_REGISTRATION, &in->email, in->locale, row.id);
    return commit_events(work, &tx);
}

enum error account_resend(const struct accounts *self, struct work *work, const struct email *email)
{
    struct pg_tx tx;

    (void)self;
    pg_tx_begin(&tx, work->pg);
    queue_mail(&tx, MAIL_VERIFICATION, email, STR_EMPTY, (struct uuid){{0}});
    return commit_events(work, &tx);
}

static void queue_registered(const struct accounts *self, struct work *work, struct pg_tx *tx,
                             const struct user_new *user)
{
    if (!is_published(self, EVENT_USER_REGISTERED)) {
        return;
    }
    struct event_registered data = {
        .email = user->email,
        .email_verified = user->is_verified,
        .name = user->name,
        .locale = user->locale,
    };
    struct event event =
        event_user_registered(work->arena, codec_uuid_in(work->arena, user->id), &data);
    outbox_append(tx, &event);
}

enum error account_create(const struct accounts *self, struct work *work,
                          const struct account_registration *in, struct user_profile *out)
{
    struct password_record password;
    struct pg_tx tx;
    enum error error;

    TRY(password_store(self->passwords, work->hasher, work->arena, in->password, &password));
    struct user_new user = {
        .id = crypto_uuid4(),
        .email = in->email.written,
        .email_canonical = in->email.canonical,
        .password_phc = password.phc,
        .pepper_kid = password.pepper_kid,
        .name = in->name,
        .locale = in->locale,
        .created_ms = clock_wall_ms(),
    };
    struct user_profile profile = {
        .sub = codec_uuid_in(work->arena, user.id),
        .email = user.email,
        .name = user.name,
        .locale = user.locale,
        .roles = STR_EMPTY,
        .created_ms = user.created_ms,
    };
    pg_tx_begin(&tx, work->pg);
    queue_registered(self, work, &tx, &user);
    user_store_insert(&tx, &user);
    queue_mail(&tx, MAIL_VERIFICATION, &in->email, in->locale, (struct uuid){{0}});
    error = commit_events(work, &tx);
    if (error == ERR_CONFLICT) {
        return ERR_EMAIL_TAKEN;
    }
    TRY(error);
    *out = profile;
    return OK;
}

/* A conflict or a row that is gone means that somebody else was first: the token is used. */
static enum error commit_confirmation(struct work *work, struct pg_tx *tx,
                                      struct throttle_case *attempt)
{
    enum error error;

    throttle_queue_success(attempt, tx);
    error = commit_events(work, tx);
    if (error == ERR_NO_MATCH) {
        return throttle_explain(attempt, work, ERR_INVALID_TOKEN);
    }
    return error == ERR_CONFLICT ? ERR_INVALID_TOKEN : error;
}

static struct session_request session_of(const struct user_login *user,
                                         const struct account_origin *origin)
{
    return (struct session_request){
        .user_id = user->id,
        .sub = user->sub,
        .auth_ver = user->auth_ver,
        .roles = user->roles,
        .client_id = origin->client_id,
        .ip = origin->ip,
        .user_agent = origin->user_agent,
    };
}

/* Who has the mailed token owns the mailbox. */
static struct throttle_case attempt_of(const struct accounts *self,
                                       const struct account_confirmation *in,
                                       struct str email_canonical)
{
    return (struct throttle_case){
        .keyring = self->keyring,
        .email_canonical = email_canonical,
        .ip = in->origin.ip,
        .owns_mailbox = true,
    };
}

static enum error confirm_registration(const struct accounts *self, struct work *work,
                                       const struct account_confirmation *in, struct uuid id,
                                       struct session_grant *out)
{
    struct registration pending;
    enum error error = registration_store_get(work->pg, work->arena, id, &pending);

    if (error == ERR_NOT_FOUND) {
        return ERR_INVALID_TOKEN;
    }
    TRY(error);
    struct password_record record = {pending.password_phc, pending.pepper_kid};
    struct throttle_case attempt = attempt_of(self, in, pending.email_canonical);
    TRY(throttle_password(&attempt, self->passwords, work, in->password, &record));

    struct user_new user = {
        .id = pending.user_id,
        .email = pending.email,
        .email_canonical = pending.email_canonical,
        .is_verified = true,
        .password_phc = pending.password_phc,
        .pepper_kid = pending.pepper_kid,
        .name = pending.name,
        .locale = pending.locale,
        .created_ms = clock_wall_ms(),
    };
    struct user_login login = {
        .id = user.id,
        .sub = codec_uuid_in(work->arena, user.id),
        .roles = STR_EMPTY,
        .auth_ver = 1, /* the column's default */
    };
    struct session_request request = session_of(&login, &in->origin);
    struct session_grant grant;
    struct pg_tx tx;

    pg_tx_begin(&tx, work->pg);
    queue_registered(self, work, &tx, &user);
    registration_store_take(&tx, id);
    user_store_insert(&tx, &user);
    TRY(session_open(self->sessions, work, &tx, &request, &grant));
    TRY(commit_confirmation(work, &tx, &attempt));
    *out = grant;
    return OK;
}

static enum error confirm_address(const struct accounts *self, struct work *work,
                                  const struct account_confirmation *in, struct uuid id,
                                  struct session_grant *out)
{
    struct str purpose = str_from(onetime_purpose_name(ONETIME_VERIFICATION));
    struct one_time_holder holder;
    enum error error = one_time_store_get(work->pg, work->arena, id, purpose, &holder);

    if (error == ERR_NOT_FOUND) {
        return ERR_INVALID_TOKEN;
    }
    TRY(error);
    struct password_record record = {holder.user.password_phc, holder.user.pepper_kid};
    struct throttle_case attempt = attempt_of(self, in, holder.email_canonical);
    TRY(throttle_password(&attempt, self->passwords, work, in->password, &record));

    struct session_request request = session_of(&holder.user, &in->origin);
    struct session_grant grant = {0};
    struct str mfa_token = STR_EMPTY;
    struct pg_tx tx;

    pg_tx_begin(&tx, work->pg);
    if (is_published(self, EVENT_USER_VERIFIED)) {
        struct event event = event_user_verified(work->arena, holder.user.sub, holder.email);
        outbox_append(&tx, &event);
    }
    one_time_store_take(&tx, id);
    user_store_verify_email(&tx, holder.user.id, holder.user.auth_ver);
    TRY(holder.user.has_mfa ? mfa_login_queue(self, work, &tx, &request, &mfa_token)
                            : session_open(self->sessions, work, &tx, &request, &grant));
    TRY(commit_confirmation(work, &tx, &attempt));
    if (holder.user.has_mfa) {
        work->mfa_token = mfa_token;
        return ERR_MFA_REQUIRED;
    }
    *out = grant;
    return OK;
}

enum error account_confirm(const struct accounts *self, struct work *work,
                           const struct account_confirmation *in, struct session_grant *out)
{
    enum onetime_purpose purpose;
    struct uuid id;

    TRY(onetime_check(self->keyring, in->token, &purpose, &id));
    switch (purpose) {
    case ONETIME_REGISTRATION:
        return confirm_registration(self, work, in, id, out);
    case ONETIME_VERIFICATION:
        return confirm_address(self, work, in, id, out);
    case ONETIME_RESET:
    case ONETIME_MFA:
    case ONETIME_PURPOSE_COUNT:
        break;
    }
    return ERR_INVALID_TOKEN;
}

/* Exactly one hash; unknown, wrong and disabled are the same failure, counted alike. */
static enum error prove_login(const struct accounts *self, struct work *work,
                              const struct account_login *in, const struct user_login *user,
                              struct throttle_case *attempt)
{
    struct password_record record = {0};
    enum error error;

    if (user != NULL) {
        record = (struct password_record){user->password_phc, user->pepper_kid};
    }
    error = password_verify(self->passwords, work->hasher, work->arena, in->password,
                            user == NULL ? NULL : &record);
    if (error == OK && (user == NULL || !user->is_active)) {
        error = ERR_INVALID_CREDENTIALS;
    }
    return error == ERR_INVALID_CREDENTIALS ? throttle_fail(attempt, work) : error;
}

enum error account_login(const struct accounts *self, struct work *work,
                         const struct account_login *in, struct session_grant *out)
{
    struct throttle_case attempt = {
        .keyring = self->keyring,
        .email_canonical = in->email.canonical,
        .ip = in->origin.ip,
    };
    struct user_login user = {0};
    enum error found;

    TRY(throttle_begin(&attempt, work));
    found = user_store_find_login(work->pg, work->arena, in->email.canonical, &attempt.look, &user);
    if (found != OK && found != ERR_NOT_FOUND) {
        return found;
    }
    TRY(throttle_admit(&attempt, work)); /* whoever is refused costs no hash */
    TRY(prove_login(self, work, in, found == OK ? &user : NULL, &attempt));
    if (self->verification_required && !user.is_verified) {
        TRY(throttle_succeed(&attempt, work));
        return ERR_EMAIL_UNVERIFIED;
    }

    struct session_request request = session_of(&user, &in->origin);
    struct session_grant grant;
    struct pg_tx tx;

    if (user.has_mfa) {
        TRY(throttle_succeed(&attempt, work));
        return mfa_login_ask(self, work, &request);
    }
    pg_tx_begin(&tx, work->pg);
    TRY(session_open(self->sessions, work, &tx, &request, &grant));
    throttle_queue_success(&attempt, &tx);
    enum error error = pg_tx_commit(&tx);
    if (error == ERR_NO_MATCH) { /* the account changed while the password was checked */
        return throttle_explain(&attempt, work, ERR_INVALID_CREDENTIALS);
    }
    TRY(error);
    *out = grant;
    credential_rehash(self, work, &user, in->password);
    return OK;
}
