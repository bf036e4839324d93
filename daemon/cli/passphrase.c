#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "cli/cli.h"

void passphrase_done(Passphrase *p)
{
        explicit_bzero(p, sizeof(*p));
}

/* Up to the end of the line. 0, -E2BIG, or what read(2) says; -ENODATA: nothing came at all. */
static int read_line(int fd, Passphrase *ret)
{
        ret->size = 0;
        for (;;) {
                char c;
                ssize_t n = read(fd, &c, 1);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                if (n == 0 && ret->size == 0)
                        return -ENODATA;
                if (n == 0 || c == '\n')
                        break;
                if (ret->size == PASSPHRASE_MAX)
                        return -E2BIG;
                ret->text[ret->size++] = c;
        }
        ret->text[ret->size] = 0;
        return 0;
}

static int fail_read(const char *what, int r)
{
        if (r == -EINTR) /* the signal has the last word */
                return EXIT_INTERNAL;
        if (r == -E2BIG)
                return cli_fail(EXIT_USAGE, "%s: a passphrase has at most %d bytes", what,
                                PASSPHRASE_MAX);
        if (r == -ENODATA)
                return cli_fail(EXIT_USAGE, "%s: no passphrase came", what);
        errno = -r;
        return cli_fail(EXIT_INTERNAL, "%s: %m", what);
}

int passphrase_read(const char *path, Passphrase *ret)
{
        bool is_stdin = streq(path, "-");
        const char *name = is_stdin ? "standard input" : path;
        _cleanup_close_ int opened =
                is_stdin ? -EBADF : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        int fd = is_stdin ? STDIN_FILENO : opened;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return cli_fail(EXIT_USAGE, "%s: %m", name);
        if (S_ISREG(st.st_mode) && (st.st_mode & (S_IROTH | S_IWOTH)))
                return cli_fail(EXIT_USAGE, "%s: everybody on this machine can read it: chmod 600",
                                name);
        int r = read_line(fd, ret);
        return r < 0 ? fail_read(name, r) : EXIT_OK;
}

/* --- the terminal -------------------------------------------------------------------------------
 */

typedef struct Quiet {
        int tty, signals; /* owned */
        struct termios before;
        sigset_t blocked_before;
        bool is_quiet;
} Quiet;

/* In this order: what waits is delivered to a terminal as it was. */
static void quiet_done(Quiet *q)
{
        if (q->is_quiet)
                (void)tcsetattr(q->tty, TCSAFLUSH, &q->before);
        if (q->signals >= 0)
                (void)sigprocmask(SIG_SETMASK, &q->blocked_before, NULL);
        (void)safe_close(q->signals);
        (void)safe_close(q->tty);
}

static int quiet_start(Quiet *q)
{
        static const int list[] = {SIGINT, SIGTERM, SIGQUIT, SIGHUP};
        sigset_t set;

        q->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
        if (q->tty < 0 || tcgetattr(q->tty, &q->before) < 0)
                return -errno;
        (void)sigemptyset(&set);
        for (size_t i = 0; i < ELEMENTSOF(list); i++)
                (void)sigaddset(&set, list[i]);
        q->signals = signalfd(-1, &set, SFD_CLOEXEC);
        (void)sigaddset(&set, SIGTSTP); /* which can wait for the end of the line */
        if (q->signals < 0 || sigprocmask(SIG_BLOCK, &set, &q->blocked_before) < 0)
                return -errno;
        struct termios t = q->before;
        t.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK);
        t.c_lflag |= ECHONL | ICANON | ISIG;
        q->is_quiet = true;
        return tcsetattr(q->tty, TCSAFLUSH, &t) < 0 ? -errno : 0;
}

/* -EINTR: a signal waits. */
static int wait_line(const Quiet *q)
{
        struct pollfd fds[] = {{.fd = q->signals, .events = POLLIN},
                               {.fd = q->tty, .events = POLLIN}};

        while (poll(fds, ELEMENTSOF(fds), -1) < 0)
                if (errno != EINTR)
                        return -errno;
        return fds[0].revents ? -EINTR : 0;
}

int passphrase_ask(const char *prompt, Passphrase *ret)
{
        _cleanup_(quiet_done) Quiet q = {.tty = -EBADF, .signals = -EBADF};

        int r = quiet_start(&q);
        if (r < 0)
                return cli_fail(EXIT_USAGE, "there is no terminal to ask for the passphrase on; "
                                            "give --passphrase-file=FILE");
        if (dprintf(q.tty, "%s: ", prompt) < 0)
                return cli_fail(EXIT_INTERNAL, "/dev/tty: %m");
        r = wait_line(&q);
        if (r >= 0)
                r = read_line(q.tty, ret);
        return r < 0 ? fail_read("the terminal", r) : EXIT_OK;
}

int passphrase_new(const char *path, Passphrase *ret)
{
        _cleanup_passphrase_ Passphrase again = {0};

        int status = path ? passphrase_read(path, ret) : passphrase_ask("New passphrase", ret);
        if (status != EXIT_OK)
                return status;
        if (ret->size < PASSPHRASE_MIN)
                return cli_fail(EXIT_USAGE,
                                "the passphrase has %zu bytes; take at least %d: it is all that "
                                "stands before the keys of the cluster",
                                ret->size, PASSPHRASE_MIN);
        if (path)
                return EXIT_OK;
        status = passphrase_ask("The same again", &again);
        if (status == EXIT_OK && !streq(ret->text, again.text))
                status = cli_fail(EXIT_USAGE, "these were two different ones; nothing was written");
        return status;
}
