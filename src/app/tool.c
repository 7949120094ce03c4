/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "process.h"
#include "tool_arguments.h"
#include "tool_database.h"

enum { TEXT_BYTES_MAX = 4096, PROBLEM_BYTES_MAX = 8192 };

static struct tool tool;
static unsigned char memory[TOOL_ARENA_BYTES];

static void tell(const struct tool *self, const char *format, va_list arguments)
{
    (void)fprintf(stderr, "user-service %s: ", self->group->name);
    (void)vfprintf(stderr, format, arguments);
    (void)fputc('\n', stderr);
}

enum error tool_fail(struct tool *self, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tell(self, format, arguments);
    va_end(arguments);
    self->is_told = true;
    self->status = EXIT_FAILURE;
    return ERR_INVALID;
}

enum error tool_misused(struct tool *self, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    tell(self, format, arguments);
    va_end(arguments);
    tool_arguments_usage(stderr, self->group, self->command);
    self->is_told = true;
    self->status = TOOL_EXIT_USAGE;
    return ERR_INVALID;
}

void tool_say(const struct tool *self, const char *format, ...)
{
    va_list arguments;

    if (self->out.is_json) {
        return;
    }
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)putchar('\n');
}

static const struct tool_option *find_option(const struct tool *self, const char *name)
{
    for (size_t i = 0; i < self->option_count; i++) {
        if (str_equal(self->options[i].name, str_from(name))) {
            return &self->options[i];
        }
    }
    return NULL;
}

bool tool_has(const struct tool *self, const char *option)
{
    return find_option(self, option) != NULL;
}

struct str tool_option(const struct tool *self, const char *option)
{
    const struct tool_option *found = find_option(self, option);

    return found == NULL ? STR_EMPTY : found->value;
}

struct str tool_option_words(struct tool *self, const char *option)
{
    struct str list = tool_option(self, option);
    struct buf words = buf_in(&self->arena, list.len);

    while (list.len > 0) {
        struct str word = str_trim(str_cut(&list, ','));

        if (word.len > 0 && words.len > 0) {
            buf_append_byte(&words, ' ');
        }
        buf_append(&words, word);
    }
    return buf_str(&words);
}

static void print_lines(const char *prefix, struct str lines)
{
    while (lines.len > 0) {
        struct str line = str_cut(&lines, '\n');

        (void)fprintf(stderr, "user-service: %s%.*s\n", prefix, STR_ARG(line));
    }
}

static NODISCARD enum error load_config(struct tool *self)
{
    static char problem_memory[PROBLEM_BYTES_MAX];
    static char unknown_memory[PROBLEM_BYTES_MAX];
    struct buf problems = buf_over(problem_memory, sizeof(problem_memory));
    struct buf unknown = buf_over(unknown_memory, sizeof(unknown_memory));
    enum error error = config_load_present(&self->config, &problems, &unknown);

    print_lines("warning: ", buf_str(&unknown));
    print_lines("", buf_str(&problems));
    if (error != OK) {
        self->is_told = true;
        self->status = EXIT_FAILURE;
        return error;
    }
    return OK;
}

/* "cli:ada", or "cli:1000" for one who has no name here. */
static void name_actor(struct tool *self)
{
    char text[TEXT_BYTES_MAX];
    struct passwd account;
    struct passwd *found = NULL;

    if (getpwuid_r(getuid(), &account, text, sizeof(text), &found) == 0 && found != NULL) {
        self->actor.actor = arena_printf(&self->arena, "cli:%s", account.pw_name);
        return;
    }
    self->actor.actor = arena_printf(&self->arena, "cli:%u", (unsigned)getuid());
}

static NODISCARD enum error open_database(struct tool *self)
{
    const char *why = "";

    if (tool_database_open(&self->config, self->data, &self->arena, &self->pg, &why) != OK) {
        return tool_fail(self, "%s", why);
    }
    pg_deadline(self->pg, clock_mono_ms() + TOOL_DEADLINE_MS);
    return OK;
}

static NODISCARD enum error run(struct tool *self)
{
    TRY(tool_arguments_check(self));
    name_actor(self);
    if (!self->command->is_offline) {
        TRY(load_config(self));
        TRY(open_database(self));
    }
    return self->command->run(self);
}

/* What a command did not tell itself. */
static const char *const sentences[ERROR_COUNT] = {
    [ERR_NOT_FOUND] = "there is none of that name",
    [ERR_CONFLICT] = "it is there already",
    [ERR_NO_MATCH] = "it has changed meanwhile, and nothing was done: try again",
    [ERR_NO_SPACE] = "there is more than this command can hold: ask for less",
    [ERR_UNAVAILABLE] = "the database does not answer; whether it was done is unknown: look first",
    [ERR_INTERNAL] = "the database refused it",
    [ERR_IO] = "the answer could not be written; what was asked for was done",
};

static NODISCARD enum error explain(struct tool *self, enum error error)
{
    const char *sentence = sentences[error];
    const char *message = self->pg == NULL ? "" : pg_message(self->pg);

    if (sentence == NULL) {
        return tool_fail(self, "it failed: %s", error_code(error));
    }
    if ((error == ERR_UNAVAILABLE || error == ERR_INTERNAL) && message[0] != '\0') {
        return tool_fail(self, "%s (%s)", sentence, message);
    }
    return tool_fail(self, "%s", sentence);
}

static void end(struct tool *self)
{
    if (self->pg != NULL) {
        pg_free(self->pg);
    }
    arena_reset(&self->arena);
}

int tool_run(const struct tool_group *group, int argc, char **argv)
{
    struct tool *self = &tool;
    enum error error;

    process_harden(); /* new secrets pass through */
    self->group = group;
    self->data = ".local";
    arena_init(&self->arena, memory, sizeof(memory));
    if (tool_arguments_help(group, argc, argv)) {
        return EXIT_SUCCESS;
    }
    error = tool_arguments_parse(self, argc, argv);
    if (error == OK) {
        error = run(self);
    }
    if (error == OK) {
        error = tool_out_end(&self->out);
    }
    if (error != OK && !self->is_told) {
        error = explain(self, error);
    }
    end(self);
    return error == OK ? EXIT_SUCCESS : self->status;
}
