/* SPDX-License-Identifier: Apache-2.0 */
#include "validity.h"

#include "clock.h"
#include "token_checks.h"
#include "validity_store.h"

/* A revocation comes after the token that it ends: of one that is no older than revocations are kept,
 * none has been forgotten. An older one is left from a time when tokens were made to live longer. */
static bool can_vouch_for(const struct validity *self, const struct token_claims *claims)
{
    return clock_wall_s() - claims->iat_s < self->revocation_ttl_s;
}

static enum error judge_session(const struct validity *self, const struct token_claims *claims)
{
    const struct revocation_query query = {
        .sid = claims->sid,
        .sub = claims->sub,
        .auth_ver = claims->auth_ver,
    };

    switch (revocation_judge(self->revocations, &query)) {
    case REVOCATION_NONE:
        return can_vouch_for(self, claims) ? OK : ERR_DEFER;
    case REVOCATION_FOUND:
        return ERR_UNAUTHENTICATED;
    case REVOCATION_UNKNOWN:
        break;
    }
    return ERR_DEFER;
}

/* A client that memory does not know was registered a moment ago: its token is genuine. */
static enum error judge_client(const struct validity *self, struct str client_id)
{
    if (clients_is_active(self->clients, client_id)) {
        return OK;
    }
    return clients_is_disabled(self->clients, client_id) ? ERR_UNAUTHENTICATED : ERR_DEFER;
}

/* The feed that keeps the revocations fresh keeps the clients so, too: a client's token is asked about
 * with a session that nobody has. */
enum error validity_judge(const struct validity *self, const struct token_claims *claims)
{
    enum error error = judge_session(self, claims);

    if (error == OK) {
        error = judge_client(self, claims->client_id);
    }
    if (error != OK) {
        token_checks_count(error == ERR_DEFER ? TOKEN_CHECKS_DEFERRED : TOKEN_CHECKS_REVOKED);
    }
    return error;
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

void validity_require(struct pg_tx *tx, const struct token_claims *claims)
{
    if (claims == NULL) {
        return;
    }
    if (claims->is_client) {
        validity_store_require_client(tx, claims->client_id);
        return;
    }
    const struct user_session session = {claims->sid, claims->auth_ver};
    validity_store_require_session(tx, &session, claims->sub, claims->client_id);
}

/* What does not count does not count again: it is asked afterwards which statement it was. */
enum error validity_commit(struct pg_tx *tx, const struct token_claims *claims)
{
    enum error error = pg_tx_commit(tx);

    if (error == ERR_NO_MATCH && claims != NULL) {
        TRY(validity_ask(tx->pg, claims));
    }
    return error;
}
