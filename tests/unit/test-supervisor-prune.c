/* supervisor/prune: the plan by itself, then on a tree made for it. */
#include "test.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "supervisor/prune.h"

#define DAY  (24 * 60 * USEC_PER_MIN)
#define NOW  (100 * DAY)
#define KEEP (2 * DAY)

static PruneItem item(const char *name, uint64_t bytes, usec_t age)
{
        return (PruneItem){.path = (char *)name, .bytes = bytes, .changed = NOW - age};
}

/* The names that stay, newest first. */
static char *kept(PruneItem *l, size_t n, const PruneLimits *limits)
{
        static char buf[64];

        prune_plan(l, n, limits, NOW);
        *buf = 0;
        for (size_t i = 0; i < n; i++)
                if (!l[i].gone)
                        strcat(buf, l[i].path);
        return buf;
}

static void test_plan(void **state)
{
        const PruneLimits all = {.bytes = 100, .age = 7 * DAY, .grace = DAY, .count = 3};
        PruneItem age[] = {item("a", 1, 8 * DAY), item("b", 1, 6 * DAY), item("c", 1, 2 * DAY)};
        PruneItem bytes[] = {item("a", 50, 4 * DAY), item("b", 60, 3 * DAY),
                             item("c", 40, 2 * DAY)};
        PruneItem count[] = {item("a", 1, 5 * DAY), item("b", 1, 4 * DAY), item("c", 1, 3 * DAY),
                             item("d", 1, 2 * DAY)};
        PruneItem young[] = {item("a", 1000, DAY / 2), item("b", 1, 2 * DAY)};
        /* a clock that was set back: from the future is not old */
        PruneItem future[] = {{.path = (char *)"f", .bytes = 1, .changed = NOW + DAY}};

        assert_string_equal(kept(age, 3, &all), "cb");
        assert_string_equal(kept(bytes, 3, &all), "cb");
        assert_string_equal(kept(count, 4, &all), "dcb");
        assert_string_equal(kept(young, 2, &all), "a");
        assert_string_equal(kept(future, 1, &all), "f");
        assert_string_equal(kept(NULL, 0, &all), "");
}

static char dir[32];

static void put(const char *name, usec_t age)
{
        _cleanup_free_ char *path = path_join(dir, name);
        usec_t t = NOW - age;
        struct timespec times[2] = {{.tv_sec = (time_t)(t / USEC_PER_SEC)},
                                    {.tv_sec = (time_t)(t / USEC_PER_SEC)}};

        for (char *slash = strchr(path + strlen(dir) + 1, '/'); slash;
             slash = strchr(slash + 1, '/')) {
                *slash = 0;
                (void)mkdir(path, 0700);
                *slash = '/';
        }
        _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        assert_true(fd >= 0);
        assert_int_equal(write(fd, "x", 1), 1);
        assert_int_equal(futimens(fd, times), 0);
}

static bool there(const char *name)
{
        _cleanup_free_ char *path = path_join(dir, name);
        struct stat st;

        return lstat(path, &st) == 0;
}

static void test_tree(void **state)
{
        PruneResult result;

        strcpy(dir, "/tmp/test-prune-XXXXXX");
        assert_non_null(mkdtemp(dir));
        put("session_2026-01-01_old/logs/deep/a.log", 20 * DAY);
        put("session_2026-02-01_new/logs/a.log", KEEP);
        put("session_2026-03-01_cur/logs/raylet.out", 20 * DAY);
        put("session_2026-03-01_cur/logs/worker-old.out", 20 * DAY);
        put("session_2026-03-01_cur/logs/worker-new.out", KEEP);
        put("session_2026-03-01_cur/logs/old/w.out", 20 * DAY);
        put("session_2026-03-01_cur/runtime_resources/x", 20 * DAY);
        put("outside/precious", 20 * DAY);
        put("other", 20 * DAY);
        _cleanup_free_ char *latest = path_join(dir, "session_latest"),
                            *link = path_join(dir, "session_2026-01-01_old/link"),
                            *target = path_join(dir, "outside"),
                            *open_path = path_join(dir, "session_2026-03-01_cur/logs/raylet.out");
        assert_int_equal(symlink("session_2026-03-01_cur", latest), 0);
        assert_int_equal(symlink(target, link), 0);
        /* the session's folders are as young as this test: only their files tell their age */
        struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 1}};
        _cleanup_free_ char *old = path_join(dir, "session_2026-01-01_old");
        assert_int_equal(utimensat(AT_FDCWD, link, times, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(utimensat(AT_FDCWD, old, times, 0), 0);
        /* held open by this process: as old as it may be, it stays */
        _cleanup_close_ int fd = open(open_path, O_RDONLY | O_CLOEXEC);
        assert_true(fd >= 0);

        assert_int_equal(prune_run(dir, NULL, NOW, &result), 0);
        assert_int_equal(result.sessions, 1);
        assert_int_equal(result.files, 2);
        assert_true(result.bytes > 0);
        assert_false(there("session_2026-01-01_old"));
        assert_true(there("session_2026-02-01_new/logs/a.log"));
        assert_true(there("session_2026-03-01_cur/logs/raylet.out"));
        assert_false(there("session_2026-03-01_cur/logs/worker-old.out"));
        assert_true(there("session_2026-03-01_cur/logs/worker-new.out"));
        assert_false(there("session_2026-03-01_cur/logs/old/w.out"));
        assert_true(there("session_2026-03-01_cur/runtime_resources/x"));
        assert_true(there("outside/precious"));
        assert_true(there("other"));
        _cleanup_free_ char *rm = str_printf("rm -r %s", dir);
        assert_int_equal(system(rm), 0);
        assert_int_equal(prune_run(dir, NULL, NOW, &result), -ENOENT);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_plan),
                cmocka_unit_test(test_tree),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
