/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Table mail_requests: mails asked for without a login, and what the mailroom finds out about them.
 *
 * Ownership: rows read are copied into the arena given. Threads: as the connection.
 */
#pragma once

#include "outbox_store.h"

extern const struct pg_statements mail_store_statements;

enum mail_kind { MAIL_REGISTRATION, MAIL_VERIFICATION, MAIL_PASSWORD_RESET };

struct mail_request {
    struct uuid id;
    enum mail_kind kind;
    struct str email;
    struct str email_canonical;
    struct str locale;           /* empty: none */
    struct uuid registration_id; /* of kind MAIL_REGISTRATION */
    int32_t attempts;            /* before this one */
};

void mail_store_insert(struct pg_tx *tx, const struct mail_request *request);

enum { MAIL_CLAIM_MAX = 16 };

struct mail_batch {
    struct mail_request requests[MAIL_CLAIM_MAX];
    size_t count;
};

/* Up to MAIL_CLAIM_MAX due requests, leased for `lease_ms`. */
NODISCARD enum error mail_store_claim(struct pg *pg, struct arena *arena, int64_t lease_ms,
                                      struct mail_batch *out);
/* Removes requests of the same address and kind, leased or not, but for the newest `keep`; of a flood at
 * most MAIL_COLLAPSE_ROWS at once. */
enum { MAIL_COLLAPSE_ROWS = 5000 };
NODISCARD enum error mail_store_collapse(struct pg *pg, const struct mail_request *like,
                                         int64_t keep);
/* In the transaction that writes the mail: of two mailrooms one aborts whole. */
void mail_store_take(struct pg_tx *tx, struct uuid id);
/* Ends the lease of a request that could not be resolved now. */
NODISCARD enum error mail_store_retry(struct pg *pg, struct uuid id, int64_t retry_in_ms);

/* The account that an address belongs to. */
struct mail_account {
    struct uuid id;
    struct str sub;
    struct str email;  /* as stored: mail goes here */
    struct str locale; /* empty: none */
    bool is_verified;
    bool is_active;
};
/* ERR_NOT_FOUND when there is none. */
NODISCARD enum error mail_store_account(struct pg *pg, struct arena *arena,
                                        struct str email_canonical, struct mail_account *out);

/* An attempt to register that can still be confirmed. */
struct mail_attempt {
    struct uuid id;
    struct uuid user_id;
    struct str email;
    struct str locale; /* empty: none */
    int64_t expires_ms;
};
/* Both: ERR_NOT_FOUND when there is none. */
NODISCARD enum error mail_store_attempt(struct pg *pg, struct arena *arena, struct uuid id,
                                        struct mail_attempt *out);
NODISCARD enum error mail_store_newest_attempt(struct pg *pg, struct arena *arena,
                                               struct str email_canonical,
                                               struct mail_attempt *out);

/* Writes a mail to an account, locking its row: a delete that comes later finds the mail, one that came
 * before makes this ERR_NO_MATCH, as does an address that has changed meanwhile. */
void mail_store_write(struct pg_tx *tx, const struct mail_account *account,
                      const struct outbox_event *event);
/* The row that a mail's token names; ERR_NO_MATCH unless the account is active, and for purpose
 * `verification` not verified. */
void mail_store_token(struct pg_tx *tx, const struct mail_account *account, struct uuid id,
                      struct str purpose, int64_t expires_ms);

/* Mails to one address that anybody may ask for, over all kinds. */
enum { MAIL_HOUR_MAX = 3, MAIL_DAY_MAX = 10 };
/* Whether one more may be sent; `keys` is the text of a bytea[]. */
NODISCARD enum error mail_store_allowed(struct pg *pg, struct str keys, bool *out);
/* Counts one in the transaction that writes it; ERR_NO_MATCH when others have used up what is allowed. */
void mail_store_count(struct pg_tx *tx, struct str key);
