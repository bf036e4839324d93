#include "sys/spawn.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"

/* In the child, between fork and exec: only what signal-safety(7) allows. */
static void say_error(const char *what, const char *path, int error)
{
        char digits[12];
        size_t i = sizeof(digits);

        /* strerror() is not on the list; the number is for the parent's sentence */
        digits[--i] = '\n';
        do
                digits[--i] = (char)('0' + error % 10);
        while ((error /= 10) > 0 && i > 0);
        (void)!write(STDERR_FILENO, what, strlen(what));
        (void)!write(STDERR_FILENO, path, strlen(path));
        (void)!write(STDERR_FILENO, ": errno ", 8);
        (void)!write(STDERR_FILENO, digits + i, sizeof(digits) - i);
}

static void reset_signals(void)
{
        sigset_t none;

        for (int i = 1; i <= SIGRTMAX; i++)
                (void)signal(i, SIG_DFL);
        sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static _Noreturn void child_exec(const SpawnSpec *spec, int out)
{
        static char *const nothing[] = {NULL};

        reset_signals();
        (void)setsid();
        int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
            dup2(out, STDERR_FILENO) < 0)
                _exit(SPAWN_EXIT_EXEC);
        if (close_range(STDERR_FILENO + 1, ~0U, 0) < 0)
                say_error("cannot close descriptors of ", spec->path, errno);
        else if (spec->cwd && chdir(spec->cwd) < 0)
                say_error("cannot enter ", spec->cwd, errno);
        else {
                (void)execve(spec->path, spec->argv, spec->env ? spec->env : nothing);
                say_error("cannot execute ", spec->path, errno);
        }
        _exit(SPAWN_EXIT_EXEC);
}

int spawn(const SpawnSpec *spec, Child *ret)
{
        _cleanup_close_ int rd = -EBADF, wr = -EBADF;
        int fds[2];

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        rd = fds[0];
        wr = fds[1];
        int flags = fcntl(rd, F_GETFL);
        if (flags < 0 || fcntl(rd, F_SETFL, flags | O_NONBLOCK) < 0)
                return -errno;
        pid_t pid = fork();
        if (pid < 0)
                return -errno;
        if (pid == 0)
                child_exec(spec, wr);
        /* not reaped before we do it, so the number cannot be somebody else's */
        int pidfd = pidfd_open(pid, 0);
        if (pidfd < 0) {
                int r = -errno;
                (void)kill(pid, SIGKILL);
                (void)waitpid(pid, NULL, 0);
                return r;
        }
        *ret = (Child){.pid = pid, .pidfd = pidfd, .out = TAKE_FD(rd)};
        return 0;
}

void child_done(Child *c)
{
        c->pidfd = safe_close(c->pidfd);
        c->out = safe_close(c->out);
}

char *wait_status_format(char buf[WAIT_STATUS_MAX], int status)
{
        if (WIFEXITED(status))
                (void)snprintf(buf, WAIT_STATUS_MAX, "exit status %d", WEXITSTATUS(status));
        else if (WIFSIGNALED(status)) {
                const char *name = sigabbrev_np(WTERMSIG(status));
                (void)snprintf(buf, WAIT_STATUS_MAX, "killed by SIG%s%s", name ? name : "-unknown",
                               WCOREDUMP(status) ? " (core dumped)" : "");
        } else
                (void)snprintf(buf, WAIT_STATUS_MAX, "wait status 0x%x", (unsigned)status);
        return buf;
}
