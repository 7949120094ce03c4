/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one result type of the service. Every call that can fail returns it and must be looked at;
 * TRY hands a failure to the caller and is the only macro with control flow.
 *
 * A function logs or returns an error, never both: the log line of a request is written once, at
 * the top. What an error means to a client (status, title, log level) stands in api/problem.c.
 *
 * Threads: pure functions.
 */
#pragma once

#define NODISCARD __attribute__((warn_unused_result))
#define PRINTF_LIKE(text_at, first_at) __attribute__((format(printf, text_at, first_at)))

/* X(symbol, code): the code is what a client reads in a problem document, and what the log says. */
#define ERROR_LIST(X)                                                                              \
    X(ERR_MALFORMED_REQUEST, "malformed_request")                                                  \
    X(ERR_MALFORMED_JSON, "malformed_json")                                                        \
    X(ERR_INVALID_TOKEN, "invalid_token") /* a one-time token: bad, used or expired */             \
    X(ERR_INVALID_CREDENTIALS, "invalid_credentials")                                              \
    X(ERR_UNAUTHENTICATED, "unauthenticated") /* no bearer token, or one that is not valid */      \
    X(ERR_INVALID_REFRESH_TOKEN, "invalid_refresh_token")                                          \
    X(ERR_MFA_REQUIRED, "mfa_required") /* the password was right; a code is owed */               \
    X(ERR_INVALID_MFA_TOKEN, "invalid_mfa_token")                                                  \
    X(ERR_INVALID_CODE, "invalid_code")                                                            \
    X(ERR_EMAIL_UNVERIFIED, "email_unverified")                                                    \
    X(ERR_REAUTH_REQUIRED, "reauth_required")                                                      \
    X(ERR_INSUFFICIENT_SCOPE, "insufficient_scope") /* RFC 6750 section 3.1 */                     \
    X(ERR_NOT_FOUND, "not_found")                                                                  \
    X(ERR_METHOD_NOT_ALLOWED, "method_not_allowed")                                                \
    X(ERR_CLIENT_CONFLICT, "client_conflict")                                                      \
    X(ERR_OWN_ACCOUNT, "own_account") /* administrators do not lock themselves out */              \
    X(ERR_MFA_ENABLED, "mfa_enabled")                                                              \
    X(ERR_MFA_NOT_ENABLED, "mfa_not_enabled")                                                      \
    X(ERR_EMAIL_TAKEN, "email_taken")                                                              \
    X(ERR_BODY_TOO_LARGE, "body_too_large")                                                        \
    X(ERR_UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")                                        \
    X(ERR_VALIDATION, "validation_failed")                                                         \
    X(ERR_TOO_MANY_ATTEMPTS, "too_many_attempts")                                                  \
    X(ERR_INTERNAL, "internal_error")                                                              \
    X(ERR_NO_SIGNING_KEY, "no_signing_key") /* all that the service has are revoked */             \
    X(ERR_OVERLOADED, "overloaded")         /* a queue is full, or cannot answer in time */        \
    X(ERR_UNAVAILABLE, "unavailable") /* the database is away or too slow; outcome may be unknown */

/* What only the OAuth endpoints answer, in the words of RFC 6749 section 5.2. */
#define ERROR_OAUTH_LIST(X)                                                                        \
    X(ERR_UNSUPPORTED_GRANT_TYPE, "unsupported_grant_type")                                        \
    X(ERR_UNAUTHORIZED_CLIENT, "unauthorized_client")                                              \
    X(ERR_INVALID_SCOPE, "invalid_scope")                                                          \
    X(ERR_MFA_ENROLLMENT_REQUIRED, "mfa_enrollment_required")                                      \
    X(ERR_UNSUPPORTED_TOKEN_TYPE, "unsupported_token_type") /* RFC 7009 section 2.2.1 */           \
    X(ERR_INVALID_CLIENT, "invalid_client")

/* What never leaves the service under its own name. */
#define ERROR_INTERNAL_LIST(X)                                                                     \
    X(ERR_DEFER, "defer")       /* memory cannot tell: ask the database */                         \
    X(ERR_NO_SPACE, "no_space") /* an arena or a bounded buffer is full */                         \
    X(ERR_CONFLICT, "conflict") /* a unique constraint; pg_constraint() names it */                \
    X(ERR_NO_MATCH, "no_match") /* expect_one() found no row, or several (SQLSTATE US001) */       \
    X(ERR_INVALID, "invalid")   /* input of a codec or parser is not what it should be */          \
    X(ERR_IO, "io")             /* the operating system said no; errno is set */                   \
    X(ERR_CONFIG, "config")     /* a setting is wrong; the reason has been written */

enum error {
    OK = 0,
#define ERROR_ENUM(symbol, code) symbol,
    ERROR_LIST(ERROR_ENUM) ERROR_OAUTH_LIST(ERROR_ENUM) ERROR_INTERNAL_LIST(ERROR_ENUM)
#undef ERROR_ENUM
        ERROR_COUNT
};

#define TRY(expression)                                                                            \
    do {                                                                                           \
        enum error try_error_ = (expression);                                                      \
        if (try_error_ != OK) {                                                                    \
            return try_error_;                                                                     \
        }                                                                                          \
    } while (0)

/* "ok" or the code of the lists above. */
const char *error_code(enum error error);
