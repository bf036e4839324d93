/* A world for one real daemon: a bus of its own, a fake systemd, a fake GCS, a configuration. */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "ports.h"

#include "base/fd.h"
#include "base/str.h"
#include "base/time.h"
#include "sys/machine-id.h"

#define DEADLINE (15 * USEC_PER_SEC)

typedef struct World {
        char dir[32];
        char *conf, *gcs_control;
        int port; /* the first of a block of 40 */
        int lock; /* listens inside the block, so that it is ours alone */
        pid_t broker, systemd, daemon, gcs;
        const char *address, *gcs_address; /* of the node; where its GCS listens */
        sd_bus *bus;
        const char *role; /* "Head" or "Worker" */
        bool tls;         /* the head's fake GCS has the files that the head made */
} World;

/* --- processes ----------------------------------------------------------------------------------
 */

/* Runs argv; *ret_line is the first line it prints when asked for. */
static pid_t run(World *w, char *const *argv, const char *out)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid > 0)
                return pid;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (out) {
                int fd = open(out, O_CREAT | O_WRONLY | O_APPEND, 0600);
                (void)dup2(fd, 1);
                (void)dup2(fd, 2);
        }
        (void)execvp(argv[0], argv);
        _exit(127);
}

/* Runs argv and waits for a line of its output. */
static pid_t run_until_line(World *w, char *const *argv)
{
        char line[256];
        int fds[2];

        assert_int_equal(pipe(fds), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)dup2(fds[1], 1);
                (void)close(fds[0]);
                (void)close(fds[1]);
                (void)execvp(argv[0], argv);
                _exit(127);
        }
        (void)close(fds[1]);
        FILE *f = fdopen(fds[0], "r");
        assert_non_null(fgets(line, sizeof(line), f));
        (void)fclose(f);
        return pid;
}

/* Without a pidfd, which valgrind does not know. */
static int end(pid_t *pid, int signo)
{
        usec_t until = usec_add(now_mono(), DEADLINE);
        sigset_t child, before;
        int status = 0;
        pid_t ended;

        if (*pid <= 0)
                return -ESRCH;
        (void)sigemptyset(&child);
        (void)sigaddset(&child, SIGCHLD);
        assert_int_equal(sigprocmask(SIG_BLOCK, &child, &before), 0);
        if (signo > 0)
                (void)kill(*pid, signo);
        while ((ended = waitpid(*pid, &status, WNOHANG)) == 0) {
                usec_t left = usec_sub(until, now_mono());
                const struct timespec t = {(time_t)(left / USEC_PER_SEC),
                                           (long)(left % USEC_PER_SEC * 1000)};
                if (left == 0) {
                        (void)kill(*pid, SIGKILL);
                        fail_msg("process %d does not end", (int)*pid);
                }
                (void)sigtimedwait(&child, NULL, &t);
        }
        assert_int_equal(sigprocmask(SIG_SETMASK, &before, NULL), 0);
        assert_int_equal(ended, *pid);
        *pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *in_dir(const World *w, const char *name)
{
        return path_join(w->dir, name);
}

_unused_ static void start_daemon(World *w)
{
        _cleanup_free_ char *log = in_dir(w, "log");
        char *argv[] = {streq(w->role, "Head") ? TEST_BUILD "/bin/ray-headd"
                                               : TEST_BUILD "/bin/ray-workerd",
                        "--config",
                        w->conf,
                        "--log-target=stderr",
                        getenv("DAEMON_DEBUG"),
                        NULL};
        w->daemon = run(w, argv, log);
}

_unused_ static void start_gcs(World *w, const char *cluster)
{
        char port[16], id[MACHINE_ID_STR_MAX];

        (void)snprintf(port, sizeof(port), "%d", w->port);
        assert_int_equal(machine_id_for_app(id), 0);
        _cleanup_free_ char *node =
                str_printf("id=02,hostname=w1,address=127.0.0.1,instance=%s", id);
        char *argv[] = {TEST_BUILD "/tests/fake/fake-gcs",
                        "--port",
                        port,
                        "--address",
                        (char *)w->gcs_address,
                        "--cluster",
                        (char *)cluster,
                        "--control",
                        w->gcs_control,
                        "--node",
                        node,
                        NULL};
        w->gcs = run_until_line(w, argv);
}

/* --- the bus ------------------------------------------------------------------------------------
 */

static char *name_of(const World *w)
{
        return str_printf("org.raycluster1.%s", w->role);
}

static char *path_of(const World *w)
{
        return str_printf("/org/raycluster1/%s", w->role);
}

/* NULL while the daemon is not on the bus. */
static char *get(World *w, const char *property)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        char *value = NULL;

        if (sd_bus_get_property_string(w->bus, name, path, name, property, NULL, &value) < 0)
                return NULL;
        return value;
}

static void show_log(const World *w)
{
        _cleanup_free_ char *path = in_dir(w, "log"), *text = NULL;
        if (read_file(path, 1 << 20, &text, NULL) >= 0)
                fprintf(stderr, "--- the daemon said:\n%s---\n", text);
}

/* Until the property has this beginning; every PropertiesChanged wakes us. */
_unused_ static void wait_for(World *w, const char *property, const char *want)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        for (;;) {
                _cleanup_free_ char *value = get(w, property);
                if (value && startswith(value, want))
                        return;
                if (now_mono() >= deadline) {
                        fprintf(stderr, "%s is \"%s\", not \"%s\"\n", property, strna(value), want);
                        show_log(w);
                        fail();
                }
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 200 * USEC_PER_MSEC);
        }
}

_unused_ static size_t count_in_log(const World *w, const char *what)
{
        _cleanup_free_ char *path = in_dir(w, "log"), *text = NULL;
        size_t n = 0;

        assert_int_equal(read_file(path, 1 << 20, &text, NULL), 0);
        for (const char *s = text; (s = strstr(s, what)); s += strlen(what))
                n++;
        return n;
}

/* The line of the journal, here on stderr; a moment after the bus. */
_unused_ static void wait_for_log(World *w, const char *what)
{
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        while (count_in_log(w, what) == 0) {
                if (now_mono() >= deadline) {
                        show_log(w);
                        fail_msg("not in the log: %s", what);
                }
                (void)sd_bus_wait(w->bus, 50 * USEC_PER_MSEC);
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
        }
}

_unused_ static uint32_t starts(World *w)
{
        sd_bus_message *m = NULL;
        uint32_t n = 0;

        assert_true(sd_bus_call_method(w->bus, "org.freedesktop.systemd1", "/",
                                       "org.raycluster1.Fake", "Count", NULL, &m, "") >= 0);
        assert_true(sd_bus_message_read(m, "u", &n) >= 0);
        sd_bus_message_unref(m);
        return n;
}

_unused_ static void steer(World *w, const char *method, const char *text)
{
        assert_true(sd_bus_call_method(w->bus, "org.freedesktop.systemd1", "/",
                                       "org.raycluster1.Fake", method, NULL, NULL, "s", text) >= 0);
}

static char *engine_state(World *w)
{
        _cleanup_free_ char *path = NULL;
        char *value = NULL;

        _cleanup_free_ char *unit =
                str_printf("ray-engine@%s.service", streq(w->role, "Head") ? "head" : "worker");
        assert_true(sd_bus_path_encode("/org/freedesktop/systemd1/unit", unit, &path) >= 0);
        assert_true(sd_bus_get_property_string(w->bus, "org.freedesktop.systemd1", path,
                                               "org.freedesktop.systemd1.Unit", "ActiveState", NULL,
                                               &value) >= 0);
        return value;
}

_unused_ static void check_engine(World *w, const char *want)
{
        _cleanup_free_ char *value = engine_state(w);
        assert_string_equal(value, want);
}

/* --- the world ----------------------------------------------------------------------------------
 */

static void write_text(const World *w, const char *name, const char *text)
{
        _cleanup_free_ char *path = in_dir(w, name);
        assert_int_equal(write_file_atomic(path, text, strlen(text), 0755, (gid_t)-1), 0);
}

static void write_conf_full(World *w, const char *head, const char *more)
{
        int p = w->port;
        _cleanup_free_ char *text = str_printf(
                "cluster: { name = \"lab1\"; head = \"%s\"; };\n"
                "node: { address = \"%s\"; };\n"
                "ports: { gcs = %d; node_manager = %d; object_manager = %d; runtime_env_agent = "
                "%d; dashboard_agent_grpc = %d; metrics_export = %d; dashboard_agent = %d; "
                "dashboard_metrics = %d; autoscaler_metrics = %d; control = %d; dashboard = %d; "
                "client = %d; workers = \"%d-%d\"; };\n"
                "engine: { venv = \"%s/venv\"; temp_dir = \"%s\"; };\n%s\n%s",
                head, w->address, p, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7, p + 8, p + 9,
                p + 10, p + 11, p + 15, p + 39, w->dir, w->dir,
                strstr(more, "auth:") ? "" : "auth: { mode = \"disabled\"; };", more);
        write_text(w, "conf", text);
}

static void write_conf(World *w, const char *more)
{
        write_conf_full(w, w->address, more);
}

_unused_ static void write_conf_head(World *w, const char *head)
{
        write_conf_full(w, head, "");
}

static void start_systemd(World *w)
{
        char port[16], id[MACHINE_ID_STR_MAX];

        (void)snprintf(port, sizeof(port), "%d", w->port);
        assert_int_equal(machine_id_for_app(id), 0);
        _cleanup_free_ char *node =
                str_printf("id=01,hostname=h,address=%s,head=1,instance=%s", w->address, id);
        _cleanup_free_ char *log = in_dir(w, "gcs.log");
        _cleanup_free_ char *files = str_printf("%s/ray-tls/ca.pem,%s/ray-tls/cert.pem,"
                                                "%s/ray-tls/key.pem",
                                                w->dir, w->dir, w->dir);
        char *head[] = {TEST_BUILD "/tests/fake/fake-systemd",
                        "ray-engine@head.service",
                        "ray-head.service",
                        TEST_BUILD "/tests/fake/fake-gcs",
                        "--port",
                        port,
                        "--address",
                        (char *)w->gcs_address,
                        "--log",
                        log,
                        "--node",
                        node,
                        "--node",
                        "id=02,hostname=w1",
                        w->tls ? "--tls" : NULL,
                        files,
                        NULL};
        char *worker[] = {TEST_BUILD "/tests/fake/fake-systemd", "ray-engine@worker.service",
                          "ray-worker.service", NULL};
        w->systemd = run_until_line(w, streq(w->role, "Head") ? head : worker);
}

static World *world_new_full(const char *role, const char *node_address, bool tls)
{
        World *w = calloc(1, sizeof(*w));

        w->tls = tls;
        strcpy(w->dir, "/tmp/test-daemons.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        w->role = role;
        w->address = w->gcs_address = node_address;
        /* the ports from 12 to 14 behind its beginning are nobody's */
        w->port = (int)ports_take(PORTS_DAEMONS, 250, 40, 13, &w->lock);
        w->conf = in_dir(w, "conf");
        w->gcs_control = in_dir(w, "gcs");
        write_text(w, "gcs", "# nothing\n");
        _cleanup_free_ char *venv = in_dir(w, "venv"), *bin = in_dir(w, "venv/bin");
        assert_int_equal(mkdir(venv, 0755), 0);
        assert_int_equal(mkdir(bin, 0755), 0);
        write_text(w, "venv/bin/ray", "");
        write_conf(w, "");
        _cleanup_free_ char *address = str_printf("unix:path=%s/bus", w->dir);
        assert_int_equal(setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1), 0);
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", w->dir, 1), 0);
        assert_int_equal(setenv("STATE_DIRECTORY", w->dir, 1), 0);
        _cleanup_free_ char *listen = str_printf("--address=%s", address);
        char *broker[] = {"dbus-daemon",       "--session", "--nofork", "--nopidfile",
                          "--print-address=1", listen,      NULL};
        w->broker = run_until_line(w, broker);
        assert_true(sd_bus_open_system(&w->bus) >= 0);
        assert_true(sd_bus_add_match(w->bus, NULL,
                                     "type='signal',member='PropertiesChanged',"
                                     "path_namespace='/org/raycluster1'",
                                     NULL, NULL) >= 0);
        start_systemd(w);
        return w;
}

_unused_ static World *world_new_tls(const char *role, bool tls)
{
        return world_new_full(role, "127.0.0.1", tls);
}

_unused_ static World *world_new_at(const char *role, const char *node_address)
{
        return world_new_full(role, node_address, false);
}

_unused_ static World *world_new(const char *role)
{
        return world_new_full(role, "127.0.0.1", false);
}

static void world_free(World *w)
{
        (void)end(&w->daemon, SIGKILL);
        (void)end(&w->gcs, SIGTERM);
        (void)end(&w->systemd, SIGTERM);
        sd_bus_flush_close_unref(w->bus);
        (void)end(&w->broker, SIGTERM);
        _cleanup_free_ char *cmd = str_printf("rm -r %s", w->dir);
        assert_int_equal(system(cmd), 0);
        (void)safe_close(w->lock);
        free(w->conf);
        free(w->gcs_control);
        free(w);
}
