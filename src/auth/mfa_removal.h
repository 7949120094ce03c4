/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How administrators and operators help who has lost the second factor: it is removed with its recovery
 * codes, every session ends, and the owner is told. Logging in takes the password alone from then on.
 *
 * Ownership, threads and errors as administration.h.
 */
#pragma once

#include "administration.h"

/* Without a factor nothing is changed, told or recorded. */
NODISCARD enum error mfa_removal_remove(const struct administration *self, struct work *work,
                                        const struct administrator *by, struct str sub);
