/* SPDX-License-Identifier: Apache-2.0 */
#include "revocation_reader.h"

#include "clock.h"

static void add(struct revocations *set, const struct revocation_row *row)
{
    /* By this clock, which judges the tokens too. */
    const int64_t expires_s = clock_wall_s() + row->expires_in_s;

    if (row->is_session) {
        revocation_add_session(set, row->session_id, expires_s);
    }
    if (row->is_subject) {
        revocation_add_subject(set, row->subject, row->min_auth_ver, expires_s);
    }
}

static void take(void *context, const struct revocation_row *row)
{
    struct revocation_reader *self = context;

    add(self->set, row);
    self->clients_changed = self->clients_changed || row->clients_changed;
    self->keys_changed = self->keys_changed || row->keys_changed;
}

void revocation_reader_restart(struct revocation_reader *self, struct revocations *set)
{
    revocation_set_moment(set, NULL); /* it may be another server's */
    self->set = set;
    self->clients_changed = true;
    self->keys_changed = true;
    revocation_store_beginning(&self->reading.since);
}

void revocation_reader_begin(struct revocation_reader *self)
{
    self->reading.last_xid = 0;
}

enum error revocation_reader_page(struct revocation_reader *self, struct pg *pg, bool *more)
{
    const struct revocation_taker taker = {take, self};

    return revocation_store_read(pg, &self->reading, &taker, more);
}

void revocation_reader_done(struct revocation_reader *self, int64_t began_ms)
{
    self->reading.since = self->reading.now;
    self->clients_changed = false;
    self->keys_changed = false;
    revocation_set_moment(self->set, &self->reading.now);
    revocation_read(self->set, began_ms);
}

static void take_for_set(void *context, const struct revocation_row *row)
{
    add(context, row);
}

static enum error read_since(struct revocations *self, struct pg *pg,
                             struct revocation_reading *reading)
{
    const struct revocation_taker taker = {take_for_set, self};
    bool more = true;

    reading->last_xid = 0;
    while (more) {
        TRY(revocation_store_read(pg, reading, &taker, &more));
    }
    return OK;
}

void revocation_catch_up(struct revocations *self, struct pg *pg)
{
    struct revocation_reading reading;

    if (!revocation_get_moment(self, &reading.since) || read_since(self, pg, &reading) != OK) {
        revocation_doubt(self);
    }
}
