/* sys/procs: the tree by a made-up /proc and by our own children; ends are seen with their cause.
 */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "sys/procs.h"

static void fake(const char *dir, int pid, const char *comm, char state, int ppid, int code)
{
        char path[128], text[256];

        (void)snprintf(path, sizeof(path), "%s/%d", dir, pid);
        assert_int_equal(mkdir(path, 0700), 0);
        (void)snprintf(path, sizeof(path), "%s/%d/stat", dir, pid);
        int n = snprintf(text, sizeof(text), "%d (%s) %c %d 1 1 0 %d\n", pid, comm, state, ppid,
                         code);
        assert_int_equal(write_file_atomic(path, text, (size_t)n, 0600, (gid_t)-1), 0);
}

static void test_tree(void **state)
{
        char dir[] = "/tmp/test-procs-XXXXXX";
        _cleanup_free_ Proc *l = NULL;
        size_t n = 0;
        int status;
        Proc p;

        assert_non_null(mkdtemp(dir));
        fake(dir, 1, "init", 'S', 0, 0);
        fake(dir, 10, "ray", 'S', 1, 0);
        fake(dir, 30, "raylet", 'S', 10, 0);
        fake(dir, 20, "gcs) S 1 (x", 'S', 10, 0);
        fake(dir, 40, "worker", 'Z', 30, 9);
        fake(dir, 15, "stranger", 'S', 1, 0);
        /* the parent has the greater number */
        fake(dir, 5, "deep", 'S', 40, 0);
        assert_int_equal(procs_descendants(dir, 10, &l, &n), 0);
        assert_int_equal(n, 4);
        assert_int_equal(l[0].pid, 20);
        assert_string_equal(l[0].comm, "gcs) S 1 (x");
        assert_int_equal(l[1].pid, 30);
        assert_int_equal(l[2].pid, 40);
        assert_int_equal(l[3].pid, 5);
        assert_int_equal(proc_read(dir, 40, &p, &status), 0);
        assert_int_equal(status, 9);
        assert_int_equal(proc_read(dir, 30, &p, &status), 0);
        assert_int_equal(status, -1);
        assert_int_equal(proc_read(dir, 99, &p, NULL), -ESRCH);
        _cleanup_free_ char *rm = str_printf("rm -r %s", dir);
        assert_int_equal(system(rm), 0);
}

typedef struct Seen {
        int n, status, n_reaped;
} Seen;

static void on_ended(ProcWatch *w, pid_t pid, int status, void *userdata)
{
        Seen *s = userdata;
        s->n++;
        s->status = status;
}

static void on_reaped(pid_t pid, int status, void *userdata)
{
        ((Seen *)userdata)->n_reaped++;
}

/* A child that starts a grandchild, tells its number, and waits. */
static pid_t family(pid_t *ret_grandchild)
{
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
                pid_t grandchild = fork();
                if (grandchild > 0)
                        (void)!write(fds[1], &grandchild, sizeof(grandchild));
                for (;;)
                        (void)pause();
        }
        assert_int_equal(read(fds[0], ret_grandchild, sizeof(pid_t)), sizeof(pid_t));
        close(fds[0]);
        close(fds[1]);
        return child;
}

static void test_ends(void **state)
{
        _cleanup_(proc_watch_freep) ProcWatch *a = NULL, *b = NULL;
        _cleanup_(reaper_freep) Reaper *reaper = NULL;
        _cleanup_strv_free_ char **cmdline = NULL;
        _cleanup_free_ Proc *l = NULL;
        sd_event *event = NULL;
        Seen seen = {};
        pid_t grandchild;
        size_t n = 0;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(reaper_new(event, on_reaped, &seen, &reaper), 0);
        pid_t child = family(&grandchild);
        assert_int_equal(procs_descendants(NULL, getpid(), &l, &n), 0);
        assert_int_equal(n, 2);
        assert_int_equal(l[0].pid, child);
        assert_int_equal(l[1].pid, grandchild);
        assert_int_equal(proc_cmdline(NULL, child, &cmdline), 0);
        assert_non_null(strstr(cmdline[0], "test-procs"));
        assert_int_equal(proc_watch_new(event, grandchild, getpid(), on_ended, &seen, &a), -ESRCH);
        assert_int_equal(proc_watch_new(event, grandchild, child, on_ended, &seen, &a), 0);
        assert_int_equal(proc_watch_kill(a, SIGKILL), 0);
        while (seen.n < 1)
                assert_true(sd_event_run(event, 5000000) > 0);
        assert_int_equal(seen.status, SIGKILL);
        /* its own child's zombie is taken over and reaped after the child's end */
        assert_int_equal(proc_watch_new(event, child, getpid(), on_ended, &seen, &b), 0);
        assert_int_equal(proc_watch_kill(b, SIGTERM), 0);
        while (seen.n < 2 || seen.n_reaped < 2)
                assert_true(sd_event_run(event, 5000000) > 0);
        assert_int_equal(seen.status, SIGTERM);
        assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
        b = proc_watch_free(b);
        reaper = reaper_free(reaper);
        a = proc_watch_free(a);
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_tree),
                cmocka_unit_test(test_ends),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
