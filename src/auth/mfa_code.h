/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Codes of a second factor: six digits of the authenticator, or one of the recovery codes that were
 * handed out with it. Checking and using are apart: the use is queued in the transaction of what the
 * code was given for, so that of two who give the same code at once one gets nowhere.
 *
 * MFA_STORE_FAILURES_MAX codes of a user may fail within an hour, whatever they were given for.
 *
 * Ownership: a proof's texts are in the work's arena. Threads: any, each with its own work.
 */
#pragma once

#include "audit.h"
#include "keyring.h"
#include "mfa_store.h"
#include "work.h"

enum {
    MFA_CODE_CODEPOINTS_MAX = 64,
    MFA_CODE_RECOVERY_COUNT = 10,
    MFA_CODE_RECOVERY_TEXT_BYTES = 30
};

/* A code that is right, and not used yet. */
struct mfa_code_proof {
    struct mfa_use use;
    bool is_recovery;
    struct str amr; /* with the password (RFC 8176): "pwd otp"; of a recovery code "pwd mfa" */
};

/* What is checked. */
struct mfa_code_question {
    const struct keyring *keyring;
    struct uuid user_id;
    struct str code;
    bool is_pending; /* the first code of a factor that is not confirmed */
};

/* ERR_INVALID_CODE; ERR_TOO_MANY_ATTEMPTS with work->retry_after_s; ERR_NOT_FOUND when there is no such
 * factor. */
NODISCARD enum error mfa_code_check(struct work *work, const struct mfa_code_question *question,
                                    struct mfa_code_proof *out);
/* For a proof of a confirmed factor; a recovery code's use is recorded. The transaction ends with
 * ERR_NO_MATCH when the code was used meanwhile. */
void mfa_code_use(struct pg_tx *tx, const struct mfa_code_proof *proof,
                  const struct audit_actor *by);

/* New recovery codes: what their owner keeps, and what is stored of them. */
struct mfa_code_recovery {
    struct str codes[MFA_CODE_RECOVERY_COUNT];
    struct str hashes; /* SHA-256 after SHA-256 */
};
NODISCARD enum error mfa_code_recovery_new(struct arena *arena, struct mfa_code_recovery *out);
