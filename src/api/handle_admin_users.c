/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "admin.h"
#include "form_in.h"
#include "handlers.h"
#include "json_out.h"
#include "mfa_removal.h"
#include "roles.h"

enum { USER_BYTES_MAX = 3072 };

struct users_query {
    struct str email;
    struct str status;
};

static const struct json_field query_fields[] = {
    JSON_TEXT(struct users_query, email, 1, EMAIL_INPUT_CODEPOINTS_MAX, JSON_OPTIONAL),
    JSON_TEXT(struct users_query, status, 1, 32, JSON_OPTIONAL),
};

struct roles_body {
    struct json_text_list roles;
};

static const struct json_field roles_fields[] = {
    {.name = "roles",
     .type = JSON_TYPE_TEXT_ARRAY,
     .flags = JSON_REQUIRED,
     .offset = offsetof(struct roles_body, roles),
     .codepoints_min = 1,
     .codepoints_max = ROLES_BYTES_MAX},
};

const struct route_body handle_admin_users_roles_body = {
    .fields = roles_fields,
    .count = 1,
    .struct_bytes = sizeof(struct roles_body),
};

static enum error read_filter(struct request *request, struct admin_filter *out)
{
    struct admin_filter filter = {.email_canonical = STR_EMPTY, .status = STR_EMPTY};
    struct users_query query = {0};

    TRY(form_in_decode(request->arena, http_request_query(request->x), query_fields,
                       sizeof(query_fields) / sizeof(query_fields[0]), &query));
    if (query.email.ptr != NULL) {
        struct email email;

        TRY(request_email(request, query.email, STR("/email"), &email));
        filter.email_canonical = email.canonical;
    }
    if (query.status.ptr != NULL) {
        if (!str_equal(query.status, STR("active")) && !str_equal(query.status, STR("disabled"))) {
            return request_invalid(request, STR("/status"), "invalid_value",
                                   "status is active or disabled");
        }
        filter.status = query.status;
    }
    *out = filter;
    return OK;
}

static void write_user(struct json_out *json, const void *items, size_t at)
{
    const struct admin_user *user = (const struct admin_user *)items + at;

    json_object(json);
    json_member_str(json, "id", user->sub);
    json_member_str(json, "email", user->email);
    json_member_bool(json, "email_verified", user->email_verified);
    json_member_str_or_null(json, "name", user->name);
    json_member_str_or_null(json, "locale", user->locale);
    json_member_words(json, "roles", user->roles);
    json_member_str(json, "status", user->is_active ? STR("active") : STR("disabled"));
    json_member_time(json, "created_at", user->created_ms);
    json_object_end(json);
}

enum error handle_admin_users_list(struct request *request)
{
    struct page_items items = {.item_bytes_max = USER_BYTES_MAX, .write = write_user};
    struct admin_filter filter = {.status = STR_EMPTY};
    struct admin_user *users;
    struct page page;
    struct str list;

    TRY(read_filter(request, &filter));
    list = arena_printf(request->arena, "admin/users:%.*s:%.*s", STR_ARG(filter.status),
                        STR_ARG(filter.email_canonical));
    TRY(page_read(request, list, &page));
    users = arena_alloc_array(request->arena, page.keyset.limit, sizeof(*users));
    if (users == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(admin_store_list(request->work.pg, request->arena, &filter, &page.keyset, users,
                         &items.found));
    items.items = users;
    if (items.found.count > 0) {
        items.last = users[items.found.count - 1].id;
    }
    return page_reply(request, &page, &items);
}

enum error handle_admin_users_get(struct request *request)
{
    struct buf out = buf_in(request->arena, 2 * USER_BYTES_MAX);
    struct json_out json = json_out_to(&out);
    struct admin_user user;
    struct str sub = STR_EMPTY;

    TRY(admin_parameter(request, &sub));
    TRY(admin_store_get(request->work.pg, request->arena, sub, &user));
    write_user(&json, &user, 0);
    return request_reply_json(request, 200, &out);
}

enum error handle_admin_users_disable(struct request *request)
{
    struct administration rules = admin_rules(request);
    struct administrator by = admin_actor(request);
    struct str sub = STR_EMPTY;

    TRY(admin_parameter(request, &sub));
    TRY(administration_disable(&rules, &request->work, &by, sub));
    request_reply_empty(request, 204);
    return OK;
}

enum error handle_admin_users_enable(struct request *request)
{
    struct administration rules = admin_rules(request);
    struct administrator by = admin_actor(request);
    struct str sub = STR_EMPTY;

    TRY(admin_parameter(request, &sub));
    TRY(administration_enable(&rules, &request->work, &by, sub));
    request_reply_empty(request, 204);
    return OK;
}

enum error handle_admin_users_mfa_remove(struct request *request)
{
    struct administration rules = admin_rules(request);
    struct administrator by = admin_actor(request);
    struct str sub = STR_EMPTY;

    TRY(admin_parameter(request, &sub));
    TRY(mfa_removal_remove(&rules, &request->work, &by, sub));
    request_reply_empty(request, 204);
    return OK;
}

enum error handle_admin_users_roles(struct request *request)
{
    const struct roles_body *body = request->body;
    struct administration rules = admin_rules(request);
    struct administrator by = admin_actor(request);
    struct str sub = STR_EMPTY;

    TRY(roles_check(&body->roles, &request->findings));
    TRY(admin_parameter(request, &sub));
    TRY(roles_set(&rules, &request->work, &by, sub, &body->roles));
    request_reply_empty(request, 204);
    return OK;
}
