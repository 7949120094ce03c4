/* SPDX-License-Identifier: Apache-2.0 */
#include "process_metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"
#include "metrics.h"

enum { METRIC_BUILD };

static double started_s;

static double read_start(void *context)
{
    (void)context;
    return started_s;
}

static double read_cpu(void *context)
{
    (void)context;
    return (double)clock_process_cpu_ns() / 1e9;
}

/* The second number of statm: resident pages. */
static double read_resident(void *context)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text));
    struct str rest = {text, length < 0 ? 0 : (size_t)length};
    uint64_t pages = 0;

    (void)context;
    (void)close(fd);
    (void)str_cut(&rest, ' ');
    if (str_to_u64(str_cut(&rest, ' '), &pages) != OK) {
        return 0;
    }
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double read_files(void *context)
{
    DIR *folder = opendir("/proc/self/fd");
    double count = -3; /* ".", "..", and the folder itself */

    (void)context;
    if (folder == NULL) {
        return 0;
    }
    while (readdir(folder) != NULL) {
        count++;
    }
    (void)closedir(folder);
    return count;
}

static double read_dropped(void *context)
{
    (void)context;
    return (double)log_dropped();
}

static struct metric metrics[] = {
    [METRIC_BUILD] = {.name = "user_service_build_info",
                      .type = METRIC_GAUGE,
                      .help = "1; the version is a label.",
                      .labels = {"version"}},
    {.name = "process_start_time_seconds",
     .type = METRIC_GAUGE,
     .help = "Unix time at which the process started.",
     .read = read_start},
    {.name = "process_cpu_seconds_total",
     .type = METRIC_COUNTER,
     .help = "CPU time used.",
     .read = read_cpu},
    {.name = "process_resident_memory_bytes",
     .type = METRIC_GAUGE,
     .help = "Memory in RAM.",
     .read = read_resident},
    {.name = "process_open_fds",
     .type = METRIC_GAUGE,
     .help = "Open file descriptors.",
     .read = read_files},
    {.name = "user_service_log_dropped_total",
     .type = METRIC_COUNTER,
     .help = "Log lines that could not be written.",
     .read = read_dropped},
};

void process_metrics_register(void)
{
    started_s = (double)clock_wall_ms() / 1000.0;
    metrics_register(metrics, sizeof(metrics) / sizeof(metrics[0]));
    metric_set(&metrics[METRIC_BUILD], 1, USER_SERVICE_VERSION, NULL, NULL);
}
