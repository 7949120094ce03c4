/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A private PostgreSQL for a unit test: unix socket only, in a folder of its own below /tmp, stopped
 * by pid; the server ends with the test even if that crashes. Floor platform and above.
 *
 * Ownership: the struct, which must stay. Threads: start and stop from the main thread.
 */
#pragma once

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "clock.h"
#include "pg.h"

enum { POSTGRES_START_MS = 30000, POSTGRES_CALL_MS = 10000 };

struct test_postgres {
    char folder[32];
    char data[48];
    char bin[64];
    char url[128];
    pid_t pid;
};

/* The newest installed server, as Debian lays them out. */
static inline void test_postgres_find(struct test_postgres *self)
{
    DIR *folder = opendir("/usr/lib/postgresql");
    const struct dirent *entry;
    long newest = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        const long version = strtol(entry->d_name, NULL, 10);

        newest = version > newest ? version : newest;
    }
    closedir(folder);
    assert_true(newest > 0);
    (void)snprintf(self->bin, sizeof(self->bin), "/usr/lib/postgresql/%ld/bin", newest);
}

/* PostgreSQL refuses root. */
static inline const struct passwd *test_postgres_account(void)
{
    const struct passwd *account = getpwnam("postgres");

    return account != NULL ? account : getpwnam("nobody");
}

static inline pid_t test_postgres_run(struct test_postgres *self, char *arguments[])
{
    char program[96];
    pid_t child;

    (void)snprintf(program, sizeof(program), "%s/%s", self->bin, arguments[0]);
    child = fork();
    if (child != 0) {
        return child;
    }
    if (geteuid() == 0) {
        const struct passwd *account = test_postgres_account();

        if (setgroups(0, NULL) != 0 || setgid(account->pw_gid) != 0 ||
            setuid(account->pw_uid) != 0) {
            _exit(126);
        }
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after setuid, which clears it */
    if (chdir(self->folder) == 0) {
        const int log = open("log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        arguments[0] = program; /* initdb looks for its siblings where it was called */
        (void)dup2(log, STDOUT_FILENO);
        (void)dup2(log, STDERR_FILENO);
        (void)execv(program, arguments);
    }
    _exit(127);
}

/* One or several statements without parameters, as they would be typed. */
static inline void test_postgres_sql(const char *url, const char *sql)
{
    const struct pg_options options = {.url = url, .connect_timeout_ms = POSTGRES_CALL_MS};
    struct pg *pg = pg_new(&options);
    enum error error;

    pg_deadline(pg, clock_mono_ms() + POSTGRES_CALL_MS);
    error = pg_execute(pg, sql);
    if (error != OK) {
        fail_msg("%s: %s\n%s", error_code(error), pg_message(pg), sql);
    }
    pg_free(pg);
}

static inline void test_postgres_await(const struct test_postgres *self)
{
    const struct pg_options options = {.url = self->url, .connect_timeout_ms = 1000};
    const int64_t until_ms = clock_mono_ms() + POSTGRES_START_MS;
    struct pg *pg = pg_new(&options);

    pg_deadline(pg, clock_mono_ms() + 1000);
    while (pg_ready(pg) != OK) {
        if (clock_mono_ms() > until_ms) {
            fail_msg("PostgreSQL did not start, see %s/log: %s", self->folder, pg_message(pg));
        }
        (void)poll(NULL, 0, 20);
        pg_deadline(pg, clock_mono_ms() + 1000);
    }
    pg_free(pg);
}

static inline void test_postgres_start(struct test_postgres *self)
{
    char *initdb[] = {(char[]){"initdb"}, (char[]){"-D"},         self->data,
                      (char[]){"-N"},     (char[]){"-A"},         (char[]){"trust"},
                      (char[]){"-U"},     (char[]){"owner"},      (char[]){"-E"},
                      (char[]){"UTF8"},   (char[]){"--locale=C"}, NULL};
    char *postgres[] = {(char[]){"postgres"},
                        (char[]){"-D"},
                        self->data,
                        (char[]){"-k"},
                        self->folder,
                        (char[]){"-c"},
                        (char[]){"listen_addresses="},
                        (char[]){"-c"},
                        (char[]){"fsync=off"},
                        (char[]){"-c"},
                        (char[]){"autovacuum=off"},
                        NULL};
    int status = 0;

    *self = (struct test_postgres){.folder = "/tmp/us-test-XXXXXX"};
    test_postgres_find(self);
    assert_non_null(mkdtemp(self->folder));
    if (geteuid() == 0) {
        const struct passwd *account = test_postgres_account();

        assert_int_equal(chown(self->folder, account->pw_uid, account->pw_gid), 0);
    }
    (void)snprintf(self->data, sizeof(self->data), "%s/data", self->folder);
    (void)snprintf(self->url, sizeof(self->url), "postgresql://owner@/postgres?host=%s",
                   self->folder);
    assert_int_equal(waitpid(test_postgres_run(self, initdb), &status, 0) > 0, 1);
    assert_int_equal(status, 0);
    self->pid = test_postgres_run(self, postgres);
    test_postgres_await(self);
}

static inline void test_postgres_remove(const char *folder)
{
    DIR *entries = opendir(folder);
    const struct dirent *entry;

    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char path[512];

        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) {
            continue;
        }
        (void)snprintf(path, sizeof(path), "%.200s/%s", folder, entry->d_name);
        if (entry->d_type == DT_DIR) {
            test_postgres_remove(path);
        } else {
            (void)unlink(path);
        }
    }
    if (entries != NULL) {
        closedir(entries);
    }
    (void)rmdir(folder);
}

static inline void test_postgres_stop(struct test_postgres *self)
{
    if (self->pid > 0) {
        (void)kill(self->pid, SIGQUIT); /* nothing here is worth a checkpoint */
        (void)waitpid(self->pid, NULL, 0);
    }
    self->pid = 0;
    test_postgres_remove(self->folder);
}
