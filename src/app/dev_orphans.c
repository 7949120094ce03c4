/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_orphans.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "clock.h"
#include "dev_child.h"
#include "dev_files.h"

enum { POLL_MS = 20, POLITE_MS = 15000, DEADLINE_MS = 25000 };

static pid_t pid_of(const char *name)
{
    uint64_t pid;

    return str_to_u64(str_from(name), &pid) == OK && pid <= INT_MAX ? (pid_t)pid : 0;
}

static bool link_is(pid_t pid, const char *link, const char *expected)
{
    struct dev_path path = dev_files_path("/proc/%d/%s", (int)pid, link);
    char target[DEV_PATH_BYTES_MAX];
    ssize_t length = readlink(path.text, target, sizeof(target) - 1);

    if (length < 0) {
        return false;
    }
    target[length] = '\0';
    return strcmp(target, expected) == 0;
}

static bool is_postgres(pid_t pid)
{
    struct dev_path path = dev_files_path("/proc/%d/comm", (int)pid);
    char name[32];

    return dev_files_read(path.text, name, sizeof(name)) > 0 && strcmp(name, "postgres\n") == 0;
}

/* Calls nothing for 0; the number of processes found, each sent the signal. */
static unsigned signal_all(const char *data, int signal_number, pid_t *example)
{
    DIR *processes = opendir("/proc");
    unsigned count = 0;

    if (processes == NULL) {
        return 0;
    }
    for (struct dirent *entry = readdir(processes); entry != NULL; entry = readdir(processes)) {
        pid_t pid = pid_of(entry->d_name);
        if (pid == 0 || !is_postgres(pid) || !link_is(pid, "cwd", data)) {
            continue;
        }
        (void)kill(pid, signal_number);
        *example = pid;
        count++;
    }
    (void)closedir(processes);
    return count;
}

static pid_t postmaster_of(const char *data)
{
    struct dev_path path = dev_files_path("%s/postmaster.pid", data);
    char text[64];
    char *rest = text;

    if (dev_files_read(path.text, text, sizeof(text)) <= 0) {
        return 0;
    }
    return pid_of(strsep(&rest, "\n"));
}

/* Fast shutdown: the server then ends its own children. Children without a server end by themselves
 * as they notice. */
static void ask_server(const char *data)
{
    pid_t pid = postmaster_of(data);

    if (pid > 1 && is_postgres(pid) && link_is(pid, "cwd", data)) {
        (void)kill(pid, SIGINT);
    }
}

NODISCARD enum error dev_orphans_end(const char *data)
{
    struct dev_path pid_file = dev_files_path("%s/postmaster.pid", data);
    int64_t start_ms = clock_mono_ms();
    pid_t example = 0;

    ask_server(data);
    while (signal_all(data, clock_mono_ms() - start_ms < POLITE_MS ? 0 : SIGQUIT, &example) > 0) {
        if (clock_mono_ms() - start_ms > DEADLINE_MS) {
            (void)fprintf(stderr, "user-service dev: process %d still uses %s and does not stop\n",
                          (int)example, data);
            return ERR_IO;
        }
        dev_child_sleep_ms(POLL_MS);
    }
    if (unlink(pid_file.text) != 0 && errno != ENOENT) {
        (void)fprintf(stderr, "user-service dev: cannot remove %s: %s\n", pid_file.text,
                      strerror(errno));
        return ERR_IO;
    }
    return OK;
}
