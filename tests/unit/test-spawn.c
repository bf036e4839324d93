/* sys/spawn, sys/notify, sys/signals: what a child gets, and what the manager hears. */
#include "test.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/strv.h"
#include "sys/notify.h"
#include "sys/signals.h"
#include "sys/spawn.h"

/* All output of a program run to its end. */
static int run(const SpawnSpec *spec, char *out, size_t size)
{
        Child c = CHILD_NONE;
        size_t n = 0;
        int status;

        assert_int_equal(spawn(spec, &c), 0);
        for (;;) {
                struct pollfd p = {.fd = c.out, .events = POLLIN};
                assert_int_equal(poll(&p, 1, 5000), 1);
                ssize_t k = read(c.out, out + n, size - 1 - n);
                assert_true(k >= 0);
                if (k == 0)
                        break;
                n += (size_t)k;
        }
        out[n] = 0;
        struct pollfd p = {.fd = c.pidfd, .events = POLLIN};
        assert_int_equal(poll(&p, 1, 5000), 1);
        assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
        child_done(&c);
        assert_int_equal(c.out, -EBADF);
        return status;
}

static void test_clean(void **state)
{
        char *argv[] = {(char *)"sh", (char *)"-c",
                        (char *)"env; ls /proc/self/fd | wc -l; pwd; echo err >&2; "
                                "grep -E 'SigBlk|SigIgn' /proc/self/status; exit 3",
                        NULL};
        char *env[] = {(char *)"ONE=1", (char *)"PATH=/usr/bin:/bin", NULL};
        char out[4096], buf[WAIT_STATUS_MAX];
        sigset_t set;

        /* a descriptor without close-on-exec and a blocked signal must not get through */
        _cleanup_close_ int leak = dup(0);
        assert_true(leak >= 0);
        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        assert_int_equal(sigprocmask(SIG_BLOCK, &set, NULL), 0);
        int status = run(&(SpawnSpec){.path = "/bin/sh", .argv = argv, .env = env, .cwd = "/"}, out,
                         sizeof(out));
        assert_string_equal(wait_status_format(buf, status), "exit status 3");
        assert_non_null(strstr(out, "ONE=1\n"));
        assert_null(strstr(out, "HOME="));
        assert_null(strstr(out, "NOTIFY_SOCKET="));
        /* 0 1 2 and the one ls reads the folder with */
        assert_non_null(strstr(out, "\n4\n/\nerr\n"));
        assert_non_null(strstr(out, "SigBlk:\t0000000000000000"));
        /* 32 and 33 are the C library's own: nobody can reset them, make(1) ignores them */
        const char *ignored = strstr(out, "SigIgn:\t");
        assert_non_null(ignored);
        assert_int_equal(strtoull(ignored + strlen("SigIgn:\t"), NULL, 16) & ~(3ULL << 31), 0);
}

static void test_no_program(void **state)
{
        char *argv[] = {(char *)"x", NULL};
        char out[4096];

        int status = run(&(SpawnSpec){.path = "/nonexistent/x", .argv = argv}, out, sizeof(out));
        assert_int_equal(WEXITSTATUS(status), SPAWN_EXIT_EXEC);
        assert_string_equal(out, "cannot execute /nonexistent/x: errno 2\n");
}

static void test_wait_status(void **state)
{
        char buf[WAIT_STATUS_MAX];

        assert_string_equal(wait_status_format(buf, 0), "exit status 0");
        assert_string_equal(wait_status_format(buf, SIGKILL), "killed by SIGKILL");
        assert_string_equal(wait_status_format(buf, SIGSEGV | 0x80),
                            "killed by SIGSEGV (core dumped)");
}

static void heard(int fd, const char *want)
{
        char buf[4096];

        ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);
        assert_true(n > 0);
        buf[n] = 0;
        assert_memory_equal(buf, want, strlen(want));
}

static void test_notify(void **state)
{
        struct sockaddr_un un = {.sun_family = AF_UNIX};
        char path[64];

        _cleanup_close_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        (void)snprintf(path, sizeof(path), "@raycluster-test-%d", (int)getpid());
        strcpy(un.sun_path + 1, path + 1);
        assert_int_equal(bind(fd, (struct sockaddr *)&un,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
                         0);
        assert_int_equal(setenv("NOTIFY_SOCKET", path, 1), 0);
        notify_status("two\nlines, %d", 7);
        heard(fd, "STATUS=two lines, 7");
        notify_ready("serving");
        heard(fd, "READY=1\nSTATUS=serving");
        notify_reloading();
        heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
        notify_stopping("draining");
        heard(fd, "STOPPING=1\nSTATUS=draining");
        notify_extend_timeout(5 * USEC_PER_SEC);
        heard(fd, "EXTEND_TIMEOUT_USEC=5000000");
        assert_int_equal(unsetenv("NOTIFY_SOCKET"), 0);
        notify_status("nobody listens");
}

static void on_stop(int signo, void *userdata)
{
        *(int *)userdata = signo;
}

static void on_reload(void *userdata)
{
        *(int *)userdata = SIGHUP;
}

static void test_signals(void **state)
{
        static const SignalOps ops = {.on_signal_stop = on_stop, .on_signal_reload = on_reload};
        static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGTERM};
        sd_event *event = NULL;
        Signals *s = NULL;
        int seen = 0;

        assert_true(sd_event_new(&event) >= 0);
        assert_int_equal(signals_new(event, &ops, &seen, &s), 0);
        for (size_t i = 0; i < ELEMENTSOF(signals); i++) {
                assert_int_equal(kill(getpid(), signals[i]), 0);
                assert_true(sd_event_run(event, 5 * USEC_PER_SEC) > 0);
                assert_int_equal(seen, signals[i]);
        }
        assert_null(signals_free(s));
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_clean),       cmocka_unit_test(test_no_program),
                cmocka_unit_test(test_wait_status), cmocka_unit_test(test_notify),
                cmocka_unit_test(test_signals),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
