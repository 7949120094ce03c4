/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Client authentication (RFC 6749 section 2.3): a confidential client by HTTP Basic or by the form
 * fields client_id and client_secret, a public one by its client_id alone.
 *
 * On the I/O thread memory answers where it can vouch; else ERR_DEFER, for the handler to return: the
 * request comes again with a connection (request->work.pg), and then the table is asked.
 *
 * Ownership: texts are in the request's arena. Threads: as the request.
 * Errors: ERR_MALFORMED_REQUEST (credentials twice, or not decodable), ERR_INVALID_CLIENT (401 with
 * WWW-Authenticate: Basic), ERR_DEFER.
 */
#pragma once

#include "request.h"

/* `client_auth_check` is for endpoints that only confidential clients use. Form texts that were absent
 * are {NULL, 0}. */
NODISCARD enum error client_auth_check(struct request *request, struct str form_client_id,
                                       struct str form_client_secret, struct client *out);

/* Whoever it is: a confidential client that has authenticated itself, or a client that only named
 * itself, SESSION_FIRST_PARTY where it did not even that. */
struct client_identity {
    struct client client;
    bool is_authenticated;
    bool is_named; /* by a client_id of the request */
};
/* ERR_INVALID_CLIENT also for an unknown or disabled one. Needs a connection (lane db or hash). */
NODISCARD enum error client_auth_identify(struct request *request, struct str form_client_id,
                                          struct str form_client_secret,
                                          struct client_identity *out);
/* A public client that may log users in, or SESSION_FIRST_PARTY where client_id.ptr is NULL. Asks
 * memory, then the table. */
NODISCARD enum error client_auth_public(struct request *request, struct str client_id,
                                        struct str *out);
