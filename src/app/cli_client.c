/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_commands.h"

#include "client_registry.h"

enum { PAGE_ROWS = 64, PAGE_BYTES = 256 * 1024 };

static struct work work_of(struct tool *self)
{
    return (struct work){.pg = self->pg, .arena = &self->arena};
}

static NODISCARD enum error read_id(struct tool *self, struct uuid *out)
{
    struct str id = self->arguments[0];

    if (codec_uuid_parse(id, out) != OK) {
        return tool_misused(self, "CLIENT_ID is a UUID, got \"%.*s\"", STR_ARG(id));
    }
    return OK;
}

static void show(struct tool_out *out, const struct client_row *row)
{
    tool_out_row(out);
    tool_out_uuid(out, "client_id", row->id);
    tool_out_str(out, "name", row->name);
    tool_out_bool(out, "public", row->is_public);
    tool_out_words(out, "audience", row->audience);
    tool_out_words(out, "scope", row->scope);
    tool_out_time(out, "created_at", row->created_ms);
    tool_out_time(out, "rotated_at", row->rotated_ms);
    tool_out_time(out, "disabled_at", row->disabled_ms);
}

static void show_credentials(struct tool *self, const struct client_credentials *made)
{
    tool_out_row(&self->out);
    tool_out_uuid(&self->out, "client_id", made->id);
    tool_out_str(&self->out, "client_secret", made->secret);
}

static NODISCARD enum error read_words(struct tool *self, const char *option,
                                       struct json_text_list *out)
{
    struct str words = tool_option_words(self, option);

    while (words.len > 0) {
        if (out->count == JSON_LIST_MAX) {
            return tool_misused(self, "%s has at most %d words", option, CLIENTS_WORDS_MAX);
        }
        out->items[out->count++] = str_cut(&words, ' ');
    }
    return OK;
}

static NODISCARD enum error run_create(struct tool *self)
{
    struct client_registration in = {
        .name = self->arguments[0],
        .is_public = tool_has(self, "--public"),
    };
    struct json_findings findings = {0};
    struct client_credentials made;
    struct work work = work_of(self);
    enum error error;

    TRY(read_words(self, "--audience", &in.audience));
    TRY(read_words(self, "--scope", &in.scope));
    if (client_registry_check(&in, &findings) != OK) {
        struct str member = findings.items[0].pointer;
        return tool_misused(self, "%.*s: %.*s", STR_ARG(str_sub(member, 1, member.len)),
                            STR_ARG(findings.items[0].detail));
    }
    error = client_registry_create(NULL, &work, &self->actor, &in, &made);
    if (error == ERR_CONFLICT) {
        return tool_fail(self, "there are %d clients already", CLIENTS_MAX);
    }
    TRY(error);
    show_credentials(self, &made);
    return OK;
}

static NODISCARD enum error run_rotate(struct tool *self)
{
    struct client_credentials made;
    struct work work = work_of(self);
    struct uuid id;
    enum error error;

    TRY(read_id(self, &id));
    error = client_registry_rotate(NULL, &work, &self->actor, id, &made);
    if (error == ERR_NOT_FOUND) {
        return tool_fail(self, "no client has the id %.*s", STR_ARG(self->arguments[0]));
    }
    if (error == ERR_CONFLICT) {
        return tool_fail(self, "client %.*s is public or disabled: it has no secret to rotate",
                         STR_ARG(self->arguments[0]));
    }
    TRY(error);
    show_credentials(self, &made);
    return OK;
}

static NODISCARD enum error run_disable(struct tool *self)
{
    struct work work = work_of(self);
    struct client_row row;
    struct uuid id;
    enum error error;

    TRY(read_id(self, &id));
    error = client_registry_disable(NULL, &work, &self->actor, id);
    if (error == ERR_NOT_FOUND) {
        return tool_fail(self, "no client has the id %.*s", STR_ARG(self->arguments[0]));
    }
    TRY(error);
    TRY(client_store_get(self->pg, &self->arena, id, &row));
    show(&self->out, &row);
    return OK;
}

static NODISCARD enum error run_list(struct tool *self)
{
    void *memory = arena_alloc(&self->arena, PAGE_BYTES);
    struct keyset keyset = {.limit = PAGE_ROWS};
    struct keyset_found found = {.has_more = true};
    struct client_row rows[PAGE_ROWS];
    struct arena page;

    if (memory == NULL) {
        return ERR_NO_SPACE;
    }
    arena_init(&page, memory, PAGE_BYTES);
    tool_out_list(&self->out);
    while (found.has_more) {
        TRY(client_store_list(self->pg, &page, &keyset, rows, &found));
        for (size_t i = 0; i < found.count; i++) {
            show(&self->out, &rows[i]);
        }
        if (found.count > 0) {
            keyset.has_after = true;
            keyset.after = rows[found.count - 1].id;
        }
        arena_reset(&page);
    }
    return OK;
}

static const struct tool_command commands[] = {
    {
        .name = "create",
        .usage = "NAME [--audience NAME,...] [--scope WORD,...] [--public]",
        .summary = "Register a client; its secret is shown this once.",
        .examples = "user-service client create orders --audience orders --scope users:read\n"
                    "user-service client create gateway --audience shop,orders --json\n"
                    "user-service client create mobile-app --public\n",
        .options = "--audience= --scope= --public",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_create,
    },
    {
        .name = "rotate",
        .usage = "CLIENT_ID",
        .summary = "Make a new secret, shown this once; the one before it stays valid.",
        .examples = "user-service client rotate 01981f2c-8d3b-7c1e-9a40-5b6c7d8e9f01\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_rotate,
    },
    {
        .name = "disable",
        .usage = "CLIENT_ID",
        .summary = "End it for good: no token is issued to it, and those it has end.",
        .examples = "user-service client disable 01981f2c-8d3b-7c1e-9a40-5b6c7d8e9f01\n",
        .arguments_min = 1,
        .arguments_max = 1,
        .run = run_disable,
    },
    {
        .name = "list",
        .usage = "",
        .summary = "Show all clients, the newest first.",
        .examples = "user-service client list --json | jq '.[] | select(.disabled_at == null)'\n",
        .run = run_list,
    },
};

const struct tool_group cli_client = {
    .name = "client",
    .summary = "Register, rotate and disable clients.",
    .about =
        "A confidential client has a secret: it gets tokens for itself (client_credentials), and\n"
        "asks about others' (introspection). A public one (--public) logs users in.\n"
        "--audience: whom its tokens are for, and whose tokens it may ask about.\n"
        "--scope: what it may do; users:read lets it look users up, users:admin administrate.\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};
