/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_commands.h"

#include "email.h"
#include "mfa_removal.h"
#include "rfc3339.h"
#include "roles.h"

static struct work work_of(struct tool *self)
{
    return (struct work){.pg = self->pg, .arena = &self->arena};
}

static struct administration rules_of(const struct tool *self)
{
    return (struct administration){
        .published = self->config.events,
        .revocation_ttl_s = CONFIG_REVOCATION_TTL_S,
    };
}

static struct administrator operator_of(const struct tool *self)
{
    return (struct administrator){.audit = self->actor, .is_operator = true};
}

static NODISCARD enum error find_by_email(struct tool *self, struct str text,
                                          struct admin_user *out)
{
    const struct keyset one = {.limit = 1};
    struct admin_filter filter = {0};
    struct keyset_found found = {0};
    struct email email;
    const char *why = "";

    if (email_parse(&self->arena, text, &email, &why) != OK) {
        return ERR_NOT_FOUND;
    }
    filter.email_canonical = email.canonical;
    TRY(admin_store_list(self->pg, &self->arena, &filter, &one, out, &found));
    return found.count == 1 ? OK : ERR_NOT_FOUND;
}

/* By address or id; an imported id may look like an address. */
static NODISCARD enum error find_user(struct tool *self, struct admin_user *out)
{
    struct str text = self->arguments[0];
    enum error error = find_by_email(self, text, out);

    if (error == ERR_NOT_FOUND) {
        error = admin_store_get(self->pg, &self->arena, text, out);
    }
    if (error == ERR_NOT_FOUND) {
        return tool_fail(self, "no user has the address or id \"%.*s\"", STR_ARG(text));
    }
    return error;
}

static void show(struct tool *self, const struct admin_user *user)
{
    struct tool_out *out = &self->out;

    tool_out_row(out);
    tool_out_str(out, "id", user->sub);
    tool_out_str(out, "email", user->email);
    tool_out_bool(out, "email_verified", user->email_verified);
    tool_out_str(out, "name", user->name);
    tool_out_str(out, "locale", user->locale);
    tool_out_words(out, "roles", user->roles);
    tool_out_str(out, "status", user->is_active ? STR("active") : STR("disabled"));
    tool_out_time(out, "created_at", user->created_ms);
}

/* As it is now. */
static NODISCARD enum error show_again(struct tool *self, struct str sub)
{
    struct admin_user user;

    TRY(admin_store_get(self->pg, &self->arena, sub, &user));
    show(self, &user);
    return OK;
}

static NODISCARD enum error run_show(struct tool *self)
{
    struct admin_user user;

    TRY(find_user(self, &user));
    show(self, &user);
    return OK;
}

static NODISCARD enum error read_role(struct tool *self, struct str *out)
{
    struct str role = self->arguments[1];

    if (!roles_is_word(role)) {
        return tool_misused(self, "ROLE has 1 to %d of a-z, 0-9, _, : and -, got \"%.*s\"",
                            ROLES_BYTES_MAX, STR_ARG(role));
    }
    *out = role;
    return OK;
}

static NODISCARD enum error run_grant(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct admin_user user;
    struct str role = STR_EMPTY;
    enum error error;

    TRY(read_role(self, &role));
    TRY(find_user(self, &user));
    error = roles_grant(&rules, &work, &by, user.sub, role);
    if (error == ERR_NO_SPACE) {
        return tool_fail(self, "a user has at most %d roles", ROLES_MAX);
    }
    TRY(error);
    return show_again(self, user.sub);
}

static NODISCARD enum error run_revoke_role(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct admin_user user;
    struct str role = STR_EMPTY;

    TRY(read_role(self, &role));
    TRY(find_user(self, &user));
    TRY(roles_revoke(&rules, &work, &by, user.sub, role));
    return show_again(self, user.sub);
}

static NODISCARD enum error run_disable(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct admin_user user;

    TRY(find_user(self, &user));
    TRY(administration_disable(&rules, &work, &by, user.sub));
    return show_again(self, user.sub);
}

static NODISCARD enum error run_enable(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct admin_user user;

    TRY(find_user(self, &user));
    TRY(administration_enable(&rules, &work, &by, user.sub));
    return show_again(self, user.sub);
}

static NODISCARD enum error end_begun(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct str before = tool_option(self, "--before");
    int64_t before_ms = 0;
    int64_t ended = 0;
    enum error error;

    if (self->argument_count > 0) {
        return tool_misused(self, "either a user or --all");
    }
    if (rfc3339_parse(before, &before_ms) != OK) {
        return tool_misused(self, "--before takes a time as in 2026-01-31T23:59:59Z, got \"%.*s\"",
                            STR_ARG(before));
    }
    error = administration_end_begun(&rules, &work, &by, before_ms, &ended);
    if (error == ERR_NO_MATCH) {
        return tool_fail(self,
                         "--before takes a time that has passed, by the database's clock; \"%.*s\""
                         " is still to come",
                         STR_ARG(before));
    }
    TRY(error);
    tool_out_row(&self->out);
    tool_out_i64(&self->out, "ended", ended);
    return OK;
}

static NODISCARD enum error run_revoke_sessions(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct admin_user user;

    if (tool_has(self, "--all")) {
        return end_begun(self);
    }
    if (self->argument_count == 0 || tool_has(self, "--before")) {
        return tool_misused(self, "a user, or --all and --before");
    }
    TRY(find_user(self, &user));
    TRY(administration_end_sessions(&rules, &work, &by, user.sub));
    return show_again(self, user.sub);
}

static NODISCARD enum error run_mfa_remove(struct tool *self)
{
    struct administration rules = rules_of(self);
    struct administrator by = operator_of(self);
    struct work work = work_of(self);
    struct admin_user user;

    TRY(find_user(self, &user));
    TRY(mfa_removal_remove(&rules, &work, &by, user.sub));
    return show_again(self, user.sub);
}

static const struct tool_command commands[] = {
    {
        .name = "show",
        .usage = "EMAIL|ID",
        .summary = "Show a user.",
        .examples = "user-service user show ada@example.com --json\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_show,
    },
    {
        .name = "grant",
        .usage = "EMAIL|ID ROLE",
        .summary = "Give a role; the role admin lets its holder use /v1/admin.",
        .examples = "user-service user grant ada@example.com admin\n",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = run_grant,
    },
    {
        .name = "revoke-role",
        .usage = "EMAIL|ID ROLE",
        .summary = "Take a role away; its holder is logged out everywhere.",
        .examples = "user-service user revoke-role ada@example.com admin\n",
        .arguments_min = 2,
        .arguments_max = 2,
        .run = run_revoke_role,
    },
    {
        .name = "disable",
        .usage = "EMAIL|ID",
        .summary = "No login any more; sessions and tokens end.",
        .examples = "user-service user disable ada@example.com\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_disable,
    },
    {
        .name = "enable",
        .usage = "EMAIL|ID",
        .summary = "Let a disabled user log in again.",
        .examples = "user-service user enable ada@example.com\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_enable,
    },
    {
        .name = "mfa-remove",
        .usage = "EMAIL|ID",
        .summary = "Remove a lost second factor; sessions end and the owner is told.",
        .examples = "user-service user mfa-remove ada@example.com\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_mfa_remove,
    },
    {
        .name = "revoke-sessions",
        .usage = "EMAIL|ID | --all --before TIME",
        .summary = "End all sessions of a user, or all that began before a time.",
        .examples = "user-service user revoke-sessions ada@example.com\n"
                    "user-service user revoke-sessions --all --before 2026-01-31T23:59:59Z\n",
        .options = "--all --before=",
        .arguments_min = 0,
        .arguments_max = 1,
        .run = run_revoke_sessions,
    },
};

const struct tool_group cli_user = {
    .name = "user",
    .summary = "Look at users, give them roles, disable them, end their sessions.",
    .about = "After a database was restored, and before it gets traffic: revoke-sessions --all "
             "--before\n"
             "the time of the restore. Sessions that ended and refresh tokens that were replaced "
             "after the\n"
             "backup would count again otherwise. It publishes no events; the audit trail tells of "
             "it.\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};
