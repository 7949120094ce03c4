/* SPDX-License-Identifier: Apache-2.0 */
#include "dev_child.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "dev_files.h"

enum { POLL_MS = 5, MAP_BYTES_MAX = 48, EXIT_NOT_STARTED = 127 };

/* What the child tells the parent when it could not become the program. */
struct failure {
    const char *step; /* a literal: the address is the same in both processes */
    int error_number;
};

/* Written before the fork: behind it only async-signal-safe calls are allowed. */
struct id_maps {
    char uid[MAP_BYTES_MAX];
    char gid[MAP_BYTES_MAX];
};

static struct id_maps id_maps_for(const struct dev_identity *identity)
{
    struct id_maps maps;
    unsigned outside_uid = geteuid();
    unsigned outside_gid = getegid();

    (void)snprintf(maps.uid, sizeof(maps.uid), "%u %u 1\n", (unsigned)identity->uid, outside_uid);
    (void)snprintf(maps.gid, sizeof(maps.gid), "%u %u 1\n", (unsigned)identity->gid, outside_gid);
    return maps;
}

static bool write_text(const char *path, const char *text)
{
    size_t length = strlen(text);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool is_written;

    if (fd < 0) {
        return false;
    }
    is_written = write(fd, text, length) == (ssize_t)length;
    (void)close(fd);
    return is_written;
}

/* user_namespaces(7): one line, our own id, and setgroups given up before the group map. */
static bool enter_namespace(const struct id_maps *maps)
{
    return unshare(CLONE_NEWUSER) == 0 && write_text("/proc/self/setgroups", "deny") &&
           write_text("/proc/self/gid_map", maps->gid) &&
           write_text("/proc/self/uid_map", maps->uid);
}

static bool switch_to(const struct dev_identity *identity)
{
    return setgroups(0, NULL) == 0 && setresgid(identity->gid, identity->gid, identity->gid) == 0 &&
           setresuid(identity->uid, identity->uid, identity->uid) == 0;
}

static bool become(const struct dev_identity *identity, const struct id_maps *maps)
{
    switch (identity->kind) {
    case DEV_IDENTITY_SAME:
        return true;
    case DEV_IDENTITY_NAMESPACE:
        return enter_namespace(maps);
    case DEV_IDENTITY_SWITCHED:
        return switch_to(identity);
    }
    return false;
}

static bool redirect(int output_fd)
{
    int null_fd = open("/dev/null", O_RDONLY);

    return null_fd >= 0 && dup2(null_fd, STDIN_FILENO) >= 0 &&
           dup2(output_fd, STDOUT_FILENO) >= 0 && dup2(output_fd, STDERR_FILENO) >= 0;
}

static void reset_signals(void)
{
    sigset_t none;

    (void)sigemptyset(&none);
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Returns the step that failed; does not return when all went well. */
static const char *child_exec(const struct dev_child_options *options, const struct id_maps *maps,
                              pid_t parent)
{
    reset_signals();
    if (setpgid(0, 0) != 0) {
        return "lead a process group";
    }
    if (!redirect(options->output_fd)) {
        return "redirect its output";
    }
    if (!become(&options->identity, maps)) {
        return "change its user";
    }
    /* Only now: a change of user clears it. And the parent may be gone already. */
    if (prctl(PR_SET_PDEATHSIG, options->death_signal) != 0 || getppid() != parent) {
        return "be tied to its parent";
    }
    if (options->working_directory != NULL && chdir(options->working_directory) != 0) {
        return "enter its working directory";
    }
    (void)execve(options->program, options->argv, options->envp);
    return options->program;
}

static NODISCARD enum error report_failure(const struct dev_child_options *options, int pipe_fd,
                                           pid_t pid)
{
    struct failure failure = {0};
    ssize_t received;

    do {
        received = read(pipe_fd, &failure, sizeof(failure));
    } while (received < 0 && errno == EINTR);
    if (received <= 0) {
        return OK; /* closed by a successful exec */
    }
    (void)waitpid(pid, NULL, 0);
    (void)fprintf(stderr, "user-service dev: %s did not start: cannot %s%s: %s\n", options->name,
                  failure.step == options->program ? "run " : "", failure.step,
                  strerror(failure.error_number));
    return ERR_IO;
}

static void child_main(const struct dev_child_options *options, const struct id_maps *maps,
                       pid_t parent, int pipe_fd)
{
    struct failure failure;
    ssize_t sent;

    failure.step = child_exec(options, maps, parent);
    failure.error_number = errno;
    sent = write(pipe_fd, &failure, sizeof(failure));
    _exit(sent == (ssize_t)sizeof(failure) ? EXIT_NOT_STARTED : EXIT_FAILURE);
}

NODISCARD enum error dev_child_start(const struct dev_child_options *options, struct dev_child *out)
{
    struct id_maps maps = id_maps_for(&options->identity);
    pid_t parent = getpid();
    enum error error;
    int ends[2];
    pid_t pid;

    assert(options->program != NULL && options->argv != NULL && options->envp != NULL);
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)fprintf(stderr, "user-service dev: cannot make a pipe: %s\n", strerror(errno));
        return ERR_IO;
    }
    pid = fork();
    if (pid == 0) {
        child_main(options, &maps, parent, ends[1]);
    }
    (void)close(ends[1]);
    if (pid < 0) {
        (void)close(ends[0]);
        (void)fprintf(stderr, "user-service dev: cannot fork for %s: %s\n", options->name,
                      strerror(errno));
        return ERR_IO;
    }
    error = report_failure(options, ends[0], pid);
    (void)close(ends[0]);
    TRY(error);
    *out = (struct dev_child){.name = options->name, .pid = pid};
    return OK;
}

NODISCARD enum error dev_child_run(const struct dev_child_options *options)
{
    struct dev_child child;
    int status = 0;

    TRY(dev_child_start(options, &child));
    while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OK : ERR_IO;
}

bool dev_child_ended(struct dev_child *self, int *status)
{
    int wait_status = 0;

    if (self->pid == 0 || waitpid(self->pid, &wait_status, WNOHANG) != self->pid) {
        return false;
    }
    self->pid = 0;
    *status = wait_status;
    return true;
}

bool dev_child_report_end(struct dev_child *self, const char *log)
{
    const char *name = self->name;
    int status;

    if (!dev_child_ended(self, &status)) {
        return false;
    }
    if (WIFSIGNALED(status)) {
        (void)fprintf(stderr, "user-service dev: %s was ended by signal %d (%s)\n", name,
                      WTERMSIG(status), strsignal(WTERMSIG(status)));
    } else {
        (void)fprintf(stderr, "user-service dev: %s ended with exit status %d\n", name,
                      WEXITSTATUS(status));
    }
    dev_files_tail(log);
    return true;
}

void dev_child_signal(const struct dev_child *self, int signal_number)
{
    if (self->pid != 0) {
        (void)kill(self->pid, signal_number);
    }
}

void dev_child_join(struct dev_child *self, int64_t deadline_ms)
{
    int status;

    while (self->pid != 0 && clock_mono_ms() < deadline_ms) {
        if (!dev_child_ended(self, &status)) {
            dev_child_sleep_ms(POLL_MS);
        }
    }
    if (self->pid == 0) {
        return;
    }
    (void)fprintf(stderr, "user-service dev: %s did not stop in time: killed\n", self->name);
    (void)kill(self->pid, SIGKILL);
    (void)waitpid(self->pid, NULL, 0);
    self->pid = 0;
}

void dev_child_stop(struct dev_child *self, int signal_number, int64_t grace_ms)
{
    dev_child_signal(self, signal_number);
    dev_child_join(self, clock_mono_ms() + grace_ms);
}

bool dev_child_can_namespace(const struct dev_identity *identity)
{
    struct id_maps maps = id_maps_for(identity);
    int status = EXIT_FAILURE;
    pid_t pid = fork();

    if (pid == 0) {
        _exit(enter_namespace(&maps) ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == EXIT_SUCCESS;
}

void dev_child_sleep_ms(int64_t ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (ms % 1000) * 1000000};

    (void)nanosleep(&pause, NULL);
}
