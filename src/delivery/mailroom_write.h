/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mails that the mailroom answers with: which one, to whom, in which language, with which token.
 * Part of mailroom.h, whose table says it all.
 *
 * Ownership: texts are in the arena given. Threads: the mailroom's own.
 */
#pragma once

#include "keyring.h"
#include "mail_store.h"

struct mailroom_writer {
    struct arena *arena;
    const struct keyring *keyring;
};

/* To who registers: the link of that attempt. */
void mailroom_write_attempt(const struct mailroom_writer *self, struct pg_tx *tx,
                            const struct mail_attempt *attempt, struct str locale);
/* To the owner of an account, what the request is about; nothing where there is nothing to tell. */
void mailroom_write_to_owner(const struct mailroom_writer *self, struct pg_tx *tx,
                             const struct mail_request *request,
                             const struct mail_account *account);
