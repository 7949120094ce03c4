/* SPDX-License-Identifier: Apache-2.0 */
#include "tool_arguments.h"

#include <string.h>

#include "dev_files.h"

static void print_usage_line(FILE *out, const struct tool_group *group,
                             const struct tool_command *command)
{
    (void)fprintf(out, "user-service %s %s%s%s", group->name, command->name,
                  command->usage[0] == '\0' ? "" : " ", command->usage);
}

void tool_arguments_usage(FILE *out, const struct tool_group *group,
                          const struct tool_command *command)
{
    (void)fprintf(out, "usage: ");
    if (command != NULL) {
        print_usage_line(out, group, command);
        (void)fprintf(out, command->is_offline ? "\n" : " [--json] [--data DIR]\n");
        return;
    }
    for (size_t i = 0; i < group->count; i++) {
        (void)fprintf(out, i == 0 ? "" : "       ");
        print_usage_line(out, group, &group->commands[i]);
        (void)fprintf(out, "\n");
    }
}

static const struct tool_command *find_command(const struct tool_group *group, struct str name)
{
    for (size_t i = 0; i < group->count; i++) {
        if (str_equal(name, str_from(group->commands[i].name))) {
            return &group->commands[i];
        }
    }
    return NULL;
}

static void print_examples(const struct tool_command *command)
{
    struct str lines = str_from(command->examples);

    while (lines.len > 0) {
        struct str line = str_cut(&lines, '\n');

        (void)printf("  %.*s\n", STR_ARG(line));
    }
}

static void print_common(void)
{
    (void)printf(
        "\n--json prints JSON. The database is that of US_DATABASE_URL; where that is not\n"
        "set, the one of the `user-service dev` with its data in --data DIR (.local).\n");
}

static void print_command_help(const struct tool_group *group, const struct tool_command *command)
{
    (void)printf("%s\n\n", command->summary);
    tool_arguments_usage(stdout, group, command);
    (void)printf("\nexamples:\n");
    print_examples(command);
    if (!command->is_offline) {
        print_common();
    }
}

static void print_group_help(const struct tool_group *group)
{
    (void)printf("%s\n\n", group->summary);
    tool_arguments_usage(stdout, group, NULL);
    (void)printf("\n");
    for (size_t i = 0; i < group->count; i++) {
        (void)printf("  %-16s %s\n", group->commands[i].name, group->commands[i].summary);
    }
    (void)printf("\nexamples:\n");
    for (size_t i = 0; i < group->count; i++) {
        print_examples(&group->commands[i]);
    }
    if (group->about[0] != '\0') {
        (void)printf("\n%s", group->about);
    }
    print_common();
}

bool tool_arguments_help(const struct tool_group *group, int argc, char **argv)
{
    const struct tool_command *command = NULL;
    bool is_asked = false;

    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        is_asked = is_asked || strcmp(argv[i], "--help") == 0;
        if (command == NULL) {
            command = find_command(group, str_from(argv[i]));
        }
    }
    if (is_asked && command != NULL) {
        print_command_help(group, command);
    } else if (is_asked) {
        print_group_help(group);
    }
    return is_asked;
}

/* How a list such as "--public --scope=" has it. */
enum taken { TAKEN_NOT, TAKEN_ALONE, TAKEN_WITH_VALUE };

static enum taken look_up(const char *list, struct str name)
{
    struct str rest = str_from(list);

    while (rest.len > 0) {
        struct str word = str_cut(&rest, ' ');
        bool has_value = str_ends(word, STR("="));

        if (str_equal(str_sub(word, 0, word.len - (has_value ? 1 : 0)), name)) {
            return has_value ? TAKEN_WITH_VALUE : TAKEN_ALONE;
        }
    }
    return TAKEN_NOT;
}

static NODISCARD enum error keep_data(struct tool *self, struct str value)
{
    self->data = value.ptr; /* an argument's end is terminated */
    if (value.len == 0 || value.len >= DEV_FOLDER_BYTES_MAX) {
        return tool_misused(self, "--data takes a folder of 1 to %d bytes, got %zu",
                            DEV_FOLDER_BYTES_MAX - 1, value.len);
    }
    return OK;
}

static NODISCARD enum error keep_option(struct tool *self, struct str name, struct str value)
{
    if (!str_is_utf8(value)) {
        return tool_misused(self, "the value of %.*s is not UTF-8", STR_ARG(name));
    }
    if (str_equal(name, STR("--json"))) {
        self->out.is_json = true;
        return OK;
    }
    if (str_equal(name, STR("--data"))) {
        return keep_data(self, value);
    }
    if (tool_has(self, arena_terminated(&self->arena, name))) {
        return tool_misused(self, "%.*s is given twice", STR_ARG(name));
    }
    self->options[self->option_count++] = (struct tool_option){name, value};
    return OK;
}

/* One that takes a value may have it in the next argument: then `next` moves on. */
static NODISCARD enum error parse_option(struct tool *self, char **argv, int *next)
{
    struct str value = str_from(argv[*next - 1]);
    bool has_value = strchr(argv[*next - 1], '=') != NULL;
    struct str name = str_cut(&value, '=');
    enum taken taken = look_up("--json --data=", name);

    if (taken == TAKEN_NOT && self->command != NULL) {
        taken = look_up(self->command->options, name);
    }
    if (taken == TAKEN_NOT) {
        return tool_misused(self,
                            "\"%.*s\" is no option of this command (behind -- it is an argument)",
                            STR_ARG(name));
    }
    if (taken == TAKEN_ALONE && has_value) {
        return tool_misused(self, "%.*s takes no value", STR_ARG(name));
    }
    if (taken == TAKEN_WITH_VALUE && !has_value) {
        if (argv[*next] == NULL) {
            return tool_misused(self, "%.*s takes a value", STR_ARG(name));
        }
        value = str_from(argv[(*next)++]);
    }
    return keep_option(self, name, value);
}

static NODISCARD enum error keep_argument(struct tool *self, const char *argument)
{
    if (!str_is_utf8(str_from(argument))) {
        return tool_misused(self, "an argument is not UTF-8");
    }
    self->arguments[self->argument_count++] = str_from(argument);
    return OK;
}

/* The first that is no common option. */
static NODISCARD enum error choose_command(struct tool *self, int argc, char **argv, int *at)
{
    for (int i = 0; i < argc; i++) {
        self->command = find_command(self->group, str_from(argv[i]));
        if (self->command != NULL) {
            *at = i;
            return OK;
        }
        if (strcmp(argv[i], "--data") == 0) {
            i++;
        } else if (strncmp(argv[i], "--", 2) != 0) {
            return tool_misused(self, "\"%s\" is no command of `user-service %s`", argv[i],
                                self->group->name);
        }
    }
    return tool_misused(self, "say what to do");
}

enum error tool_arguments_parse(struct tool *self, int argc, char **argv)
{
    bool is_open = true; /* until "--" */
    int command_at = 0;

    tool_out_start(&self->out, false);
    if (argc > TOOL_ARGUMENTS_MAX) {
        return tool_misused(self, "takes at most %d arguments", TOOL_ARGUMENTS_MAX);
    }
    TRY(choose_command(self, argc, argv, &command_at));
    for (int next = 0; next < argc;) {
        const char *argument = argv[next++];

        if (next - 1 == command_at) {
            continue;
        }
        if (is_open && strcmp(argument, "--") == 0) {
            is_open = false;
        } else if (is_open && argument[0] == '-' && argument[1] != '\0') {
            TRY(parse_option(self, argv, &next));
        } else {
            TRY(keep_argument(self, argument));
        }
    }
    return OK;
}

enum error tool_arguments_check(struct tool *self)
{
    const struct tool_command *command = self->command;

    if (self->argument_count < command->arguments_min) {
        return tool_misused(self, "%s takes more arguments", command->name);
    }
    if (self->argument_count > command->arguments_max) {
        struct str surplus = self->arguments[command->arguments_max];

        return tool_misused(self, "\"%.*s\" is too much", STR_ARG(surplus));
    }
    return OK;
}
