/* SPDX-License-Identifier: Apache-2.0 */
#include "audit.h"

#include "audit_store.h"
#include "clock.h"
#include "crypto.h"

void audit_append(struct pg_tx *tx, const struct audit_actor *actor,
                  const struct audit_entry *entry)
{
    const struct audit_row row = {
        .id = crypto_uuid7(clock_wall_ms()),
        .type = str_from(entry->type),
        .actor = actor->actor,
        .subject = entry->subject,
        .request_id = actor->request_id,
        .reason = str_from(entry->reason),
        .network = actor->network,
        .detail = entry->detail,
    };

    audit_store_append(tx, &row);
}
