/* SPDX-License-Identifier: Apache-2.0 */
#include "links.h"

/* One kind of link: the variable of its template, and the page that it leads to by default. */
struct links_kind {
    const char *variable;
    const char *page;
};

static const char *template(const struct config *config, struct arena *arena, struct str given,
                            const struct links_kind *kind)
{
    if (given.len > 0) {
        return arena_terminated(arena, given);
    }
    if (!config->pages) {
        log_warn("links in mails lead to the built-in pages, which are off",
                 LOG_CSTR("variable", kind->variable));
    }
    return arena_terminated(arena, arena_printf(arena, "%.*s/%s#token={token}",
                                                STR_ARG(config->public_url), kind->page));
}

void links_fill(const struct config *config, struct arena *arena,
                const char *out[ONETIME_PURPOSE_COUNT])
{
    const struct links_kind verify = {"US_LINK_VERIFY", "verify"};
    const struct links_kind reset = {"US_LINK_RESET", "reset"};

    out[ONETIME_REGISTRATION] = template(config, arena, config->link_verify, &verify);
    out[ONETIME_VERIFICATION] = out[ONETIME_REGISTRATION];
    out[ONETIME_RESET] = template(config, arena, config->link_reset, &reset);
}
