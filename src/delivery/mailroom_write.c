/* SPDX-License-Identifier: Apache-2.0 */
#include "mailroom_write.h"

#include "clock.h"
#include "event.h"
#include "mailroom.h"
#include "outbox.h"

static struct str preferred(struct str first, struct str second)
{
    return first.len > 0 ? first : second;
}

/* Somebody registered an address that has an account: its owner is told, at the address as stored and
 * in the account's own language, since the request may be an attacker's. */
static void write_repeated(const struct mailroom_writer *self, struct pg_tx *tx,
                           const struct mail_account *account)
{
    const struct event event = event_mail(self->arena, EVENT_USER_REGISTRATION_REPEATED,
                                          account->sub, account->email, account->locale);
    struct outbox_event row = outbox_row(&event);

    row.expires_ms = clock_wall_ms() + MAILROOM_NOTICE_TTL_S * 1000LL;
    mail_store_write(tx, account, &row);
}

void mailroom_write_attempt(const struct mailroom_writer *self, struct pg_tx *tx,
                            const struct mail_attempt *attempt, struct str locale)
{
    const struct str subject = codec_uuid_in(self->arena, attempt->user_id);
    const struct event event = event_mail(self->arena, EVENT_USER_VERIFICATION_REQUESTED, subject,
                                          attempt->email, preferred(locale, attempt->locale));

    outbox_append_mail(tx, &event,
                       &(struct outbox_token){
                           .kid = str_from(keyring_current(self->keyring)),
                           .purpose = str_from(onetime_purpose_name(ONETIME_REGISTRATION)),
                           .id = attempt->id,
                           .expires_ms = attempt->expires_ms,
                       });
}

/* A mail whose token names a row of its own. */
struct token_mail {
    enum event_type event;
    enum onetime_purpose purpose;
    int64_t ttl_s;
    struct str locale;
};

static void write_token_mail(const struct mailroom_writer *self, struct pg_tx *tx,
                             const struct mail_account *account, const struct token_mail *mail)
{
    const int64_t expires_ms = clock_wall_ms() + mail->ttl_s * 1000LL;
    const struct str purpose = str_from(onetime_purpose_name(mail->purpose));
    const struct uuid token_id = crypto_uuid7(clock_wall_ms());
    const struct event event =
        event_mail(self->arena, mail->event, account->sub, account->email, mail->locale);
    struct outbox_event row = outbox_row(&event);

    row.expires_ms = expires_ms;
    row.token_kid = str_from(keyring_current(self->keyring));
    row.token_purpose = purpose;
    row.token_id = token_id;
    mail_store_token(tx, account, token_id, purpose, expires_ms);
    mail_store_write(tx, account, &row);
}

static void write_verification(const struct mailroom_writer *self, struct pg_tx *tx,
                               const struct mail_account *account, struct str locale)
{
    const struct token_mail mail = {
        .event = EVENT_USER_VERIFICATION_REQUESTED,
        .purpose = ONETIME_VERIFICATION,
        .ttl_s = MAILROOM_TOKEN_TTL_S,
        .locale = preferred(locale, account->locale),
    };

    if (account->is_active && !account->is_verified) {
        write_token_mail(self, tx, account, &mail);
    }
}

/* Whether the address was verified or not: the mail goes to its owner, and so does the account. */
static void write_reset(const struct mailroom_writer *self, struct pg_tx *tx,
                        const struct mail_account *account)
{
    const struct token_mail mail = {
        .event = EVENT_USER_PASSWORD_RESET_REQUESTED,
        .purpose = ONETIME_RESET,
        .ttl_s = MAILROOM_RESET_TTL_S,
        .locale = account->locale,
    };

    if (account->is_active) {
        write_token_mail(self, tx, account, &mail);
    }
}

void mailroom_write_to_owner(const struct mailroom_writer *self, struct pg_tx *tx,
                             const struct mail_request *request, const struct mail_account *account)
{
    switch (request->kind) {
    case MAIL_REGISTRATION:
        write_repeated(self, tx, account);
        return;
    case MAIL_VERIFICATION:
        write_verification(self, tx, account, request->locale);
        return;
    case MAIL_PASSWORD_RESET:
        write_reset(self, tx, account);
        return;
    }
}
