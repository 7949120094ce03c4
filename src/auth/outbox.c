/* SPDX-License-Identifier: Apache-2.0 */
#include "outbox.h"

struct outbox_event outbox_row(const struct event *event)
{
    return (struct outbox_event){
        .id = event->id,
        .subject = event->subject,
        .type = str_from(event_type_name(event->type)),
        .is_ordered = event_is_ordered(event->type),
        .data = event->data,
    };
}

void outbox_append(struct pg_tx *tx, const struct event *event)
{
    struct outbox_event row = outbox_row(event);

    outbox_store_append(tx, &row);
}

void outbox_append_mail(struct pg_tx *tx, const struct event *event,
                        const struct outbox_token *token)
{
    struct outbox_event row = outbox_row(event);

    row.expires_ms = token->expires_ms;
    row.token_kid = token->kid;
    row.token_purpose = token->purpose;
    row.token_id = token->id;
    outbox_store_insert(tx, &row);
}
