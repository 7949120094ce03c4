/* SPDX-License-Identifier: Apache-2.0 */
#include "admin.h"
#include "handlers.h"

static void mark_current(const struct request *request, struct device *devices, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        devices[i].is_current = uuid_equal(devices[i].id, request->claims.sid);
    }
}

enum error handle_admin_sessions_list(struct request *request)
{
    struct keyset_found found = {0};
    struct device *devices;
    struct admin_user user;
    struct page page;
    struct str sub = STR_EMPTY;

    TRY(admin_parameter(request, &sub));
    TRY(page_read(request, arena_printf(request->arena, "admin/sessions:%.*s", STR_ARG(sub)),
                  &page));
    TRY(admin_store_get(request->work.pg, request->arena, sub, &user));
    devices = arena_alloc_array(request->arena, page.keyset.limit, sizeof(*devices));
    if (devices == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(admin_session_store_list(request->work.pg, request->arena, user.id, &page.keyset, devices,
                                 &found));
    mark_current(request, devices, found.count);
    return handle_me_sessions_reply(request, &page, devices, found);
}

enum error handle_admin_sessions_end_all(struct request *request)
{
    struct administration rules = admin_rules(request);
    struct administrator by = admin_actor(request);
    struct str sub = STR_EMPTY;

    TRY(admin_parameter(request, &sub));
    TRY(administration_end_sessions(&rules, &request->work, &by, sub));
    request_reply_empty(request, 204);
    return OK;
}

enum error handle_admin_sessions_end_one(struct request *request)
{
    struct administration rules = admin_rules(request);
    struct administrator by = admin_actor(request);
    struct uuid id;

    if (codec_uuid_parse(request->parameter, &id) != OK) {
        return ERR_NOT_FOUND;
    }
    TRY(administration_end_session(&rules, &request->work, &by, id));
    request_reply_empty(request, 204);
    return OK;
}
