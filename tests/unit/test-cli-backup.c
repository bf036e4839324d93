/* raycluster backup and restore, as a person runs them: against a private bus, with a passphrase
 * from a file or from a terminal. The configuration is that of this machine, and stays so. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <termios.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/cli.h"
#include "member/authority.h"
#include "member/roster.h"

#define TOOL TEST_BUILD "/bin/raycluster"

static char dir[] = "/tmp/test-cli-backup-XXXXXX";
static pid_t bus;

/* Output of a command in the directory, both streams, with its exit status at the end: "…\n[1]". */
static char *sh(const char *command)
{
        static char buf[1 << 16];
        _cleanup_free_ char *whole = str_printf("cd %s; (%s) 2>&1; echo \"[$?]\"", dir, command);
        FILE *f = popen(whole, "r");

        assert_non_null(f);
        size_t n = fread(buf, 1, sizeof(buf) - 1, f);
        buf[n] = 0;
        pclose(f);
        return buf;
}

#define assert_has(haystack, needle)                                                               \
        do {                                                                                       \
                const char *_h = (haystack);                                                       \
                if (!strstr(_h, needle))                                                           \
                        fail_msg("\"%s\" is not in:\n%s", needle, _h);                             \
        } while (0)

static void put(const char *name, const char *text)
{
        _cleanup_free_ char *path = path_join(dir, name);
        assert_int_equal(write_file_atomic(path, text, strlen(text), 0600, (gid_t)-1), 0);
}

static void make_head(const char *state)
{
        _cleanup_(authority_freep) Authority *a = NULL;
        _cleanup_(db_freep) Db *db = NULL;
        _cleanup_free_ char *path = path_join(dir, state), *store = NULL, *error = NULL;
        AuthorityPolicy p = {.dir = path, .node = "headnode", .name = "head"};

        assert_int_equal(mkdir(path, 0700), 0);
        assert_int_equal(authority_open(&p, now_real(), &a, &error), 0);
        store = path_join(path, "members.db");
        assert_int_equal(store_open(store, &db), 0);
}

static int start(void **state)
{
        int fd[2];
        char address[512] = "";

        assert_non_null(mkdtemp(dir));
        put("bus.conf",
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" "
            "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
            "<busconfig><listen>unix:dir=/tmp</listen><policy context=\"default\"><allow "
            "send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow "
            "own=\"*\"/></policy></busconfig>");
        _cleanup_free_ char *option = str_printf("--config-file=%s/bus.conf", dir);
        assert_int_equal(pipe(fd), 0);
        bus = fork();
        if (bus == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                dup2(fd[1], STDOUT_FILENO);
                execlp("dbus-daemon", "dbus-daemon", option, "--nofork", "--print-address", NULL);
                _exit(127);
        }
        close(fd[1]);
        FILE *f = fdopen(fd[0], "r");
        if (!fgets(address, sizeof(address), f))
                fail_msg("dbus-daemon did not start (is it installed?)");
        fclose(f);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", str_strip(address), 1);
        put("pass", "a long passphrase\nanother line\n");
        put("wrong", "a long passphrasE\n");
        put("short", "1234567\n");
        put("none", "");
        make_head("state");
        /* as ray-head or ray-worker left it once; it has no identity */
        _cleanup_free_ char *other = path_join(dir, "other");
        return mkdir(other, 0700);
}

static int stop(void **state)
{
        kill(bus, SIGTERM);
        waitpid(bus, NULL, 0);
        _cleanup_free_ char *rm = str_printf("rm -r '%s'", dir);
        return system(rm);
}

#define BACKUP  "STATE_DIRECTORY=$PWD/state " TOOL " backup "
#define RESTORE "STATE_DIRECTORY=$PWD/other " TOOL " restore "

static void test_there_and_back(void **state)
{
        const char *out = sh(BACKUP "--passphrase-file=pass head.backup");

        assert_has(out, "head.backup: a backup of this head, encrypted");
        assert_has(out, "Authority: ");
        assert_has(out, "members.db");
        assert_has(out, "is the head of this cluster: keep the two apart");
        assert_has(out, "[0]");
        assert_has(sh("stat -c %a head.backup"), "600\n");
        assert_has(sh("grep -c 'PRIVATE KEY' head.backup"), "0\n[1]");
        assert_has(sh(RESTORE "--passphrase-file=wrong head.backup"),
                   "not its passphrase, or the file was changed\n[1]");
        assert_has(sh("ls other/*"), "[2]");
        out = sh("cat pass | " RESTORE "--passphrase-file=- head.backup");
        assert_has(out, "this machine is the head of this cluster now");
        assert_has(out, "systemctl enable --now ray-head");
        assert_has(out, "[0]");
        assert_has(sh("cmp state/authority.pem other/authority.pem; stat -c %a other other/*"),
                   "700\n600\n600\n600\n[0]");
        assert_has(sh(RESTORE "--passphrase-file=pass head.backup"), "--force replaces");
        out = sh(RESTORE
                 "--force --passphrase-file=pass head.backup; ls -d other*; rm -r other.* other/*");
        assert_has(out, "What was there before is kept in");
        assert_has(out, "other.old-");
}

static void test_refused(void **state)
{
        assert_has(sh(BACKUP "--passphrase-file=short x.backup"),
                   "the passphrase has 7 bytes; take at least 8");
        assert_has(sh(BACKUP "--passphrase-file=none x.backup"), "no passphrase came\n[2]");
        assert_has(sh(BACKUP "--passphrase-file=missing x.backup"),
                   "missing: No such file or directory\n[2]");
        assert_has(sh("chmod 644 pass; " BACKUP "--passphrase-file=pass x.backup"),
                   "everybody on this machine can read it: chmod 600\n[2]");
        assert_has(sh("chmod 600 pass; export STATE_DIRECTORY=$PWD/state; setsid -w " TOOL
                      " backup x.backup"),
                   "no terminal to ask for the passphrase on; give --passphrase-file=FILE\n[2]");
        assert_has(sh("STATE_DIRECTORY=$PWD/nowhere " TOOL " backup --passphrase-file=pass x"),
                   "nowhere/authority.pem: is not there; a backup is made on the head");
        assert_has(sh("ls x.backup"), "[2]"); /* of all these, nothing was written */
        assert_has(sh(BACKUP), "usage: raycluster backup [--passphrase-file=FILE] FILE\n[2]");
        assert_has(sh(BACKUP "--passphrase-file=pass /nonexistent/x"),
                   "/nonexistent/x: No such file or directory\n[1]");
        assert_has(sh(BACKUP
                      "--passphrase-file=pass good >/dev/null; head -c 100 good >cut; " RESTORE
                      "--passphrase-file=pass cut"),
                   "not its passphrase, or the file was changed\n[1]");
        assert_has(sh("head -c 40 good >cut; " RESTORE "--passphrase-file=pass cut"),
                   "cut: is not what raycluster backup writes, or was cut short\n[1]");
        assert_has(sh("printf '\\077' | dd of=good bs=1 seek=8 conv=notrunc status=none; " RESTORE
                      "--passphrase-file=pass good"),
                   "wants more memory for its passphrase than any backup does");
        assert_has(sh("printf 'rcseal2\\n' | dd of=good bs=1 conv=notrunc status=none; " RESTORE
                      "--passphrase-file=pass good; rm good cut"),
                   "is of a later raycluster");
        assert_has(sh("ls other/*"), "[2]");
}

/* Root reads with the rights of the state's owner: a link that he puts there leads him nowhere new.
 */
static void test_link(void **state)
{
        if (geteuid() != 0) {
                print_message("not root: there are no other rights to read with\n");
                skip();
        }
        assert_has(sh("chmod 755 .; cp -r state theirs; echo secret >secret; chmod 640 secret; ln "
                      "-s ../secret theirs/ray-token; chown -Rh 1234:2345 theirs; "
                      "STATE_DIRECTORY=$PWD/theirs setpriv --groups 0 " TOOL
                      " backup --passphrase-file=pass x"),
                   "theirs/ray-token: Permission denied\n[1]");
        assert_has(sh("rm theirs/ray-token; STATE_DIRECTORY=$PWD/theirs " TOOL
                      " backup --passphrase-file=pass x; stat -c %u x; rm -r theirs x secret"),
                   "keep the two apart.");
}

/* A daemon would go on with what it knows, and write it over what was restored. */
static void test_running(void **state)
{
        static const char *const names[] = {"org.raycluster1.Head", "org.raycluster1.Worker"};
        static const char *const units[] = {"systemctl stop ray-head", "systemctl stop ray-worker"};

        assert_has(sh(BACKUP "--passphrase-file=pass head.backup"), "[0]");
        for (size_t i = 0; i < ELEMENTSOF(names); i++) {
                sd_bus *b = NULL;
                assert_true(sd_bus_open_system(&b) >= 0);
                assert_true(sd_bus_request_name(b, names[i], 0) >= 0);
                assert_has(sh(RESTORE "--force --passphrase-file=pass head.backup"), units[i]);
                assert_has(sh("ls other/*"), "[2]");
                sd_bus_flush_close_unref(b);
        }
        assert_has(sh("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent " RESTORE
                      "--passphrase-file=pass head.backup"),
                   "make sure that it does not, and say --force\n[1]");
        assert_has(sh("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent " RESTORE
                      "--force --passphrase-file=pass head.backup; rm -r other/*"),
                   "[0]");
}

/* --- a terminal */

typedef struct Terminal {
        pid_t pid;
        int fd;
        char seen[8192];
        size_t n;
} Terminal;

static void terminal_open(Terminal *t, const char *verb)
{
        *t = (Terminal){0};
        t->pid = forkpty(&t->fd, NULL, NULL, NULL);
        assert_true(t->pid >= 0);
        if (t->pid == 0) {
                _cleanup_free_ char *s = path_join(dir, "state");
                if (!s || chdir(dir) < 0 || setenv("STATE_DIRECTORY", s, 1) < 0)
                        _exit(126);
                execl(TOOL, "raycluster", verb, "tty.backup", NULL);
                _exit(127);
        }
}

/* Reads until the text is there, or, with NULL, to the end; a terminal whose other side is gone
 * says EIO. */
static void terminal_await(Terminal *t, const char *text)
{
        while (!text || !strstr(t->seen, text)) {
                ssize_t n = read(t->fd, t->seen + t->n, sizeof(t->seen) - 1 - t->n);
                if (n <= 0 && !text)
                        return;
                if (n <= 0)
                        fail_msg("\"%s\" did not come; but:\n%s", text, t->seen);
                t->n += (size_t)n;
        }
        t->n = 0;
        memset(t->seen, 0, sizeof(t->seen));
}

static void terminal_type(Terminal *t, const char *text)
{
        assert_int_equal(write(t->fd, text, strlen(text)), strlen(text));
}

static bool is_shown(const Terminal *t)
{
        struct termios a;
        assert_int_equal(tcgetattr(t->fd, &a), 0);
        return a.c_lflag & ECHO;
}

static int terminal_end(Terminal *t)
{
        int status;

        terminal_await(t, NULL);
        assert_int_equal(waitpid(t->pid, &status, 0), t->pid);
        close(t->fd);
        return status;
}

static void test_asked(void **state)
{
        Terminal t;

        terminal_open(&t, "backup");
        terminal_await(&t, "New passphrase: ");
        assert_false(is_shown(&t));
        terminal_type(&t, "from a terminal\n");
        terminal_await(&t, "The same again: ");
        terminal_type(&t, "from another one\n");
        terminal_await(&t, "these were two different ones; nothing was written");
        assert_int_equal(WEXITSTATUS(terminal_end(&t)), 2);
        assert_has(sh("ls tty.backup"), "[2]");

        terminal_open(&t, "backup");
        terminal_await(&t, "New passphrase: ");
        terminal_type(&t, "from a terminal\n");
        terminal_await(&t, "The same again: ");
        assert_false(is_shown(&t));
        terminal_type(&t, "from a terminal\n");
        terminal_await(&t, "keep the two apart");
        assert_int_equal(terminal_end(&t), 0);
        put("typed", "from a terminal");
        assert_has(sh(RESTORE "--passphrase-file=typed tty.backup; rm -r other/*"), "[0]");
}

/* While the passphrase is typed a socket unit, or systemd, starts the daemon. */
static void test_started_meanwhile(void **state)
{
        sd_bus *b = NULL;
        Terminal t;

        terminal_open(&t, "restore");
        terminal_await(&t, "assphrase");
        assert_true(sd_bus_open_system(&b) >= 0);
        assert_true(sd_bus_request_name(b, "org.raycluster1.Head", 0) >= 0);
        terminal_type(&t, "from a terminal\n");
        terminal_await(&t, "systemctl stop ray-head (and ray-head.socket");
        assert_int_equal(WEXITSTATUS(terminal_end(&t)), 1);
        sd_bus_flush_close_unref(b);
}

/* What is typed is not there to be read, and the terminal is as it was, whatever ends it. */
static void test_interrupted(void **state)
{
        Terminal t;

        terminal_open(&t, "backup");
        terminal_await(&t, "New passphrase: ");
        /* held open, so that its settings outlive the program */
        _cleanup_close_ int held = open(ptsname(t.fd), O_RDWR | O_NOCTTY);
        assert_true(held >= 0);
        terminal_type(&t, "half of \x03");
        int status;
        assert_int_equal(waitpid(t.pid, &status, 0), t.pid);
        assert_true(WIFSIGNALED(status));
        assert_int_equal(WTERMSIG(status), SIGINT);
        assert_true(is_shown(&t));
        close(t.fd);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_there_and_back), cmocka_unit_test(test_refused),
                cmocka_unit_test(test_link),           cmocka_unit_test(test_running),
                cmocka_unit_test(test_asked),          cmocka_unit_test(test_started_meanwhile),
                cmocka_unit_test(test_interrupted),
        };
        return cmocka_run_group_tests(tests, start, stop);
}
