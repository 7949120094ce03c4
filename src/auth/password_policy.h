/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which passwords are taken when one is set; a login never asks (NIST SP 800-63B-4 section 3.1.1.2).
 *
 * - At least US_PASSWORD_MIN_LENGTH code points; at most 256, and 1,024 bytes. Looked at before any
 *   other work. No rules of composition.
 * - Not one of the common passwords (common_passwords.h), nor one of them several times over;
 *   compared as a whole in case-folded NFC.
 * - What anybody would try first does not count: without the user's e-mail address, its local part
 *   (and that without its +tag), and without the names of the service, a password that holds them
 *   must still have the least length. Names of fewer than four code points are no matter.
 *
 * Ownership: findings' texts are in the arena. Threads: any.
 */
#pragma once

#include "json_findings.h"
#include "password.h"

struct password_candidate {
    struct str password;
    struct str email;   /* whose it is to be; empty: not known, then that rule is left out */
    struct str pointer; /* where the password stands in the body */
};

/* ERR_VALIDATION with all that is wrong in `findings`; ERR_NO_SPACE. */
NODISCARD enum error password_policy(const struct passwords *self, struct arena *arena,
                                     const struct password_candidate *in,
                                     struct json_findings *findings);

/* At start: what the service is called. The folded word stays in the arena. */
void password_policy_word(struct passwords *self, struct arena *arena, struct str word);
/* The labels of the URL's host but for the last one (where there are several). */
void password_policy_url(struct passwords *self, struct arena *arena, struct str url);
