/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cursors of lists: <kid>.<id>.<mac>, where in the list the next page begins, bound to whose list it
 * is. A client cannot make one, so a list cannot be entered where it should not.
 *
 * Ownership: texts are in the arena. Threads: any. Errors: ERR_INVALID.
 */
#pragma once

#include "keyring.h"

/* `list` names the list and its owner: "sessions:<sub>". */
struct str cursor_make(const struct keyring *keyring, struct arena *arena, struct str list,
                       struct uuid last);
NODISCARD enum error cursor_read(const struct keyring *keyring, struct arena *arena,
                                 struct str list, struct str cursor, struct uuid *out);
