#include "cli/out.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"

static pid_t arg_pager; /* 0 = none */

bool out_colour(void)
{
        const char *term = getenv("TERM");

        return (isatty(STDOUT_FILENO) || arg_pager > 0) && !getenv("NO_COLOR") && term &&
               !streq(term, "dumb");
}

static void run_pager(int fd)
{
        const char *pager = getenv("RAYCLUSTER_PAGER");

        (void)dup2(fd, STDIN_FILENO);
        setenv("LESS", "FRXMK", 1);   /* not S: sentences are to be read whole */
        setenv("LESSSECURE", "1", 1); /* no shell out of a pager that root looks through */
        if (pager)
                execlp("sh", "sh", "-c", pager, NULL);
        execlp("less", "less", NULL);
        execlp("cat", "cat", NULL);
        _exit(127);
}

void out_page(const Cli *cli)
{
        int fd[2];

        if (cli->no_pager || !isatty(STDOUT_FILENO) || streq(strempty(getenv("TERM")), "dumb"))
                return;
        if (pipe2(fd, O_CLOEXEC) < 0)
                return;
        _cleanup_close_ int in = fd[0], out = fd[1];
        fflush(stdout);
        pid_t pid = fork();
        if (pid < 0)
                return;
        if (pid == 0)
                run_pager(in);
        (void)dup2(out, STDOUT_FILENO);
        signal(SIGPIPE, SIG_IGN); /* the reader left early: no reason to die of it */
        arg_pager = pid;
}

void out_done(void)
{
        if (arg_pager <= 0)
                return;
        fflush(stdout);
        (void)close(STDOUT_FILENO);
        (void)waitpid(arg_pager, NULL, 0);
        arg_pager = 0;
}

void out_line(const char *heading, const char *fmt, ...)
{
        va_list ap;

        printf("%12s%s ", heading, *heading ? ":" : " ");
        va_start(ap, fmt);
        vprintf(fmt, ap);
        va_end(ap);
        putchar('\n');
}

char *out_since(char buf[OUT_SINCE_MAX], usec_t realtime)
{
        time_t t = (time_t)(realtime / USEC_PER_SEC);
        char when[64] = "?", ago[DURATION_MAX];
        usec_t now = now_real(), d = now > realtime ? now - realtime : 0;
        struct tm tm;

        if (localtime_r(&t, &tm))
                (void)strftime(when, sizeof(when), "%a %Y-%m-%d %H:%M:%S %Z", &tm);
        snprintf(buf, OUT_SINCE_MAX, "%s; %s ago", when,
                 format_duration(ago, d - d % USEC_PER_SEC));
        return buf;
}
