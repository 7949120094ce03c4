/* SPDX-License-Identifier: Apache-2.0 */
/* The handlers that routes.c names; each file handle_*.c is one interaction. */
#pragma once

#include "device_store.h"
#include "page.h"
#include "refresh.h"
#include "routes.h"

extern const struct route_body handle_register_body;
NODISCARD enum error handle_register(struct request *request);

extern const struct route_body handle_email_verification_body;
extern const struct route_body handle_email_verification_confirm_body;
NODISCARD enum error handle_email_verification(struct request *request);
NODISCARD enum error handle_email_verification_confirm(struct request *request);

extern const struct route_body handle_login_body;
NODISCARD enum error handle_login(struct request *request);
void handle_login_register_metrics(void);
/* What a step of a login came to. */
void handle_login_count(enum error error);
/* The answer of every route that starts a session. */
NODISCARD enum error handle_login_reply(struct request *request, const struct session_grant *grant);

extern const struct route_body handle_refresh_body;
NODISCARD enum error handle_refresh(struct request *request);
/* Of the request's Idempotency-Key, and the default client where none is named. */
struct refresh_request handle_refresh_request(const struct request *request,
                                              struct str refresh_token, struct str client_id);

extern const struct route_body handle_oauth_token_body;
extern const struct route_body handle_oauth_revoke_body;
NODISCARD enum error handle_oauth_token(struct request *request);
NODISCARD enum error handle_oauth_revoke(struct request *request);

extern const struct route_body handle_logout_body;
NODISCARD enum error handle_logout(struct request *request);

extern const struct route_body handle_me_patch_body;
NODISCARD enum error handle_me_get(struct request *request);
NODISCARD enum error handle_me_patch(struct request *request);
/* A user, as /v1/me and registration answer. */
NODISCARD enum error handle_me_reply(struct request *request, int status,
                                     const struct user_profile *profile);

NODISCARD enum error handle_me_sessions_list(struct request *request);
/* A page of sessions, as this list and that of administrators show them. */
NODISCARD enum error handle_me_sessions_reply(struct request *request, const struct page *page,
                                              const struct device *devices,
                                              struct keyset_found found);
NODISCARD enum error handle_me_sessions_end_one(struct request *request);
NODISCARD enum error handle_me_sessions_end_others(struct request *request);
extern const struct route_body handle_me_sessions_reauth_body;
NODISCARD enum error handle_me_sessions_reauth(struct request *request);

extern const struct route_body handle_mfa_login_body;
extern const struct route_body handle_mfa_confirm_body;
NODISCARD enum error handle_mfa_login(struct request *request);
NODISCARD enum error handle_mfa_begin(struct request *request);
NODISCARD enum error handle_mfa_confirm(struct request *request);
NODISCARD enum error handle_mfa_disable(struct request *request);
NODISCARD enum error handle_mfa_renew_recovery(struct request *request);

extern const struct route_body handle_password_change_body;
extern const struct route_body handle_password_ask_body;
extern const struct route_body handle_password_reset_body;
NODISCARD enum error handle_password_change(struct request *request);
NODISCARD enum error handle_password_ask(struct request *request);
NODISCARD enum error handle_password_reset(struct request *request);

NODISCARD enum error handle_metadata_jwks(struct request *request);
NODISCARD enum error handle_metadata(struct request *request);

extern const struct route_body handle_introspect_body;
NODISCARD enum error handle_introspect(struct request *request);

/* /v1/admin */
NODISCARD enum error handle_admin_users_list(struct request *request);
NODISCARD enum error handle_admin_users_get(struct request *request);
NODISCARD enum error handle_admin_users_disable(struct request *request);
NODISCARD enum error handle_admin_users_enable(struct request *request);
NODISCARD enum error handle_admin_users_mfa_remove(struct request *request);
extern const struct route_body handle_admin_users_roles_body;
NODISCARD enum error handle_admin_users_roles(struct request *request);
NODISCARD enum error handle_admin_sessions_list(struct request *request);
NODISCARD enum error handle_admin_sessions_end_all(struct request *request);
NODISCARD enum error handle_admin_sessions_end_one(struct request *request);
NODISCARD enum error handle_admin_clients_list(struct request *request);
NODISCARD enum error handle_admin_clients_get(struct request *request);
extern const struct route_body handle_admin_clients_create_body;
NODISCARD enum error handle_admin_clients_create(struct request *request);
NODISCARD enum error handle_admin_clients_rotate(struct request *request);
NODISCARD enum error handle_admin_clients_disable(struct request *request);
NODISCARD enum error handle_admin_audit_list(struct request *request);
NODISCARD enum error handle_admin_events_list(struct request *request);
NODISCARD enum error handle_admin_events_redeliver(struct request *request);

NODISCARD enum error handle_verify(struct request *request);
NODISCARD enum error handle_verify_below(struct request *request);

NODISCARD enum error handle_users(struct request *request);

NODISCARD enum error handle_health_livez(struct request *request);
NODISCARD enum error handle_health_readyz(struct request *request);
NODISCARD enum error handle_health_metrics(struct request *request);

NODISCARD enum error handle_assets(struct request *request);
