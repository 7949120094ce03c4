/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_commands.h"

#include "letters.h"

enum { PAGE_ROWS = 64, PAGE_BYTES = 256 * 1024 };

static void show(struct tool_out *out, const struct letter *letter)
{
    tool_out_row(out);
    tool_out_uuid(out, "id", letter->id);
    tool_out_str(out, "type", letter->type);
    tool_out_str(out, "subject", letter->subject);
    tool_out_str(out, "state", letter->is_dead ? STR("dead") : STR("pending"));
    tool_out_bool(out, "parked", letter->is_parked);
    tool_out_i64(out, "attempts", letter->attempts);
    tool_out_time(out, "created_at", letter->created_ms);
    tool_out_time(out, "due_at", letter->is_dead ? 0 : letter->due_ms);
    tool_out_str(out, "last_error", letter->last_error);
}

static NODISCARD enum error read_state(struct tool *self, struct letter_filter *out)
{
    struct str state = tool_option(self, "--state");

    out->pending = !tool_has(self, "--state") || str_equal(state, STR("pending"));
    out->dead = !tool_has(self, "--state") || str_equal(state, STR("dead"));
    if (!out->pending && !out->dead) {
        return tool_misused(self, "--state is pending or dead, got \"%.*s\"", STR_ARG(state));
    }
    return OK;
}

static NODISCARD enum error run_list(struct tool *self)
{
    void *memory = arena_alloc(&self->arena, PAGE_BYTES);
    struct letter_filter filter = {.limit = PAGE_ROWS};
    struct keyset_found found = {.has_more = true};
    struct letter rows[PAGE_ROWS];
    struct arena page;

    if (memory == NULL) {
        return ERR_NO_SPACE;
    }
    TRY(read_state(self, &filter));
    arena_init(&page, memory, PAGE_BYTES);
    tool_out_list(&self->out);
    while (found.has_more) {
        TRY(letter_store_list(self->pg, &page, &filter, rows, &found));
        for (size_t i = 0; i < found.count; i++) {
            show(&self->out, &rows[i]);
            filter.after_seq = rows[i].seq;
        }
        arena_reset(&page);
    }
    return OK;
}

static NODISCARD enum error redeliver_dead(struct tool *self, struct work *work)
{
    int64_t count = 0;

    if (self->argument_count > 0) {
        return tool_misused(self, "either an ID or --all-dead");
    }
    TRY(letters_redeliver_dead(work, &self->actor, &count));
    tool_out_row(&self->out);
    tool_out_i64(&self->out, "redelivered", count);
    return OK;
}

static NODISCARD enum error run_redeliver(struct tool *self)
{
    struct work work = {.pg = self->pg, .arena = &self->arena};
    struct str text = self->arguments[0];
    struct uuid id;
    enum error error;

    if (tool_has(self, "--all-dead")) {
        return redeliver_dead(self, &work);
    }
    if (self->argument_count == 0) {
        return tool_misused(self, "an ID or --all-dead");
    }
    if (codec_uuid_parse(text, &id) != OK) {
        return tool_misused(self, "ID is a UUID, got \"%.*s\"", STR_ARG(text));
    }
    error = letters_redeliver(&work, &self->actor, id);
    if (error == ERR_NOT_FOUND) {
        return tool_fail(self, "no dead or parked event has the id %.*s", STR_ARG(text));
    }
    TRY(error);
    tool_out_row(&self->out);
    tool_out_i64(&self->out, "redelivered", 1);
    return OK;
}

static const struct tool_command commands[] = {
    {
        .name = "list",
        .usage = "[--state pending|dead]",
        .summary = "Show what is not delivered, the oldest first.",
        .examples = "user-service events list --state dead\n"
                    "user-service events list --json | jq 'length'\n",
        .options = "--state=",
        .run = run_list,
    },
    {
        .name = "redeliver",
        .usage = "ID | --all-dead",
        .summary = "Send an event again that was given up, or that is parked.",
        .examples = "user-service events redeliver 01981f2c-8d3b-7c1e-9a40-5b6c7d8e9f01\n"
                    "user-service events redeliver --all-dead\n",
        .options = "--all-dead",
        .arguments_min = 0,
        .arguments_max = 1,
        .run = run_redeliver,
    },
};

const struct tool_group cli_events = {
    .name = "events",
    .summary = "List events that wait or were refused, and send them again.",
    .about =
        "A dead event was refused by its receiver, and is not tried again by itself. A parked one\n"
        "has failed for long; it is still tried, and newer ones do not wait for it.\n",
    .commands = commands,
    .count = sizeof(commands) / sizeof(commands[0]),
};
