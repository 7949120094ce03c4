/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables throttle and known_networks: wrong passwords of an address, in all and from one network, and
 * from which networks its user has logged in.
 *
 * Who locks several rows of throttle does so in this order: networks, addresses, of each the smaller key
 * first; and after the row of users.
 *
 * Ownership: keys are borrowed. Threads: as the connection.
 */
#pragma once

#include "pg.h"

extern const struct pg_statements throttle_store_statements;

enum {
    THROTTLE_NETWORK_FAILS_MAX = 5,   /* of an address from one network */
    THROTTLE_NETWORK_S = 900,         /* forgotten so long after the last */
    THROTTLE_ADDRESS_FAILS_MAX = 100, /* of an address in a row: NIST SP 800-63B-4 section 3.2.2 */
    THROTTLE_ADDRESS_DAYS_MAX = 30, /* forgotten as many days after the last as there are, or so */
    THROTTLE_KNOWN_S = 30 * 86400,  /* a network stays known */
    THROTTLE_KNOWN_FRESH_S = 29 * 86400, /* and is noted again when it would for less */
    THROTTLE_ADDRESS_KEY_BYTES = 16,
    THROTTLE_NETWORK_KEY_BYTES = 32 /* begins with the address's */
};

/* Rows are found under every key of the keyring, and written under the current one. */
struct throttle_keys {
    struct str all;      /* of both kinds: the text of a bytea[] */
    struct str networks; /* those of 32 bytes alone, likewise */
    struct str address;  /* of the current key: 16 bytes */
    struct str network;  /* of the current key: 32 bytes */
};

struct throttle_state {
    int64_t network_fails;
    int64_t network_wait_ms; /* until they are forgotten */
    int64_t address_fails;
    bool is_known; /* the network */
    bool is_fresh; /* and need not be noted again */
};

struct throttle_look {
    struct throttle_keys keys;
    struct throttle_state state; /* read */
};

/* In SQL, THROTTLE_STORE_COLUMNS columns; `keys` and `networks` are the parameters bound to the members of that name. */
#define THROTTLE_STORE_STATE(keys, networks)                                                       \
    "(SELECT coalesce(sum(t.fails), 0)::bigint FROM throttle t WHERE t.key = ANY (" networks       \
    "::text::bytea[]) AND t.until > clock_timestamp()),"                                           \
    " (SELECT coalesce(extract(epoch FROM max(t.until) - clock_timestamp()) * 1000, 0)::bigint"    \
    " FROM throttle t WHERE t.key = ANY (" networks                                                \
    "::text::bytea[]) AND t.until > clock_timestamp()),"                                           \
    " (SELECT coalesce(sum(t.fails), 0)::bigint FROM throttle t WHERE t.key = ANY (" keys          \
    "::text::bytea[]) AND octet_length(t.key) = 16 AND t.until > clock_timestamp()),"              \
    " (SELECT coalesce(extract(epoch FROM max(n.until) - clock_timestamp()), 0)::bigint"           \
    " FROM known_networks n WHERE n.key = ANY (" networks "::text::bytea[]))"

void throttle_store_bind(struct pg_args *args,
                         const struct throttle_keys *keys); /* all, networks */
/* Of the first row, the columns from `column` on. */
struct throttle_state throttle_store_read(const struct pg_rows *rows, int column);
enum { THROTTLE_STORE_COLUMNS = 4 };

NODISCARD enum error throttle_store_get(struct pg *pg, const struct throttle_keys *keys,
                                        struct throttle_state *out);
/* Counts a failure, of the address and of the network or of neither: ERR_NO_MATCH, and nothing is counted,
 * when others have used up what is allowed meanwhile. `any_network`: those of other networks do not
 * matter. */
NODISCARD enum error throttle_store_fail(struct pg *pg, const struct throttle_keys *keys,
                                         bool any_network);

/* A right password. Ends counts that there are (where there are none nothing is written), and notes the
 * network where `notes` is set. Without effect, and ERR_NO_MATCH, when wrong ones have used up what is
 * allowed meanwhile; `any_network` says that those of other networks do not matter. */
struct throttle_success {
    const struct throttle_keys *keys;
    bool notes;
    bool any_network;
};
void throttle_store_succeed(struct pg_tx *tx, const struct throttle_success *success);
/* Whoever has set a new password by a mailed token: all counts of the address end, its networks are
 * forgotten, but for the one it comes from, which is known from now on. */
void throttle_store_restart(struct pg_tx *tx, const struct throttle_keys *keys);
