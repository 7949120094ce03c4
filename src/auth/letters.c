/* SPDX-License-Identifier: Apache-2.0 */
#include "letters.h"

#include "clock.h"
#include "json_out.h"
#include "validity.h"

enum { BATCH = 500, BATCH_MS_MAX = 10000, DETAIL_BYTES_MAX = 512 };

static struct str detail_of(struct arena *arena, const struct letter *letter)
{
    struct buf out = buf_in(arena, DETAIL_BYTES_MAX);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "event_id", codec_uuid_in(arena, letter->id));
    json_member_str(&json, "event_type", letter->type);
    json_object_end(&json);
    return buf_str(&out);
}

enum error letters_redeliver(struct work *work, const struct audit_actor *by, struct uuid id)
{
    struct letter letter;
    struct audit_entry entry = {.type = "event.redelivered"};
    enum error error;
    struct pg_tx tx;

    TRY(letter_store_get(work->pg, work->arena, id, &letter));
    entry.subject = letter.subject;
    entry.detail = detail_of(work->arena, &letter);
    pg_tx_begin(&tx, work->pg);
    validity_require(&tx, by->bearer);
    letter_store_redeliver(&tx, id);
    audit_append(&tx, by, &entry);
    error = validity_commit(&tx, by->bearer);
    if (error == ERR_NO_MATCH) { /* another one was quicker */
        return ERR_NOT_FOUND;
    }
    TRY(error);
    work->has_events = true;
    return OK;
}

enum error letters_redeliver_dead(struct work *work, const struct audit_actor *by, int64_t *count)
{
    const struct audit_entry entry = {.type = "events.redelivered"};
    const int64_t before_ms = clock_wall_ms();
    int64_t total = 0;
    int64_t sent = BATCH;
    struct pg_tx tx;

    pg_tx_begin(&tx, work->pg);
    validity_require(&tx, by->bearer);
    audit_append(&tx, by, &entry);
    TRY(validity_commit(&tx, by->bearer));
    while (sent == BATCH) {
        pg_deadline(work->pg, clock_mono_ms() + BATCH_MS_MAX);
        TRY(letter_store_redeliver_dead(work->pg, before_ms, BATCH, &sent));
        total += sent;
        work->has_events = true;
    }
    *count = total;
    return OK;
}
