/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_files.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TAIL_BYTES_MAX = 8192, TAIL_LINES_MAX = 8, TREE_DEPTH_MAX = 32 };

static NODISCARD enum error complain(const char *what, const char *path)
{
    (void)fprintf(stderr, "user-service dev: cannot %s %s: %s\n", what, path, strerror(errno));
    return ERR_IO;
}

struct dev_path dev_files_path(const char *format, ...)
{
    struct dev_path path;
    va_list arguments;
    int length;

    va_start(arguments, format);
    length = vsnprintf(path.text, sizeof(path.text), format, arguments);
    va_end(arguments);
    assert(length >= 0 && (size_t)length < sizeof(path.text));
    return path;
}

static NODISCARD enum error make_folders(char *folder)
{
    for (char *at = folder + 1; *at != '\0'; at++) {
        if (*at != '/') {
            continue;
        }
        *at = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            return complain("make the folder", folder);
        }
        *at = '/';
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return complain("make the folder", folder);
    }
    return OK;
}

NODISCARD enum error dev_files_folder(const char *folder, struct dev_path *out)
{
    char copy[DEV_FOLDER_BYTES_MAX];
    char *resolved;
    size_t length = strlen(folder);
    struct stat status;

    if (length == 0 || length >= sizeof(copy)) {
        (void)fprintf(stderr, "user-service dev: --data takes a folder of 1 to %d bytes, got %zu\n",
                      DEV_FOLDER_BYTES_MAX - 1, length);
        return ERR_IO;
    }
    memcpy(copy, folder, length + 1);
    TRY(make_folders(copy));
    resolved = realpath(folder, NULL);
    if (resolved == NULL || stat(resolved, &status) != 0) {
        free(resolved);
        return complain("enter", folder);
    }
    if (!S_ISDIR(status.st_mode) || strlen(resolved) >= DEV_FOLDER_BYTES_MAX) {
        free(resolved);
        errno = ENOTDIR;
        return complain("use as data folder", folder);
    }
    *out = dev_files_path("%s", resolved);
    free(resolved);
    return OK;
}

NODISCARD enum error dev_files_lock(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

    if (fd < 0) {
        return complain("open", path);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return OK; /* the descriptor stays open for as long as the process lives */
    }
    (void)close(fd);
    return errno == EWOULDBLOCK ? ERR_CONFLICT : complain("lock", path);
}

bool dev_files_exist(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0;
}

static void rotate(const char *path)
{
    struct dev_path old = dev_files_path("%s.1", path);
    struct stat status;

    if (stat(path, &status) == 0 && status.st_size > 0) {
        (void)rename(path, old.text);
    }
}

NODISCARD enum error dev_files_log(const char *path, int *out_fd)
{
    int fd;

    rotate(path);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) {
        return complain("open", path);
    }
    *out_fd = fd;
    return OK;
}

long dev_files_read(const char *path, char *out, size_t cap)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0) {
        return -1;
    }
    length = read(fd, out, cap - 1);
    (void)close(fd);
    if (length >= 0) {
        out[length] = '\0';
    }
    return length;
}

/* Where the last TAIL_LINES_MAX lines begin. */
static const char *last_lines(const char *text, size_t length)
{
    size_t at = length > 0 ? length - 1 : 0; /* the newline at the end begins no line */
    unsigned lines = 0;

    while (at > 0) {
        if (text[at - 1] == '\n' && ++lines == TAIL_LINES_MAX) {
            break;
        }
        at--;
    }
    return text + at;
}

void dev_files_tail(const char *path)
{
    char text[TAIL_BYTES_MAX + 1];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length;
    char *rest;

    if (fd < 0) {
        return;
    }
    (void)lseek(fd, -TAIL_BYTES_MAX, SEEK_END); /* a shorter file is read from its start */
    length = read(fd, text, TAIL_BYTES_MAX);
    (void)close(fd);
    text[length < 0 ? 0 : length] = '\0';
    rest = text + (last_lines(text, strlen(text)) - text);
    (void)fprintf(stderr, "the last lines of %s:\n", path);
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        if (*line != '\0') {
            (void)fprintf(stderr, "    %s\n", line);
        }
    }
}

static bool write_all(int fd, struct str content)
{
    while (content.len > 0) {
        ssize_t sent = write(fd, content.ptr, content.len);
        if (sent < 0 && errno != EINTR) {
            return false;
        }
        content = str_sub(content, sent < 0 ? 0 : (size_t)sent, content.len);
    }
    return fsync(fd) == 0;
}

NODISCARD enum error dev_files_write(const char *path, struct str content)
{
    struct dev_path unfinished = dev_files_path("%s.new", path);
    int fd = open(unfinished.text, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    bool is_written;

    if (fd < 0) {
        return complain("write", unfinished.text);
    }
    is_written = write_all(fd, content);
    if (close(fd) != 0 || !is_written) {
        return complain("write", unfinished.text);
    }
    if (rename(unfinished.text, path) != 0) {
        return complain("write", path);
    }
    return OK;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

NODISCARD enum error dev_files_remove_tree(const char *path)
{
    if (!dev_files_exist(path)) {
        return OK;
    }
    if (nftw(path, remove_one, TREE_DEPTH_MAX, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0) {
        return complain("remove", path);
    }
    return OK;
}
