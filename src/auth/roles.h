/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Roles of users: words that other services give a meaning; `admin` is the one of this service. Who
 * loses one is logged out everywhere, since it stands in their tokens.
 *
 * Ownership: texts are in the work's arena. Threads: any, each with its own work.
 * Errors: as administration.h.
 */
#pragma once

#include "administration.h"
#include "json_in.h"

enum { ROLES_MAX = 16, ROLES_BYTES_MAX = 32 };

#define ROLES_ADMIN STR("admin")

/* 1 to 32 of a-z, 0-9, underscore, colon and hyphen. */
bool roles_is_word(struct str word);
/* ERR_VALIDATION with a finding at /roles: a word that is none, one that stands twice, too many. */
NODISCARD enum error roles_check(const struct json_text_list *roles,
                                 struct json_findings *findings);

/* Exactly these; the list has passed the check above. */
NODISCARD enum error roles_set(const struct administration *self, struct work *work,
                               const struct administrator *by, struct str sub,
                               const struct json_text_list *roles);
/* One more. ERR_NO_SPACE above ROLES_MAX. */
NODISCARD enum error roles_grant(const struct administration *self, struct work *work,
                                 const struct administrator *by, struct str sub, struct str role);
/* One less. */
NODISCARD enum error roles_revoke(const struct administration *self, struct work *work,
                                  const struct administrator *by, struct str sub, struct str role);
