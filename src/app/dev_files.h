/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files and folders of `user-service dev`: the data folder, its logs, what is written once.
 *
 * Ownership: paths are the caller's buffers. Threads: the main thread only.
 * Errors: ERR_IO, with the reason on standard error.
 */
#pragma once

#include <limits.h>

#include "str.h"

enum { DEV_PATH_BYTES_MAX = PATH_MAX, DEV_FOLDER_BYTES_MAX = 1024 };

/* In the data folder: the connection string of the database, while it runs. */
#define DEV_FILES_DATABASE "database"

struct dev_path {
    char text[DEV_PATH_BYTES_MAX];
};

/* A path that is too long ends the process: the data folder's length was checked before. */
struct dev_path dev_files_path(const char *format, ...) PRINTF_LIKE(1, 2);
/* Makes the folder (0700, with those above it) if it is missing, and resolves it. */
NODISCARD enum error dev_files_folder(const char *folder, struct dev_path *out);
/* Held by this process until it ends; a child does not inherit it. ERR_CONFLICT (nothing written)
 * when another process holds it. */
NODISCARD enum error dev_files_lock(const char *path);
bool dev_files_exist(const char *path);
/* A new one to append to, 0600; that of the last start becomes `path`.1. */
NODISCARD enum error dev_files_log(const char *path, int *out_fd);
/* The last lines, indented, to standard error. */
void dev_files_tail(const char *path);
/* The whole file with 0600, durable, or none of it. */
NODISCARD enum error dev_files_write(const char *path, struct str content);
/* Reads up to `cap` - 1 bytes and terminates them; the length, or -1 if it cannot be read. */
long dev_files_read(const char *path, char *out, size_t cap);
/* A folder and all below it; nothing to do for one that is not there. */
NODISCARD enum error dev_files_remove_tree(const char *path);
