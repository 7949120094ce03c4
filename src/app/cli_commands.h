/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operator's commands, each a table of sub-commands in a file of its own. Threads: the main thread.
 */
#pragma once

#include "tool.h"

extern const struct tool_group cli_user;
extern const struct tool_group cli_client;
extern const struct tool_group cli_keys;
extern const struct tool_group cli_events;
