/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "cpu_quota.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A cgroup file system in a temporary folder. */

static char root[64];
static char self_path[128];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(root, sizeof(root), "/tmp/cpu_quota.XXXXXX");
    assert_non_null(mkdtemp(root));
    (void)snprintf(self_path, sizeof(self_path), "%s/self", root);
    return 0;
}

static int remove_one(const char *path, const struct stat *facts, int type, struct FTW *walk)
{
    (void)facts;
    (void)type;
    (void)walk;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Makes the folders of `path` below the root too. */
static void put(const char *path, const char *content)
{
    char full[512];
    FILE *file;

    (void)snprintf(full, sizeof(full), "%s/%s", root, path);
    for (char *at = strchr(full + strlen(root) + 1, '/'); at != NULL; at = strchr(at + 1, '/')) {
        *at = '\0';
        assert_true(mkdir(full, 0700) == 0 || errno == EEXIST);
        *at = '/';
    }
    file = fopen(full, "w");
    assert_non_null(file);
    assert_true(fputs(content, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct cpu_quota look(const char *self)
{
    put("self", self);
    return cpu_quota_read(root, self_path);
}

static double cpus_of_this_process(void)
{
    cpu_set_t set;

    assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
    return CPU_COUNT(&set);
}

static void assert_limit(struct cpu_quota quota, double cpus, const char *stat)
{
    char path[256];

    assert_true(quota.limited);
    if (fabs(quota.cpus - cpus) > 1e-9) {
        fail_msg("got %f CPUs, expected %f", quota.cpus, cpus);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", root, stat);
    assert_string_equal(quota.stat_path, path);
}

static void assert_no_limit(struct cpu_quota quota)
{
    assert_false(quota.limited);
    assert_true(fabs(quota.cpus - cpus_of_this_process()) < 1e-9);
    assert_string_equal(quota.stat_path, "");
}

static void v2_own_cgroup(void **state)
{
    (void)state;
    put("pod/box/cpu.max", "25000 100000\n");
    assert_limit(look("0::/pod/box\n"), 0.25, "pod/box/cpu.stat");
}

static void v2_takes_the_tightest_of_all_levels(void **state)
{
    (void)state;
    put("cpu.max", "max 100000\n");
    put("a/cpu.max", "90000 100000\n");
    put("a/b/cpu.max", "50000 200000\n");
    put("a/b/c/cpu.max", "max 100000\n");
    put("a/b/c/d/cpu.max", "80000 100000\n");
    assert_limit(look("0::/a/b/c/d\n"), 0.25, "a/b/cpu.stat");
}

/* A cgroup namespace: our own cgroup is the root. */
static void v2_in_a_namespace(void **state)
{
    (void)state;
    put("cpu.max", "75000 100000\n");
    assert_limit(look("0::/\n"), 0.75, "cpu.stat");
}

/* The path is the host's, the mount only ours. */
static void v2_path_that_is_not_mounted(void **state)
{
    (void)state;
    put("cpu.max", "60000 100000\n");
    assert_limit(look("0::/kubepods/burstable/pod1/abc\n"), 0.6, "cpu.stat");
}

static void v2_without_a_limit(void **state)
{
    (void)state;
    put("cpu.max", "max 100000\n");
    put("a/cpu.max", "max 100000\n");
    assert_no_limit(look("0::/a\n"));
}

static const char *const v1_self = "12:pids:/kube/pod\n"
                                   "4:cpu,cpuacct:/kube/pod\n"
                                   "2:cpuset:/kube\n"
                                   "1:name=systemd:/kube/pod\n"
                                   "0::/kube/pod\n";

static void v1_own_cgroup(void **state)
{
    (void)state;
    put("cpu,cpuacct/kube/pod/cpu.cfs_quota_us", "50000\n");
    put("cpu,cpuacct/kube/pod/cpu.cfs_period_us", "100000\n");
    assert_limit(look(v1_self), 0.5, "cpu,cpuacct/kube/pod/cpu.stat");
}

static void v1_takes_the_tightest_of_all_levels(void **state)
{
    (void)state;
    put("cpu,cpuacct/kube/pod/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/kube/pod/cpu.cfs_period_us", "100000\n");
    put("cpu,cpuacct/kube/cpu.cfs_quota_us", "30000\n");
    put("cpu,cpuacct/kube/cpu.cfs_period_us", "100000\n");
    put("cpu,cpuacct/cpu.cfs_quota_us", "90000\n");
    put("cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    assert_limit(look(v1_self), 0.3, "cpu,cpuacct/kube/cpu.stat");
}

/* Fargate: the path is the host's, the controller mounted as "cpu". */
static void v1_mounted_as_cpu(void **state)
{
    (void)state;
    put("cpu/cpu.cfs_quota_us", "25600\n");
    put("cpu/cpu.cfs_period_us", "102400\n");
    assert_limit(look("3:cpu,cpuacct:/ecs/task/box\n"), 0.25, "cpu/cpu.stat");
}

static void v1_without_a_limit(void **state)
{
    (void)state;
    put("cpu,cpuacct/kube/pod/cpu.cfs_quota_us", "-1\n");
    put("cpu,cpuacct/kube/pod/cpu.cfs_period_us", "100000\n");
    assert_no_limit(look(v1_self));
}

static void what_cannot_be_read_is_no_limit(void **state)
{
    static const char *const contents[] = {
        "",        "max",      "x 100000",  "50000",
        "50000 0", "0 100000", "-5 100000", "99999999999999999999 1"};

    (void)state;
    assert_no_limit(cpu_quota_read("/nonexistent", "/nonexistent/self"));
    assert_no_limit(look(""));
    assert_no_limit(look("garbage\n:::\n0:\n"));
    for (size_t i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        put("a/cpu.max", contents[i]);
        assert_no_limit(look("0::/a\n"));
    }
}

static void threads_for_a_quota(void **state)
{
    static const struct {
        double cpus;
        unsigned io;
        unsigned hash;
    } rows[] = {
        {0.25, 1, 1}, {0.5, 1, 1}, {1, 1, 1}, {1.5, 1, 1}, {1.7, 1, 2}, {2, 2, 2},
        {3, 3, 2},    {4, 4, 3},   {5, 5, 3}, {8, 8, 5},   {10, 10, 6}, {16, 16, 10},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(cpu_quota_io_threads(rows[i].cpus), rows[i].io);
        assert_int_equal(cpu_quota_hash_workers(rows[i].cpus), rows[i].hash);
    }
}

/* The pace. */

static const int64_t second = 1000 * 1000 * 1000;

static void the_next_start_keeps_below_the_share(void **state)
{
    struct cpu_quota quota = {.cpus = 2};
    struct cpu_pace *pace = cpu_pace_new(&quota, 3);

    (void)state;
    /* 12 ms of three workers in 0.6 of two CPUs: 12 * 3 / 1.2 = 30 ms. */
    assert_in_range(cpu_pace_next_ns(pace, 1000, 12000000), 30000999, 30001001);
    assert_int_equal(cpu_pace_next_ns(pace, 1000, 0), 1000);
    assert_int_equal(cpu_pace_next_ns(pace, 1000, -5), 1000);
    cpu_pace_free(pace);
}

static void assert_share(const struct cpu_pace *pace, double share)
{
    if (fabs(cpu_pace_share(pace) - share) > 1e-9) {
        fail_msg("the share is %f, expected %f", cpu_pace_share(pace), share);
    }
}

static void put_throttled(const char *name, int64_t value)
{
    char text[256];

    (void)snprintf(text, sizeof(text), "nr_periods 10\nnr_throttled 3\n%s %lld\nusage_usec 7\n",
                   name, (long long)value);
    put("cpu.stat", text);
}

/* `unit` is what a nanosecond is in the file. */
static void share_follows(const char *name, int64_t unit)
{
    struct cpu_quota quota = {.cpus = 1, .limited = true};
    struct cpu_pace *pace;
    int64_t now = 1000 * second;
    int64_t throttled = 77 * second;

    (void)snprintf(quota.stat_path, sizeof(quota.stat_path), "%s/cpu.stat", root);
    put_throttled(name, throttled / unit);
    pace = cpu_pace_new(&quota, 1);
    assert_share(pace, 0.6);
    cpu_pace_tick(pace, now); /* what was before our time does not count */
    assert_share(pace, 0.6);

    now += second;
    throttled += second / 200; /* 0.5 % */
    put_throttled(name, throttled / unit);
    cpu_pace_tick(pace, now);
    assert_share(pace, 0.6);

    now += second;
    throttled += second / 50; /* 2 % */
    put_throttled(name, throttled / unit);
    cpu_pace_tick(pace, now);
    assert_share(pace, 0.3);
    cpu_pace_tick(pace, now + second / 10); /* too soon to look again */
    assert_share(pace, 0.3);

    now += second;
    throttled += second / 2;
    put_throttled(name, throttled / unit);
    cpu_pace_tick(pace, now);
    assert_share(pace, 0.2); /* the floor */

    for (int i = 0; i < 9; i++) {
        now += second;
        cpu_pace_tick(pace, now);
        assert_share(pace, 0.2);
    }
    now += second;
    cpu_pace_tick(pace, now);
    assert_share(pace, 0.25);
    for (int i = 0; i < 100; i++) {
        now += second;
        cpu_pace_tick(pace, now);
    }
    assert_share(pace, 0.6); /* the ceiling */
    assert_true(cpu_pace_next_ns(pace, 0, 6) == 10);
    cpu_pace_free(pace);
}

static void the_share_follows_v2(void **state)
{
    (void)state;
    share_follows("throttled_usec", 1000);
}

static void the_share_follows_v1(void **state)
{
    (void)state;
    share_follows("throttled_time", 1);
}

static void without_cpu_stat_the_share_stays(void **state)
{
    struct cpu_quota quota = {.cpus = 1};
    struct cpu_pace *pace = cpu_pace_new(&quota, 1);

    (void)state;
    for (int i = 1; i < 30; i++) {
        cpu_pace_tick(pace, i * second);
    }
    assert_share(pace, 0.6);
    cpu_pace_free(pace);
    assert_int_equal(cpu_quota_throttled_ns(""), -1);
    assert_int_equal(cpu_quota_throttled_ns("/nonexistent"), -1);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(v2_own_cgroup),
        IN_FOLDER(v2_takes_the_tightest_of_all_levels),
        IN_FOLDER(v2_in_a_namespace),
        IN_FOLDER(v2_path_that_is_not_mounted),
        IN_FOLDER(v2_without_a_limit),
        IN_FOLDER(v1_own_cgroup),
        IN_FOLDER(v1_takes_the_tightest_of_all_levels),
        IN_FOLDER(v1_mounted_as_cpu),
        IN_FOLDER(v1_without_a_limit),
        IN_FOLDER(what_cannot_be_read_is_no_limit),
        cmocka_unit_test(threads_for_a_quota),
        cmocka_unit_test(the_next_start_keeps_below_the_share),
        IN_FOLDER(the_share_follows_v2),
        IN_FOLDER(the_share_follows_v1),
        cmocka_unit_test(without_cpu_stat_the_share_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
