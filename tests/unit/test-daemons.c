/* The real daemons on a bus of their own, with a fake systemd and a fake GCS. */
#include "test.h"

#include <ctype.h>
#include <errno.h>
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

#include "base/exit.h"
#include "base/fd.h"
#include "base/str.h"
#include "base/strv.h"
#include "base/time.h"
#include "role/daemon-bus.h"
#include "sys/machine-id.h"

#define DEADLINE (15 * USEC_PER_SEC)

typedef struct World {
        char dir[32];
        char *conf, *gcs_control;
        int port; /* the first of a block of 40 */
        pid_t broker, systemd, daemon, gcs;
        const char *gcs_address;
        sd_bus *bus;
        const char *role; /* "Head" or "Worker" */
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

static int end(pid_t *pid, int signo)
{
        int status = 0;

        if (*pid <= 0)
                return -ESRCH;
        if (signo > 0)
                (void)kill(*pid, signo);
        assert_int_equal(waitpid(*pid, &status, 0), *pid);
        *pid = 0;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char *in_dir(const World *w, const char *name)
{
        return path_join(w->dir, name);
}

static void start_daemon(World *w)
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

static void start_gcs(World *w, const char *cluster)
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
static void wait_for(World *w, const char *property, const char *want)
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

static uint32_t starts(World *w)
{
        sd_bus_message *m = NULL;
        uint32_t n = 0;

        assert_true(sd_bus_call_method(w->bus, "org.freedesktop.systemd1", "/",
                                       "org.raycluster1.Fake", "Count", NULL, &m, "") >= 0);
        assert_true(sd_bus_message_read(m, "u", &n) >= 0);
        sd_bus_message_unref(m);
        return n;
}

static void steer(World *w, const char *method, const char *text)
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

static void check_engine(World *w, const char *want)
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
                "node: { address = \"127.0.0.1\"; };\n"
                "ports: { gcs = %d; node_manager = %d; object_manager = %d; runtime_env_agent = "
                "%d; dashboard_agent_grpc = %d; metrics_export = %d; dashboard_agent = %d; "
                "dashboard_metrics = %d; autoscaler_metrics = %d; control = %d; dashboard = %d; "
                "client = %d; workers = \"%d-%d\"; };\n"
                "engine: { venv = \"%s/venv\"; temp_dir = \"%s\"; };\nauth: { mode = \"off\"; };\n"
                "%s",
                head, p, p + 1, p + 2, p + 3, p + 4, p + 5, p + 6, p + 7, p + 8, p + 9, p + 10,
                p + 11, p + 15, p + 39, w->dir, w->dir, more);
        write_text(w, "conf", text);
}

static void write_conf(World *w, const char *more)
{
        write_conf_full(w, "127.0.0.1", more);
}

static void write_conf_head(World *w, const char *head)
{
        write_conf_full(w, head, "");
}

static void start_systemd(World *w)
{
        char port[16], id[MACHINE_ID_STR_MAX];

        (void)snprintf(port, sizeof(port), "%d", w->port);
        assert_int_equal(machine_id_for_app(id), 0);
        _cleanup_free_ char *node =
                str_printf("id=01,hostname=h,address=127.0.0.1,head=1,instance=%s", id);
        char *head[] = {TEST_BUILD "/tests/fake/fake-systemd",
                        "ray-engine@head.service",
                        "ray-head.service",
                        TEST_BUILD "/tests/fake/fake-gcs",
                        "--port",
                        port,
                        "--node",
                        node,
                        "--node",
                        "id=02,hostname=w1",
                        NULL};
        char *worker[] = {TEST_BUILD "/tests/fake/fake-systemd", "ray-engine@worker.service",
                          "ray-worker.service", NULL};
        w->systemd = run_until_line(w, streq(w->role, "Head") ? head : worker);
}

static World *world_new(const char *role)
{
        static int n;
        World *w = calloc(1, sizeof(*w));

        strcpy(w->dir, "/tmp/test-daemons.XXXXXX");
        assert_non_null(mkdtemp(w->dir));
        w->role = role;
        w->gcs_address = "127.0.0.1";
        w->port = 20000 + ((getpid() + n++) % 250) * 40;
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

static void world_free(World *w)
{
        (void)end(&w->daemon, SIGKILL);
        (void)end(&w->gcs, SIGTERM);
        (void)end(&w->systemd, SIGTERM);
        sd_bus_flush_close_unref(w->bus);
        (void)end(&w->broker, SIGTERM);
        _cleanup_free_ char *cmd = str_printf("rm -r %s", w->dir);
        assert_int_equal(system(cmd), 0);
        free(w->conf);
        free(w->gcs_control);
        free(w);
}

/* --- introspection ------------------------------------------------------------------------------
 */

static int by_text(const void *a, const void *b)
{
        return strcmp(*(char *const *)a, *(char *const *)b);
}

/* `<arg b="2" a="1"/>` -> "arg a=1 b=2" */
static char *canon_tag(const char *tag, size_t n)
{
        _cleanup_free_ char *text = strndup(tag, n), *joined = NULL;
        _cleanup_strv_free_ char **l = NULL;
        char *s = text + strcspn(text, " \t\n/");
        char *rest = *s ? s + 1 : s;

        *s = 0;
        while (*(rest += strspn(rest, " \t\n/"))) {
                char *value = strstr(rest, "=\"") + 2, *stop = strchr(value, '"');
                assert_int_equal(strv_extendf(&l, "%.*s=%.*s", (int)(value - 2 - rest), rest,
                                              (int)(stop - value), value),
                                 0);
                rest = stop + 1;
        }
        if (l)
                qsort(l, strv_length(l), sizeof(*l), by_text);
        joined = strv_join(l, " ");
        return str_printf("%s %s", text, strempty(joined));
}

/* The members of one interface, each with its arguments, sorted. */
static char **canon(const char *xml, const char *interface)
{
        _cleanup_free_ char *begin = str_printf("<interface name=\"%s\">", interface);
        char **members = NULL;
        _cleanup_free_ char *member = NULL;
        const char *s = strstr(xml, begin);

        assert_non_null(s);
        s += strlen(begin);
        const char *stop = strstr(s, "</interface>");
        assert_non_null(stop);
        while ((s = strchr(s, '<')) && s < stop) {
                if (startswith(s, "<!--")) {
                        s = strstr(s, "-->") + 3;
                        continue;
                }
                const char *close = strchr(s, '>');
                bool inner = startswith(s, "<arg") || startswith(s, "<annotation");
                if (s[1] != '/') {
                        _cleanup_free_ char *tag = canon_tag(s + 1, (size_t)(close - s - 1));
                        char *old = member;
                        member = inner ? str_printf("%s; %s", old, tag) : strdup(tag);
                        free(old);
                }
                if (member && !inner && (s[1] == '/' || close[-1] == '/'))
                        assert_int_equal(strv_consume(&members, TAKE_PTR(member)), 0);
                s = close;
        }
        qsort(members, strv_length(members), sizeof(*members), by_text);
        return members;
}

static void check_introspection(World *w)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w), *xml = NULL;
        _cleanup_strv_free_ char **served = NULL, **wanted = NULL;
        sd_bus_message *m = NULL;
        const char *text;

        assert_true(sd_bus_call_method(w->bus, name, path, "org.freedesktop.DBus.Introspectable",
                                       "Introspect", NULL, &m, "") >= 0);
        assert_true(sd_bus_message_read(m, "s", &text) >= 0);
        served = canon(text, name);
        sd_bus_message_unref(m);
        _cleanup_free_ char *file = str_printf(TEST_DATA "/../units/dbus/%s.xml", name);
        assert_int_equal(read_file(file, 1 << 20, &xml, NULL), 0);
        wanted = canon(xml, name);
        for (size_t i = 0; served[i] && wanted[i]; i++)
                assert_string_equal(served[i], wanted[i]);
        assert_int_equal(strv_length(served), strv_length(wanted));
        assert_true(strv_length(served) > 20);
}

/* --- tests --------------------------------------------------------------------------------------
 */

static int call(World *w, const char *method, sd_bus_error *error)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        return sd_bus_call_method(w->bus, name, path, name, method, error, NULL, "");
}

/* Until exactly this key waits for a restart. */
static void wait_due(World *w, const char *key)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        usec_t deadline = usec_add(now_mono(), DEADLINE);

        for (;;) {
                _cleanup_strv_free_ char **due = NULL;
                assert_true(sd_bus_get_property_strv(w->bus, name, path, name, "RestartDue", NULL,
                                                     &due) >= 0);
                if (strv_equal(due, (char *[]){(char *)key, NULL}))
                        return;
                assert_true(now_mono() < deadline);
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        }
}

static void check_nodes(World *w, size_t want)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        sd_bus_message *m = NULL;
        uint64_t age;
        size_t n = 0;

        assert_true(sd_bus_call_method(w->bus, name, path, name, "GetNodes", NULL, &m, "") >= 0);
        assert_true(sd_bus_message_read(m, "t", &age) > 0);
        assert_true(age < 10 * USEC_PER_SEC);
        assert_true(sd_bus_message_enter_container(m, 'a', "(sssssbxta(sdd)s)") > 0);
        while (sd_bus_message_skip(m, "(sssssbxta(sdd)s)") > 0)
                n++;
        assert_int_equal(n, want);
        sd_bus_message_unref(m);
}

static void test_head(void **state)
{
        World *w = world_new("Head");

        start_daemon(w);
        wait_for(w, "State", "serving");
        wait_for(w, "Reason", "serving at 127.0.0.1:");
        wait_for(w, "RayVersion", "2.60.0");
        wait_for(w, "Auth", "off");
        check_introspection(w);
        check_nodes(w, 2);
        check_engine(w, "active");
        assert_int_equal(starts(w), 1);

        /* a daemon that is killed, and one that is restarted, leave Ray as it is */
        (void)end(&w->daemon, SIGKILL);
        check_engine(w, "active");
        start_daemon(w);
        wait_for(w, "State", "serving");
        steer(w, "Job", "restart");
        assert_int_equal(end(&w->daemon, SIGTERM), 0);
        check_engine(w, "active");
        start_daemon(w);
        wait_for(w, "State", "serving");
        assert_int_equal(starts(w), 1);

        /* told to stop, it takes Ray along */
        steer(w, "Job", "stop");
        assert_int_equal(end(&w->daemon, SIGTERM), 0);
        check_engine(w, "inactive");
        world_free(w);
}

static void test_head_repair(void **state)
{
        World *w = world_new("Head");

        start_daemon(w);
        wait_for(w, "State", "serving");
        steer(w, "Fail", "gcs_server (pid 7) was killed by SIGKILL");
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        while (starts(w) < 2 && now_mono() < deadline)
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        assert_int_equal(starts(w), 2);
        world_free(w);
}

static void test_reload(void **state)
{
        _cleanup_free_ char *log = NULL;
        World *w = world_new("Head");
        sd_bus_error error = SD_BUS_ERROR_NULL;

        start_daemon(w);
        wait_for(w, "State", "serving");
        write_conf(w, "resources: { cpu = 4; };\ngroup: ();\n");
        assert_true(call(w, "Reload", &error) < 0);
        assert_string_equal(error.name, "org.raycluster1.Error.Config");
        assert_non_null(strstr(error.message, "resources.cpu")); /* all mistakes in one answer */
        assert_non_null(strstr(error.message, "group"));
        sd_bus_error_free(&error);
        wait_for(w, "State", "serving");

        write_conf(w, "resources: { cpus = 3; };\n");
        assert_true(call(w, "Reload", NULL) >= 0);
        wait_due(w, "resources.cpus");
        assert_int_equal(starts(w), 1); /* never applied silently */
        assert_true(call(w, "RestartEngine", NULL) >= 0);
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        while (starts(w) < 2 && now_mono() < deadline)
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        assert_int_equal(starts(w), 2);
        wait_for(w, "State", "serving");
        world_free(w);
}

static void test_worker(void **state)
{
        World *w = world_new("Worker");

        start_daemon(w);
        wait_for(w, "State", "looking");
        wait_for(w, "Reason", "waiting: head 127.0.0.1 answers on port");
        check_introspection(w);
        assert_int_equal(starts(w), 0); /* Ray is not started for a head that is not there */

        start_gcs(w, "aa");
        wait_for(w, "State", "joined");
        check_nodes(w, 1);
        assert_int_equal(starts(w), 1);

        /* the head goes: Ray stays */
        (void)end(&w->gcs, SIGTERM);
        wait_for(w, "State", "lost-head");
        check_engine(w, "active");
        /* also over a restart of the daemon while the head is away */
        (void)end(&w->daemon, SIGKILL);
        start_daemon(w);
        wait_for(w, "State", "lost-head");
        assert_int_equal(starts(w), 1);
        /* it comes back as it was */
        start_gcs(w, "aa");
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 1);
        /* it comes back as another cluster */
        (void)end(&w->gcs, SIGTERM);
        wait_for(w, "State", "lost-head");
        start_gcs(w, "bb");
        wait_for(w, "ClusterId", "bb");
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 2);

        /* the engine dies: repaired */
        steer(w, "Fail", "raylet (pid 7) was killed by SIGKILL");
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        while (starts(w) < 3 && now_mono() < deadline)
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        wait_for(w, "State", "joined");

        steer(w, "Job", "stop");
        assert_int_equal(end(&w->daemon, SIGTERM), 0);
        check_engine(w, "inactive");
        world_free(w);
}

static void test_blocked(void **state)
{
        World *w = world_new("Worker");
        _cleanup_free_ char *ray = in_dir(w, "venv/bin/ray");

        assert_int_equal(unlink(ray), 0);
        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "blocked");
        wait_for(w, "Reason", "blocked: engine.venv: ");
        assert_int_equal(starts(w), 0);
        write_text(w, "venv/bin/ray", ""); /* mended: goes on by itself */
        wait_for(w, "State", "joined");
        world_free(w);
}

/* What only the supervisor can see is no failure either, and is tried again. */
static void test_blocked_by_unit(void **state)
{
        World *w = world_new("Worker");

        steer(w, "Refuse", "/scratch: permission denied: chown it to user ray");
        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "blocked");
        wait_for(w, "Reason", "blocked: /scratch: permission denied: chown it to user ray");
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 2);
        world_free(w);
}

/* What the head refuses for a token is said with the remedy; accepted, the worker goes on. */
static void test_token_asked(void **state)
{
        World *w = world_new("Worker");

        write_text(w, "gcs", "token secret\n");
        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "Reason",
                 "waiting: head 127.0.0.1 asks for a token and this machine has none: copy "
                 "/etc/raycluster/ray-token of ");
        assert_int_equal(starts(w), 0);
        write_text(w, "gcs", "\n");
        wait_for(w, "State", "joined");
        world_free(w);
}

typedef struct Answers {
        int ok, limit, other;
} Answers;

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
        Answers *a = userdata;

        if (!sd_bus_message_is_method_error(m, NULL))
                a->ok++;
        else if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_LIMITS_EXCEEDED))
                a->limit++;
        else
                a->other++;
        return 1;
}

/* More callers than the daemon keeps waiting while a GCS says nothing. */
static void test_many_callers(void **state)
{
        World *w = world_new("Worker");
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        Answers a = {0};

        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        write_text(w, "gcs", "mode silent\n");
        for (int i = 0; i < DAEMON_BUS_WAITING_MAX + 3; i++)
                assert_true(sd_bus_call_method_async(w->bus, NULL, name, path, name, "GetNodes",
                                                     on_answer, &a, "") >= 0);
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        while (a.ok + a.limit + a.other < DAEMON_BUS_WAITING_MAX + 3 && now_mono() < deadline) {
                while (sd_bus_process(w->bus, NULL) > 0)
                        ;
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        }
        assert_int_equal(a.other, 0);
        assert_int_equal(a.limit, 3);
        assert_int_equal(a.ok, DAEMON_BUS_WAITING_MAX); /* with what was known */
        world_free(w);
}

/* What Ray runs for is lost: found out again, and nothing is restarted. */
static void test_damaged_args(void **state)
{
        World *w = world_new("Worker");

        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        (void)end(&w->daemon, SIGKILL);
        write_text(w, "engine-worker.args", "RAYCLUSTER_ENGINE_ARGS=1\nROLE=\xff\n");
        start_daemon(w);
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 1);
        world_free(w);
}

/* The head serves at another address, the same cluster: Ray follows. */
static void test_head_moves(void **state)
{
        World *w = world_new("Worker");

        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        write_conf_head(w, "127.0.0.2");
        assert_true(call(w, "Reload", NULL) >= 0);
        wait_due(w, "cluster.head"); /* the old one still serves: nothing is done unasked */
        assert_int_equal(starts(w), 1);
        (void)end(&w->gcs, SIGTERM);
        w->gcs_address = "127.0.0.2";
        start_gcs(w, "aa");
        wait_for(w, "HeadAddress", "127.0.0.2");
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 2);
        world_free(w);
}

/* A row of the raylet before this one is ALIVE still, as after a power cut: that is not joined. */
static void test_predecessor(void **state)
{
        World *w = world_new("Worker");
        char id[MACHINE_ID_STR_MAX];

        steer(w, "Say", "running: Ray 2.60.0, node 030000000000, GCS at 127.0.0.1:1");
        start_gcs(w, "aa"); /* with node 02… of this machine */
        start_daemon(w);
        wait_for(w, "Reason", "Ray runs; head 127.0.0.1:");
        wait_for(w, "State", "engine-starting");
        assert_int_equal(machine_id_for_app(id), 0);
        _cleanup_free_ char *more =
                str_printf("node id=03,hostname=w1,address=127.0.0.1,instance=%s\n", id);
        write_text(w, "gcs", more);
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 1);
        world_free(w);
}

/* The GCS calls the raylet that runs here dead: it rejoins as a new node, at once. */
static void test_called_dead(void **state)
{
        World *w = world_new("Worker");
        char id[MACHINE_ID_STR_MAX];

        assert_int_equal(machine_id_for_app(id), 0);
        _cleanup_free_ char *dead =
                str_printf("node id=03,hostname=w1,address=127.0.0.1,instance=%s,state=dead\n", id);
        steer(w, "Say", "running: Ray 2.60.0, node 030000000000, GCS at 127.0.0.1:1");
        start_gcs(w, "aa"); /* with node 02…, that of the run after this one */
        write_text(w, "gcs", dead);
        start_daemon(w);
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        while (starts(w) < 1 && now_mono() < deadline)
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        steer(w, "Say", "running: Ray 2.60.0, node 020000000000, GCS at 127.0.0.1:1");
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 2);
        world_free(w);
}

/* The head comes back with its tables and another version of Ray. */
static void test_other_ray(void **state)
{
        World *w = world_new("Worker");

        steer(w, "Say", "running: Ray 2.60.0, node 02, GCS at 127.0.0.1:1");
        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        steer(w, "Say", "running: Ray 2.61.0, node 02, GCS at 127.0.0.1:1");
        write_text(w, "gcs", "version 2.61.0\n");
        wait_for(w, "RayVersion", "2.61.0");
        wait_for(w, "Reason", "joined head 127.0.0.1:");
        wait_for(w, "EngineStatus", "running: Ray 2.61.0");
        assert_int_equal(starts(w), 2);
        world_free(w);
}

/* The second role is refused, and the first does not notice. */
static void test_second_role(void **state)
{
        World *w = world_new("Head");

        start_daemon(w);
        wait_for(w, "State", "serving");
        char *argv[] = {TEST_BUILD "/bin/ray-workerd", "--config", w->conf, NULL};
        _cleanup_free_ char *log = in_dir(w, "log"), *text = NULL;
        pid_t second = run(w, argv, log);
        assert_int_equal(end(&second, 0), EXIT_CONF);
        assert_int_equal(read_file(log, 1 << 20, &text, NULL), 0);
        assert_non_null(strstr(text, "this machine is the cluster's head already"));
        wait_for(w, "State", "serving");
        /* nor a second daemon of the same role */
        char *same[] = {TEST_BUILD "/bin/ray-headd", "--config", w->conf, NULL};
        second = run(w, same, log);
        assert_int_equal(end(&second, 0), EXIT_CONF);
        wait_for(w, "State", "serving");
        world_free(w);
}

static void test_wrong_conf(void **state)
{
        World *w = world_new("Worker");
        _cleanup_free_ char *log = in_dir(w, "log"), *text = NULL;

        write_conf(w, "resources: { cpu = 4; };\ngroup: ();\n");
        start_daemon(w);
        assert_int_equal(end(&w->daemon, 0), EXIT_CONF);
        assert_int_equal(read_file(log, 1 << 20, &text, NULL), 0);
        assert_non_null(strstr(text, "resources.cpu"));
        assert_non_null(strstr(text, "group"));
        char *check[] = {TEST_BUILD "/bin/ray-headd", "--check", "--config", w->conf, NULL};
        pid_t pid = run(w, check, log);
        assert_int_equal(end(&pid, 0), EXIT_CONF);
        write_conf(w, "");
        pid = run(w, check, log);
        assert_int_equal(end(&pid, 0), EXIT_OK);
        char *usage[] = {TEST_BUILD "/bin/ray-headd", "--loud", NULL};
        pid = run(w, usage, log);
        assert_int_equal(end(&pid, 0), EXIT_USAGE);
        world_free(w);
}

/* The broker ends and comes back: nothing is lost, the daemon returns to the bus. */
static void test_broker_restart(void **state)
{
        World *w = world_new("Worker");

        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        sd_bus_flush_close_unref(w->bus);
        (void)end(&w->broker, SIGTERM);
        (void)end(&w->systemd, SIGTERM);
        _cleanup_free_ char *listen = str_printf("--address=unix:path=%s/bus", w->dir);
        char *broker[] = {"dbus-daemon",       "--session", "--nofork", "--nopidfile",
                          "--print-address=1", listen,      NULL};
        w->broker = run_until_line(w, broker);
        assert_true(sd_bus_open_system(&w->bus) >= 0);
        start_systemd(w);
        /* a systemd that forgot the unit: the engine is started again */
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 1);
        world_free(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head),         cmocka_unit_test(test_head_repair),
                cmocka_unit_test(test_reload),       cmocka_unit_test(test_worker),
                cmocka_unit_test(test_blocked),      cmocka_unit_test(test_blocked_by_unit),
                cmocka_unit_test(test_token_asked),  cmocka_unit_test(test_many_callers),
                cmocka_unit_test(test_damaged_args), cmocka_unit_test(test_called_dead),
                cmocka_unit_test(test_other_ray),    cmocka_unit_test(test_predecessor),
                cmocka_unit_test(test_head_moves),   cmocka_unit_test(test_second_role),
                cmocka_unit_test(test_wrong_conf),   cmocka_unit_test(test_broker_restart),
        };
        char id[MACHINE_ID_STR_MAX];

        /* Where packages are built there may be none; systemd makes one at the first boot. */
        if (machine_id_for_app(id) < 0) {
                puts("1..1\nok 1 - daemons # SKIP this machine has no id, see machine-id(5)");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
