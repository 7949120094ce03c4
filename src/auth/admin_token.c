/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_token.h"

#include "clock.h"
#include "mfa_store.h"

/* "otp" is RFC 8176's word for a one-time password. A factor that was removed since counts no more. */
static enum error judge(struct work *work, const struct refresh_holder *holder)
{
    const struct session_holder *session = &holder->session;
    bool has_mfa = false;

    if (!token_has_word(session->roles, ADMIN_TOKEN_ROLE)) {
        return ERR_INVALID_SCOPE;
    }
    TRY(mfa_store_has(work->pg, holder->sid, &has_mfa));
    if (!has_mfa) {
        return ERR_MFA_ENROLLMENT_REQUIRED;
    }
    if (!token_has_word(session->amr, STR("otp"))) {
        return ERR_REAUTH_REQUIRED;
    }
    return clock_wall_s() - session->auth_time_ms / 1000 <= ADMIN_TOKEN_FRESH_S
               ? OK
               : ERR_REAUTH_REQUIRED;
}

enum error admin_token_mint(const struct session_policy *self, struct work *work,
                            const struct refresh_request *request, struct str *out)
{
    struct refresh_holder holder;

    TRY(refresh_hold(self, work, request, &holder));
    TRY(judge(work, &holder));
    const struct token_subject subject = {
        .sub = holder.session.sub,
        .client_id = request->client_id,
        .sid = holder.sid,
        .auth_ver = holder.session.auth_ver,
        .roles = holder.session.roles,
        .scope = TOKEN_SCOPE_ADMIN,
        .auth_time_s = holder.session.auth_time_ms / 1000,
        .amr = holder.session.amr,
        .audience = &self->tokens->issuer,
        .audience_count = 1,
    };
    return token_issue(self->tokens, work->arena, &subject, out);
}
