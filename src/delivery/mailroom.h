/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mailroom: a thread that answers the e-mail requests which anybody may make. Those only insert a
 * row, whoever is asked about, so that no timing tells who has an account; here the account is looked
 * up and the mail's event is written, in one transaction with the end of the request.
 *
 *   registration  no account has the address   verification_requested, token of the attempt
 *                 an account has it             registration_repeated, to the address as stored
 *   verification  an account, not verified      verification_requested, token of the account
 *                 no account, but attempts      verification_requested, token of the newest attempt
 *                 else                          nothing
 *   password_reset  an active account           password_reset_requested, token of the account; an
 *                                               address that was not verified is by the reset
 *                 else                          nothing
 *
 * An address gets at most MAIL_HOUR_MAX of these an hour and MAIL_DAY_MAX a day, over all kinds; what is
 * asked for beyond is dropped without a word. Mails that nobody asked for do not come this way.
 *
 * Ownership: the options' strings and keyring must stay until mailroom_stop.
 * Threads: start and stop from one thread, wake from any. Errors: logged; they never end the thread.
 */
#pragma once

#include "keyring.h"
#include "pg.h"
#include "relay.h"

enum {
    MAILROOM_TOKEN_TTL_S = 86400,
    MAILROOM_RESET_TTL_S = 3600,
    MAILROOM_NOTICE_TTL_S = 86400, /* of a mail without a token */
    MAILROOM_SAME_MAX = 3 /* requests for one address and kind that are answered at a time */
};

struct mailroom;

struct mailroom_options {
    const struct pg_options *pg; /* tables: outbox_store_statements, mail_store_statements */
    const struct keyring *keyring;
    struct relay *relay; /* woken when a mail was written; NULL: none */
    int64_t lease_ms;    /* 0: 10 s */
};

struct mailroom *mailroom_start(const struct mailroom_options *options);
/* After a local commit that inserted a request. */
void mailroom_wake(struct mailroom *self);
void mailroom_stop(struct mailroom *self);
