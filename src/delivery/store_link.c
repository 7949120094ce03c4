/* SPDX-License-Identifier: Apache-2.0 */
#include "store_link.h"

#include "clock.h"
#include "log.h"

void store_link_open(struct store_link *self, const struct pg_options *options, const char *owner)
{
    *self = (struct store_link){.owner = owner, .options = *options};
    self->pg = pg_new(&self->options);
}

void store_link_close(struct store_link *self)
{
    pg_free(self->pg);
}

struct pg *store_link_pg(struct store_link *self)
{
    pg_deadline(self->pg, clock_mono_ms() + STORE_LINK_DEADLINE_MS);
    return self->pg;
}

bool store_link_did(struct store_link *self, enum error error)
{
    if (error == OK) {
        if (self->away) {
            log_info("database answers again", LOG_CSTR("thread", self->owner));
        }
        self->away = false;
        return true;
    }
    if (!self->away) {
        log_error("database call failed", LOG_CSTR("thread", self->owner),
                  LOG_CSTR("error", error_code(error)), LOG_CSTR("reason", pg_message(self->pg)));
    }
    self->away = true;
    return false;
}
