/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "admin.h"
#include "client_registry.h"
#include "handlers.h"
#include "json_out.h"

enum { CLIENT_BYTES_MAX = 2560 };

static const struct json_field create_fields[] = {
    JSON_TEXT(struct client_registration, name, 1, CLIENT_REGISTRY_NAME_CODEPOINTS_MAX,
              JSON_REQUIRED),
    {.name = "public",
     .type = JSON_TYPE_BOOL,
     .flags = JSON_OPTIONAL,
     .offset = offsetof(struct client_registration, is_public)},
    {.name = "audience",
     .type = JSON_TYPE_TEXT_ARRAY,
     .flags = JSON_OPTIONAL,
     .offset = offsetof(struct client_registration, audience),
     .codepoints_min = 1,
     .codepoints_max = CLIENT_REGISTRY_WORD_BYTES_MAX},
    {.name = "scope",
     .type = JSON_TYPE_TEXT_ARRAY,
     .flags = JSON_OPTIONAL,
     .offset = offsetof(struct client_registration, scope),
     .codepoints_min = 1,
     .codepoints_max = CLIENT_REGISTRY_WORD_BYTES_MAX},
};

const struct route_body handle_admin_clients_create_body = {
    .fields = create_fields,
    .count = sizeof(create_fields) / sizeof(create_fields[0]),
    .struct_bytes = sizeof(struct client_registration),
};

static void write_client(struct json_out *json, const void *items, size_t at)
{
    const struct client_row *row = (const struct client_row *)items + at;

    json_object(json);
    json_member_uuid(json, "client_id", row->id);
    json_member_str(json, "name", row->name);
    json_member_bool(json, "public", row->is_public);
    json_member_words(json, "audience", row->audience);
    json_member_words(json, "scope", row->scope);
    json_member_time(json, "created_at", row->created_ms);
    json_member_time_or_null(json, "rotated_at", row->rotated_ms);
    json_member_time_or_null(json, "disabled_at", row->disabled_ms);
    json_object_end(json);
}

/* The secret is shown this once. */
static enum error reply_credentials(struct request *request, int status,
                                    const struct client_credentials *made)
{
    struct buf out = buf_in(request->arena, 256);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_uuid(&json, "client_id", made->id);
    json_member_str_or_null(&json, "client_secret", made->secret);
    json_object_end(&json);
    return request_reply_json(request, status, &out);
}

static enum error id_of(const struct request *request, struct uuid *out)
{
    return codec_uuid_parse(request->parameter, out) == OK ? OK : ERR_NOT_FOUND;
}

static enum error explained(enum error error)
{
    return error == ERR_CONFLICT ? ERR_CLIENT_CONFLICT : error;
}

enum error handle_admin_clients_list(struct request *request)
{
    struct page_items items = {.item_bytes_max = CLIENT_BYTES_MAX, .write = write_client};
    struct client_row *rows;
    struct page page;

    TRY(page_read(request, STR("admin/clients"), &page));
    rows = arena_alloc_array(request->arena, page.keyset.limit, sizeof(*rows));
    if (rows == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(client_store_list(request->work.pg, request->arena, &page.keyset, rows, &items.found));
    items.items = rows;
    if (items.found.count > 0) {
        items.last = rows[items.found.count - 1].id;
    }
    return page_reply(request, &page, &items);
}

enum error handle_admin_clients_get(struct request *request)
{
    struct buf out = buf_in(request->arena, CLIENT_BYTES_MAX);
    struct json_out json = json_out_to(&out);
    struct client_row row;
    struct uuid id;

    TRY(id_of(request, &id));
    TRY(client_store_get(request->work.pg, request->arena, id, &row));
    write_client(&json, &row, 0);
    return request_reply_json(request, 200, &out);
}

enum error handle_admin_clients_create(struct request *request)
{
    const struct client_registration *in = request->body;
    struct administrator by = admin_actor(request);
    struct client_credentials made;

    TRY(client_registry_check(in, &request->findings));
    TRY(explained(client_registry_create(request->api->options.clients, &request->work, &by.audit,
                                         in, &made)));
    return reply_credentials(request, 201, &made);
}

enum error handle_admin_clients_rotate(struct request *request)
{
    struct administrator by = admin_actor(request);
    struct client_credentials made;
    struct uuid id;

    TRY(id_of(request, &id));
    TRY(explained(client_registry_rotate(request->api->options.clients, &request->work, &by.audit,
                                         id, &made)));
    return reply_credentials(request, 200, &made);
}

enum error handle_admin_clients_disable(struct request *request)
{
    struct administrator by = admin_actor(request);
    struct uuid id;

    TRY(id_of(request, &id));
    TRY(client_registry_disable(request->api->options.clients, &request->work, &by.audit, id));
    request_reply_empty(request, 204);
    return OK;
}
