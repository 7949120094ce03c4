/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An operator's command, such as `user-service client create …`: reads its arguments by a table, opens
 * the database, runs it, prints what it found and says in one sentence what went wrong.
 *
 * The database is that of US_DATABASE_URL; where that is not set, the one of a `user-service dev` that
 * runs with its data in `--data DIR` (default `.local`). No other required setting is needed.
 *
 * Ownership: texts of the arguments and in the arena stay until the process ends. Threads: the main
 * thread only.
 */
#pragma once

#include "audit.h"
#include "config.h"
#include "tool_out.h"

enum {
    TOOL_ARGUMENTS_MAX = 64,
    TOOL_ARENA_BYTES = 512 * 1024,
    TOOL_DEADLINE_MS = 10000, /* of all calls of a command; pg_deadline for more */
    TOOL_EXIT_USAGE = 2
};

struct tool;

struct tool_command {
    const char *name;     /* "create" */
    const char *usage;    /* "NAME [--public] [--scope SCOPE,...]"; "": takes nothing */
    const char *summary;  /* one sentence */
    const char *examples; /* whole lines, each as one would type it */
    const char *options;  /* "--public --scope=": the latter takes a value; NULL: none */
    size_t arguments_min; /* besides options */
    size_t arguments_max;
    bool is_offline; /* works without a database */
    /* OK ends with status 0; an error with 1, and its sentence unless tool_fail has told another. */
    enum error (*run)(struct tool *self);
};

struct tool_group {
    const char *name; /* "client" */
    const char *summary;
    const char *about; /* more for its --help, whole lines; "": nothing */
    const struct tool_command *commands;
    size_t count;
};

struct tool_option {
    struct str name;
    struct str value;
};

struct tool {
    const struct tool_group *group;
    const struct tool_command *command;
    size_t argument_count;
    struct str arguments[TOOL_ARGUMENTS_MAX];
    size_t option_count;
    struct tool_option options[TOOL_ARGUMENTS_MAX];
    const char *data; /* of --data */
    struct arena arena;
    struct config config; /* what is required may be empty */
    struct pg *pg;        /* NULL for an offline command */
    struct audit_actor actor;
    struct tool_out out;
    bool is_told; /* what went wrong */
    int status;
};

/* Runs the sub-command that the arguments name; returns the exit status. */
int tool_run(const struct tool_group *group, int argc, char **argv);

/* Whether the option was given. */
bool tool_has(const struct tool *self, const char *option);
/* Its value; empty when it was not given. */
struct str tool_option(const struct tool *self, const char *option);
/* The words between commas, separated by spaces: "a,b" is "a b". */
struct str tool_option_words(struct tool *self, const char *option);

/* A line for a person; nothing where JSON was asked for. */
void tool_say(const struct tool *self, const char *format, ...) PRINTF_LIKE(2, 3);
/* One sentence on standard error, without a full stop or line break; returns an error to return. */
NODISCARD enum error tool_fail(struct tool *self, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same for wrong usage: the usage line follows, and the exit status is 2. */
NODISCARD enum error tool_misused(struct tool *self, const char *format, ...) PRINTF_LIKE(2, 3);
