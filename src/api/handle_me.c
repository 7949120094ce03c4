/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>

#include "handlers.h"
#include "json_out.h"
#include "profile.h"

struct patch_body {
    struct str name;
    struct str locale;
};

static const struct json_field fields[] = {
    JSON_TEXT(struct patch_body, name, 1, PROFILE_NAME_CODEPOINTS_MAX, JSON_NULLABLE),
    JSON_TEXT(struct patch_body, locale, 2, PROFILE_LOCALE_BYTES_MAX, JSON_NULLABLE),
};

const struct route_body handle_me_patch_body = {
    fields,
    sizeof(fields) / sizeof(fields[0]),
    sizeof(struct patch_body),
    false,
};

enum error handle_me_reply(struct request *request, int status, const struct user_profile *profile)
{
    struct buf out = buf_in(request->arena, 4096);
    struct json_out json = json_out_to(&out);

    json_object(&json);
    json_member_str(&json, "id", profile->sub);
    json_member_str(&json, "email", profile->email);
    json_member_bool(&json, "email_verified", profile->email_verified);
    json_member_str_or_null(&json, "name", profile->name);
    json_member_str_or_null(&json, "locale", profile->locale);
    json_member_words(&json, "roles", profile->roles);
    json_member_time(&json, "created_at", profile->created_ms);
    json_object_end(&json);
    return request_reply_json(request, status, &out);
}

enum error handle_me_get(struct request *request)
{
    struct user_session session = request_session(request);
    struct user_profile profile;

    TRY(user_store_profile(request->work.pg, request->arena, &session, &profile));
    return handle_me_reply(request, 200, &profile);
}

enum error handle_me_patch(struct request *request)
{
    const struct patch_body *body = request->body;
    struct user_session session = request_session(request);
    struct user_patch patch = {
        .has_name = body->name.ptr != NULL,
        .name = body->name,
        .has_locale = body->locale.ptr != NULL,
        .locale = body->locale,
    };
    struct user_profile profile;

    profile_check(&request->findings, body->name, body->locale);
    if (request->findings.count > 0) {
        return ERR_VALIDATION;
    }
    TRY(user_store_patch(request->work.pg, request->arena, &session, &patch, &profile));
    return handle_me_reply(request, 200, &profile);
}
