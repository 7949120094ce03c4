/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "audit_store.h"
#include "form_in.h"
#include "handlers.h"
#include "json_out.h"

enum { ENTRY_BYTES_MAX = 4096 };

static const struct json_field query_fields[] = {
    JSON_TEXT(struct audit_filter, subject, 1, 64, JSON_OPTIONAL),
    JSON_TEXT(struct audit_filter, type, 1, 64, JSON_OPTIONAL),
    JSON_TEXT(struct audit_filter, request_id, 1, 128, JSON_OPTIONAL),
};

static void write_entry(struct json_out *json, const void *items, size_t at)
{
    const struct audit_row *row = (const struct audit_row *)items + at;

    json_object(json);
    json_member_uuid(json, "id", row->id);
    json_member_time(json, "at", row->at_ms);
    json_member_str(json, "type", row->type);
    json_member_str(json, "actor", row->actor);
    json_member_str_or_null(json, "subject", row->subject);
    json_member_str_or_null(json, "request_id", row->request_id);
    json_member_str_or_null(json, "reason", row->reason);
    json_member_str_or_null(json, "network", row->network);
    json_member_raw(json, "detail", row->detail.len > 0 ? row->detail : STR("null"));
    json_object_end(json);
}

enum error handle_admin_audit_list(struct request *request)
{
    struct page_items items = {.item_bytes_max = ENTRY_BYTES_MAX, .write = write_entry};
    struct audit_filter filter = {0};
    struct audit_row *rows;
    struct page page;
    struct str list;

    TRY(form_in_decode(request->arena, http_request_query(request->x), query_fields,
                       sizeof(query_fields) / sizeof(query_fields[0]), &filter));
    list = arena_printf(request->arena, "admin/audit:%.*s\n%.*s\n%.*s", STR_ARG(filter.subject),
                        STR_ARG(filter.type), STR_ARG(filter.request_id));
    TRY(page_read(request, list, &page));
    rows = arena_alloc_array(request->arena, page.keyset.limit, sizeof(*rows));
    if (rows == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(audit_store_list(request->work.pg, request->arena, &filter, &page.keyset, rows,
                         &items.found));
    items.items = rows;
    if (items.found.count > 0) {
        items.last = rows[items.found.count - 1].id;
    }
    return page_reply(request, &page, &items);
}
