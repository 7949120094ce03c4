/* SPDX-License-Identifier: Apache-2.0 */
#include "roles.h"

#include "json_out.h"

/* Of two changes at once the second one looks again. */
enum { TRIES_MAX = 4, DETAIL_BYTES_MAX = 2048 };

bool roles_is_word(struct str word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != ':' &&
            c != '-') {
            return false;
        }
    }
    return word.len > 0 && word.len <= ROLES_BYTES_MAX;
}

static bool has(const struct json_text_list *list, size_t count, struct str word)
{
    for (size_t i = 0; i < count; i++) {
        if (str_equal(list->items[i], word)) {
            return true;
        }
    }
    return false;
}

static const char *judge_roles(const struct json_text_list *roles)
{
    if (roles->count > ROLES_MAX) {
        return "at most 16 roles";
    }
    for (size_t i = 0; i < roles->count; i++) {
        if (!roles_is_word(roles->items[i])) {
            return "each role has 1 to 32 of a-z, 0-9, _, : and -";
        }
        if (has(roles, i, roles->items[i])) {
            return "each role stands once";
        }
    }
    return NULL;
}

enum error roles_check(const struct json_text_list *roles, struct json_findings *findings)
{
    const char *why = judge_roles(roles);

    if (why == NULL) {
        return OK;
    }
    json_findings_add(findings, STR("/roles"), "invalid_value", str_from(why));
    return ERR_VALIDATION;
}

/* ERR_NO_SPACE when there are more than a list takes, which nobody can have given. */
static enum error list_of(struct str words, struct json_text_list *out)
{
    out->count = 0;
    while (words.len > 0) {
        if (out->count == JSON_LIST_MAX) {
            return ERR_NO_SPACE;
        }
        out->items[out->count++] = str_cut(&words, ' ');
    }
    return OK;
}

static struct str words_of(struct arena *arena, const struct json_text_list *list)
{
    struct buf out = buf_in(arena, JSON_LIST_MAX * (ROLES_BYTES_MAX + 1));

    for (size_t i = 0; i < list->count; i++) {
        buf_append(&out, i > 0 ? STR(" ") : STR_EMPTY);
        buf_append(&out, list->items[i]);
    }
    return buf_str(&out);
}

/* Those of `list` that are not in `other`. */
static size_t difference(const struct json_text_list *list, const struct json_text_list *other,
                         struct json_out *json)
{
    size_t count = 0;

    json_array(json);
    for (size_t i = 0; i < list->count; i++) {
        if (!has(other, other->count, list->items[i])) {
            json_str(json, list->items[i]);
            count++;
        }
    }
    json_array_end(json);
    return count;
}

struct role_change {
    struct admin_user user;
    struct json_text_list seen;
    size_t added;
    size_t removed;
    struct str detail; /* for the audit */
};

static void compare(struct arena *arena, const struct json_text_list *wanted,
                    struct role_change *out)
{
    struct buf buf = buf_in(arena, DETAIL_BYTES_MAX);
    struct json_out json = json_out_to(&buf);

    json_object(&json);
    json_key(&json, "added");
    out->added = difference(wanted, &out->seen, &json);
    json_key(&json, "removed");
    out->removed = difference(&out->seen, wanted, &json);
    json_object_end(&json);
    out->detail = buf_str(&buf);
}

static enum error look(struct work *work, struct str sub, struct role_change *out)
{
    TRY(admin_store_get(work->pg, work->arena, sub, &out->user));
    return list_of(out->user.roles, &out->seen);
}

/* ERR_NO_MATCH: somebody else was first. */
static enum error try_roles(const struct administration *self, struct work *work,
                            const struct administrator *by, struct role_change *change,
                            const struct json_text_list *wanted)
{
    struct audit_entry entry = {.type = "user.roles_changed", .subject = change->user.sub};
    struct pg_tx tx;

    compare(work->arena, wanted, change);
    if (change->added == 0 && change->removed == 0) {
        return OK;
    }
    if (administration_is_own(by, change->user.sub) &&
        has(&change->seen, change->seen.count, ROLES_ADMIN) &&
        !has(wanted, wanted->count, ROLES_ADMIN)) {
        return ERR_OWN_ACCOUNT;
    }
    entry.detail = change->detail;
    administration_begin(&tx, work, by, change->user.sub);
    admin_store_set_roles(&tx, &change->user, words_of(work->arena, wanted));
    if (change->removed > 0) {
        administration_end_tokens(self, &tx, &change->user);
    }
    audit_append(&tx, &by->audit, &entry);
    TRY(administration_commit(work, &tx, by));
    if (change->removed > 0) {
        administration_settle(self, work);
    }
    return OK;
}

enum error roles_set(const struct administration *self, struct work *work,
                     const struct administrator *by, struct str sub,
                     const struct json_text_list *roles)
{
    enum error error = ERR_NO_MATCH;

    for (int i = 0; i < TRIES_MAX && error == ERR_NO_MATCH; i++) {
        struct role_change change;

        TRY(look(work, sub, &change));
        error = try_roles(self, work, by, &change, roles);
    }
    return error == ERR_NO_MATCH ? ERR_UNAVAILABLE : error;
}

/* The roles that the user has, with or without that one. */
static enum error with_role(const struct json_text_list *seen, struct str role, bool wanted,
                            struct json_text_list *out)
{
    out->count = 0;
    for (size_t i = 0; i < seen->count; i++) {
        if (!str_equal(seen->items[i], role)) {
            out->items[out->count++] = seen->items[i];
        }
    }
    if (wanted && out->count >= ROLES_MAX) {
        return ERR_NO_SPACE;
    }
    if (wanted) {
        out->items[out->count++] = role;
    }
    return OK;
}

struct one_role {
    struct str role;
    bool wanted;
};

static enum error change_one(const struct administration *self, struct work *work,
                             const struct administrator *by, struct str sub,
                             const struct one_role *one)
{
    enum error error = ERR_NO_MATCH;

    for (int i = 0; i < TRIES_MAX && error == ERR_NO_MATCH; i++) {
        struct role_change change;
        struct json_text_list roles;

        TRY(look(work, sub, &change));
        TRY(with_role(&change.seen, one->role, one->wanted, &roles));
        error = try_roles(self, work, by, &change, &roles);
    }
    return error == ERR_NO_MATCH ? ERR_UNAVAILABLE : error;
}

enum error roles_grant(const struct administration *self, struct work *work,
                       const struct administrator *by, struct str sub, struct str role)
{
    const struct one_role one = {role, true};

    return change_one(self, work, by, sub, &one);
}

enum error roles_revoke(const struct administration *self, struct work *work,
                        const struct administrator *by, struct str sub, struct str role)
{
    const struct one_role one = {role, false};

    return change_one(self, work, by, sub, &one);
}
