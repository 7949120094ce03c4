/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The brake on guessing passwords, the same for every place that checks one.
 *
 *   5 wrong ones for an address from one network   429 for that network, 15 minutes from the last on
 *   100 wrong ones for an address in a row         429 for all networks but those from which its user
 *                                                  has come within 30 days (NIST SP 800-63B-4 3.2.2)
 *
 * A network is the /24 of an IPv4 address, the /64 of an IPv6 one. All of it goes by the address that
 * was named, whether it has an account or not, by the same statements; who is refused costs no hash.
 * Only failures are written. The limits are exact however many try at once: a wrong password that is one
 * too many is answered as refused, and a right one counts only while wrong ones have not used up what is
 * allowed.
 *
 * Who has shown that the mailbox is theirs (by a mailed token) is not held up by other networks.
 *
 * Keys are HMACs with the keyring's sub-key `throttle`: looked for under each id of the keyring, written
 * under the current one, so that a rotation forgets nothing while the old id is in the secret.
 *
 * Ownership: texts are in the work's arena. Threads: any, each with its own work.
 * Errors: ERR_TOO_MANY_ATTEMPTS, work->retry_after_s is set.
 */
#pragma once

#include "keyring.h"
#include "password.h"
#include "throttle_store.h"
#include "work.h"

struct throttle_case {
    const struct keyring *keyring;
    struct str email_canonical;
    struct str ip; /* numeric; what is none is a network of its own */
    bool owns_mailbox;
    struct throttle_look look;
};

/* Completes the caller's case by its keys. */
NODISCARD enum error throttle_begin(struct throttle_case *self, struct work *work);
/* Before a password is hashed, by the state that was read. */
NODISCARD enum error throttle_admit(const struct throttle_case *self, struct work *work);
/* Begins, reads and admits; for whom the address is not known before a look-up of their own. */
NODISCARD enum error throttle_open(struct throttle_case *self, struct work *work);
/* After a wrong password: ERR_INVALID_CREDENTIALS, or ERR_TOO_MANY_ATTEMPTS when it was one too many. */
NODISCARD enum error throttle_fail(struct throttle_case *self, struct work *work);
/* After a right one, as the last statement of the transaction that it leads to. When that ends in
 * ERR_NO_MATCH, throttle_explain tells whether it was for this. */
void throttle_queue_success(const struct throttle_case *self, struct pg_tx *tx);
NODISCARD enum error throttle_explain(struct throttle_case *self, struct work *work,
                                      enum error otherwise);
/* The same as a transaction of its own. */
NODISCARD enum error throttle_succeed(struct throttle_case *self, struct work *work);

/* One password against one record: opened, checked, and a failure counted. */
NODISCARD enum error throttle_password(struct throttle_case *self,
                                       const struct passwords *passwords, struct work *work,
                                       struct str password, const struct password_record *record);

/* Of throttle_store_restart, for an address. */
NODISCARD enum error throttle_queue_restart(struct throttle_case *self, struct work *work,
                                            struct pg_tx *tx);

/* For the mailroom: under which keys mails to an address are counted; of `keys` only `all` and `address`
 * are filled. */
NODISCARD enum error throttle_mail_keys(const struct keyring *keyring, struct arena *arena,
                                        struct str email_canonical, struct throttle_keys *keys);

enum throttle_kind { THROTTLE_BY_NETWORK, THROTTLE_BY_ADDRESS, THROTTLE_BY_RATE, THROTTLE_BY_MAIL };
void throttle_count(enum throttle_kind kind);
void throttle_register_metrics(void);
