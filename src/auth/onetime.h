/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One-time tokens of mails: ot1.<kid>.<purpose>.<id>.<mac>, the MAC over all that stands before it
 * with the keyring's one-time key. Never stored: the relay derives a mail's token as it sends it, from
 * key id, purpose and row id in the outbox. That a token is used only once is the affair of its row.
 *
 * Threads: any. Errors: ERR_INVALID_TOKEN for everything that is not a genuine token of that purpose.
 */
#pragma once

#include "keyring.h"

enum { ONETIME_TOKEN_BYTES_MAX = 160 };

enum onetime_purpose {
    ONETIME_REGISTRATION, /* id of a registrations row */
    ONETIME_VERIFICATION, /* id of a one_time_tokens row: the address of an existing account */
    ONETIME_RESET,        /* likewise: a new password for it */
    ONETIME_MFA,          /* id of an mfa_logins row: answered to a login, never mailed */
    ONETIME_PURPOSE_COUNT
};

const char *onetime_purpose_name(enum onetime_purpose purpose);
/* ERR_INVALID for a name that is none. */
NODISCARD enum error onetime_purpose_parse(struct str name, enum onetime_purpose *out);

/* ERR_INVALID when the keyring has no such kid. */
NODISCARD enum error onetime_token(const struct keyring *keyring, struct str kid,
                                   enum onetime_purpose purpose, struct uuid id, struct buf *out);
/* Which purpose and row a genuine token is of. */
NODISCARD enum error onetime_check(const struct keyring *keyring, struct str token,
                                   enum onetime_purpose *purpose, struct uuid *id);
