/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <assert.h>

static const char *const codes[ERROR_COUNT] = {[OK] = "ok",
#define ERROR_CODE(symbol, code) [symbol] = (code),
                                               ERROR_LIST(ERROR_CODE) ERROR_OAUTH_LIST(ERROR_CODE)
                                                   ERROR_INTERNAL_LIST(ERROR_CODE)
#undef ERROR_CODE
};

const char *error_code(enum error error)
{
    assert((unsigned)error < ERROR_COUNT);
    return codes[error];
}
