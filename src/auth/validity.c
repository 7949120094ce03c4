/* SPDX-License-Identifier: Apache-2.0 */
#include "validity.h"

#include "validity_store.h"

static enum error judge_session(const struct validity *self, const struct token_claims *claims)
{
    const struct revocation_query query = {
        .sid = claims->sid,
        .sub = claims->sub,
        .auth_ver = claims->auth_ver,
    };

    switch (revocation_judge(self->revocations, &query)) {
    case REVOCATION_NONE:
        return OK;
    case REVOCATION_FOUND:
        return ERR_UNAUTHENTICATED;
    case REVOCATION_UNKNOWN:
        break;
    }
    return ERR_DEFER;
}

/* The feed that keeps the revocations fresh keeps the clients so, too: a client's token is asked about
 * with a session that nobody has. */
enum error validity_judge(const struct validity *self, const struct token_claims *claims)
{
    TRY(judge_session(self, claims));
    return clients_is_active(self->clients, claims->client_id) ? OK : ERR_UNAUTHENTICATED;
}

enum error validity_ask(struct pg *pg, const struct token_claims *claims)
{
    const struct user_session session = {claims->sid, claims->auth_ver};
    struct uuid client;

    if (!claims->is_client) {
        return validity_store_session(pg, &session, claims->sub, claims->client_id);
    }
    if (codec_uuid_parse(claims->client_id, &client) != OK) {
        return ERR_UNAUTHENTICATED;
    }
    return validity_store_client(pg, client);
}
