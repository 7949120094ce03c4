/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From table revocations into the set, page after page. A read is: begin, pages until there are no
 * more, then what the news ask for, done.
 *
 * Ownership: the set must stay. Threads: one, the feed's.
 */
#pragma once

#include "revocation.h"

struct revocation_reader {
    struct revocations *set;
    struct revocation_reading reading;
    /* News of the reads since the last one that was done: those tables are to be read anew. */
    bool clients_changed;
    bool keys_changed;
};

/* The next read takes all that has not expired, and knows nothing of those two tables. */
void revocation_reader_restart(struct revocation_reader *self, struct revocations *set);
void revocation_reader_begin(struct revocation_reader *self);
NODISCARD enum error revocation_reader_page(struct revocation_reader *self, struct pg *pg,
                                            bool *more);
/* `began_ms` (clock_mono_ms) was taken before the first page was asked for. */
void revocation_reader_done(struct revocation_reader *self, int64_t began_ms);
