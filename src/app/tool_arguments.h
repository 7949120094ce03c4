/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The arguments of an operator's command and its help. `--json` and `--data DIR` may stand anywhere, as
 * may a sub-command's options: `--name VALUE` or `--name=VALUE`; behind `--` nothing is an option.
 *
 * Threads: the main thread.
 */
#pragma once

#include <stdio.h>

#include "tool.h"

/* True if help was asked for, and printed: that of the sub-command, if one was named. */
bool tool_arguments_help(const struct tool_group *group, int argc, char **argv);
/* Finds the sub-command, its options and its arguments. ERR_INVALID was told. */
NODISCARD enum error tool_arguments_parse(struct tool *self, int argc, char **argv);
/* Whether there are as many arguments as the sub-command takes. ERR_INVALID was told. */
NODISCARD enum error tool_arguments_check(struct tool *self);
/* "usage: user-service client create NAME …", a line for each sub-command where `command` is NULL. */
void tool_arguments_usage(FILE *out, const struct tool_group *group,
                          const struct tool_command *command);
