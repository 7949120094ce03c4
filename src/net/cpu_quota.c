/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu_quota.h"

#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    FILE_BYTES_MAX = 4096,
};

static const double hash_part = 0.6;

/* Files. */

/* The content with a NUL; false if it cannot be read. */
static bool read_file(const char *path, char content[FILE_BYTES_MAX])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t len = 0;
    ssize_t got = 1;

    if (fd < 0) {
        return false;
    }
    while (got > 0 && len < FILE_BYTES_MAX - 1) {
        got = read(fd, content + len, FILE_BYTES_MAX - 1 - len);
        len += got > 0 ? (size_t)got : 0;
    }
    close(fd);
    content[len] = '\0';
    return got >= 0;
}

static bool join(char *out, size_t bytes, const char *a, const char *b, const char *c)
{
    int len = snprintf(out, bytes, "%s%s%s", a, b, c);

    return len > 0 && (size_t)len < bytes;
}

/* The decimal number at the start of the text; -1 if there is none. */
static int64_t leading_number(struct str text)
{
    uint64_t number;
    size_t digits = 0;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') {
        digits++;
    }
    if (str_to_u64(str_sub(text, 0, digits), &number) != OK || number > INT64_MAX) {
        return -1;
    }
    return (int64_t)number;
}

static int64_t number_in(const char *folder, const char *file)
{
    char path[PATH_MAX];
    char content[FILE_BYTES_MAX];

    if (!join(path, sizeof(path), folder, file, "") || !read_file(path, content)) {
        return -1;
    }
    return leading_number(str_from(content));
}

/* Quotas. */

/* cgroup v2, cpu.max: "QUOTA PERIOD" or "max PERIOD". 0: none. */
static double quota_v2(const char *folder)
{
    char path[PATH_MAX];
    char content[FILE_BYTES_MAX];
    struct str rest;
    int64_t quota;
    int64_t period;

    if (!join(path, sizeof(path), folder, "/cpu.max", "") || !read_file(path, content)) {
        return 0;
    }
    rest = str_from(content);
    quota = leading_number(str_cut(&rest, ' '));
    period = leading_number(rest);
    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

/* cgroup v1: two files, -1 is none. */
static double quota_v1(const char *folder)
{
    int64_t quota = number_in(folder, "/cpu.cfs_quota_us");
    int64_t period = number_in(folder, "/cpu.cfs_period_us");

    return quota > 0 && period > 0 ? (double)quota / (double)period : 0;
}

static void take_if_tighter(struct cpu_quota *self, double cpus, const char *folder)
{
    if (cpus <= 0 || (self->limited && cpus >= self->cpus)) {
        return;
    }
    self->cpus = cpus;
    self->limited = true;
    if (!join(self->stat_path, sizeof(self->stat_path), folder, "/cpu.stat", "")) {
        self->stat_path[0] = '\0';
    }
}

/* Our own cgroup and those above it. In a container without a cgroup namespace `path` is the
 * host's and only its root is mounted: folders that do not exist say nothing. */
static void look_upwards(struct cpu_quota *self, const char *mount, struct str path,
                         double (*quota)(const char *folder))
{
    char folder[PATH_MAX];

    while (true) {
        while (path.len > 0 && path.ptr[path.len - 1] == '/') {
            path = str_sub(path, 0, path.len - 1);
        }
        if (snprintf(folder, sizeof(folder), "%s%.*s", mount, STR_ARG(path)) <
            (int)sizeof(folder)) {
            take_if_tighter(self, quota(folder), folder);
        }
        if (path.len == 0) {
            return;
        }
        while (path.len > 0 && path.ptr[path.len - 1] != '/') {
            path = str_sub(path, 0, path.len - 1);
        }
    }
}

static bool names_cpu(struct str controllers)
{
    while (controllers.len > 0) {
        if (str_equal(str_cut(&controllers, ','), STR("cpu"))) {
            return true;
        }
    }
    return false;
}

/* A line "ID:CONTROLLERS:PATH" of /proc/self/cgroup; v2 has id 0 and no controllers. */
static void look_at_line(struct cpu_quota *self, const char *root, struct str line)
{
    struct str id = str_cut(&line, ':');
    struct str controllers = str_cut(&line, ':');
    char mount[PATH_MAX];

    if (str_equal(id, STR("0")) && controllers.len == 0) {
        look_upwards(self, root, line, quota_v2);
        return;
    }
    if (!names_cpu(controllers)) {
        return;
    }
    /* Mounted under the list's name, and by custom under "cpu" too. */
    if (snprintf(mount, sizeof(mount), "%s/%.*s", root, STR_ARG(controllers)) <
        (int)sizeof(mount)) {
        look_upwards(self, mount, line, quota_v1);
    }
    if (!self->limited && join(mount, sizeof(mount), root, "/cpu", "")) {
        look_upwards(self, mount, line, quota_v1);
    }
}

static double usable_cpus(void)
{
    cpu_set_t set;
    int count;

    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        count = CPU_COUNT(&set);
        return count > 0 ? count : 1;
    }
    count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count > 0 ? count : 1;
}

struct cpu_quota cpu_quota_read(const char *root, const char *self)
{
    struct cpu_quota quota = {.cpus = 0};
    char content[FILE_BYTES_MAX];
    struct str rest;

    if (read_file(self, content)) {
        rest = str_from(content);
        while (rest.len > 0) {
            look_at_line(&quota, root, str_cut(&rest, '\n'));
        }
    }
    if (!quota.limited) {
        quota.cpus = usable_cpus();
    }
    return quota;
}

unsigned cpu_quota_io_threads(double cpus)
{
    return cpus < 1 ? 1 : (unsigned)floor(cpus);
}

unsigned cpu_quota_hash_workers(double cpus)
{
    double workers = ceil(hash_part * cpus - 1e-9); /* 0.6 * 5 is a little more than 3 */

    return workers < 1 ? 1 : (unsigned)workers;
}

/* Nanoseconds that the cgroup was throttled for; -1 if unknown. v2 counts throttled_usec, v1
 * throttled_time in nanoseconds. */
int64_t cpu_quota_throttled_ns(const char *stat_path)
{
    char content[FILE_BYTES_MAX];
    struct str rest;

    if (stat_path[0] == '\0' || !read_file(stat_path, content)) {
        return -1;
    }
    rest = str_from(content);
    while (rest.len > 0) {
        struct str value = str_cut(&rest, '\n');
        struct str name = str_cut(&value, ' ');
        int64_t number = leading_number(value);

        if (str_equal(name, STR("throttled_usec")) && number >= 0) {
            return number * 1000;
        }
        if (str_equal(name, STR("throttled_time")) && number >= 0) {
            return number;
        }
    }
    return -1;
}
