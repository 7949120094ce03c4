/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_token.h"

#include "clock.h"

/* "otp" is RFC 8176's word for a one-time password. */
static enum error judge(const struct session_holder *holder)
{
    if (!token_has_word(holder->roles, ADMIN_TOKEN_ROLE)) {
        return ERR_INVALID_SCOPE;
    }
    if (!token_has_word(holder->amr, STR("otp"))) {
        return ERR_MFA_ENROLLMENT_REQUIRED;
    }
    return clock_wall_s() - holder->auth_time_ms / 1000 <= ADMIN_TOKEN_FRESH_S
               ? OK
               : ERR_REAUTH_REQUIRED;
}

enum error admin_token_mint(const struct session_policy *self, struct work *work,
                            const struct refresh_request *request, struct str *out)
{
    struct refresh_holder holder;

    TRY(refresh_hold(self, work, request, &holder));
    TRY(judge(&holder.session));
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
