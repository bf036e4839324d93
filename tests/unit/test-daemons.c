/* The real daemons on a bus of their own, with a fake systemd and a fake GCS. */
#include "test.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon-world.h"

#include "base/exit.h"
#include "base/strv.h"
#include "engine/args.h"
#include "engine/repair.h"
#include "role/daemon-bus.h"

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

static size_t same_members(const char *text, const char *xml, const char *interface)
{
        _cleanup_strv_free_ char **served = canon(text, interface),
                                 **wanted = canon(xml, interface);

        for (size_t i = 0; served[i] && wanted[i]; i++)
                assert_string_equal(served[i], wanted[i]);
        assert_int_equal(strv_length(served), strv_length(wanted));
        return strv_length(served);
}

static void check_introspection(World *w)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w), *xml = NULL;
        sd_bus_message *m = NULL;
        const char *text;

        assert_true(sd_bus_call_method(w->bus, name, path, "org.freedesktop.DBus.Introspectable",
                                       "Introspect", NULL, &m, "") >= 0);
        assert_true(sd_bus_message_read(m, "s", &text) >= 0);
        _cleanup_free_ char *file = str_printf(TEST_DATA "/../units/dbus/%s.xml", name);
        assert_int_equal(read_file(file, 1 << 20, &xml, NULL), 0);
        assert_true(same_members(text, xml, name) > 20);
        assert_true(same_members(text, xml,
                                 streq(w->role, "Head") ? "org.raycluster1.Members"
                                                        : "org.raycluster1.Membership") > 2);
        sd_bus_message_unref(m);
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

static const char auth_off[] = "warning: authentication of Ray is off: ";

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
        assert_int_equal(count_in_log(w, auth_off), 1);
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
        assert_int_equal(count_in_log(w, auth_off), 1);
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
                 "waiting: head 127.0.0.1 asks for a token and this machine has none: auth.mode is "
                 "\"disabled\" here (found by ");
        wait_for(w, "Remedy", "here, as root: set auth.mode = \"auto\" ");
        assert_int_equal(starts(w), 0);
        if (access(ENGINE_TOKEN_FILE, F_OK) < 0) {
                write_conf(w, "auth: { mode = \"auto\"; };\n");
                assert_true(call(w, "Reload", NULL) >= 0);
                wait_for(w, "Reason",
                         "waiting: head 127.0.0.1 asks for a token and this machine has none "
                         "(found by ");
                wait_for(w, "Remedy", "here: ls -l /run/raycluster/ray-token");
                assert_int_equal(starts(w), 0);
        }
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

/* Nodes are asked for while the daemon asks for its own row: that answer is not the table. */
static void test_nodes_in_a_round(void **state)
{
        World *w = world_new("Worker");
        _cleanup_free_ char *calls = in_dir(w, "calls");
        _cleanup_free_ char *late = str_printf("mode late\nlog %s\n", calls);

        start_gcs(w, "aa");
        start_daemon(w);
        wait_for(w, "State", "joined");
        write_text(w, "gcs", late);
        usec_t deadline = usec_add(now_mono(), DEADLINE);
        for (bool asked = false; !asked;) {
                _cleanup_free_ char *text = NULL;
                asked = read_file(calls, 1 << 20, &text, NULL) >= 0 &&
                        strstr(text, "GetAllNodeInfo");
                assert_true(now_mono() < deadline);
                (void)sd_bus_wait(w->bus, 20 * USEC_PER_MSEC);
        }
        check_nodes(w, 1);
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

/* A GCS that calls node 03… of this machine dead, and has 02… alive: that of the run after it. */
static void start_gcs_with_dead(World *w)
{
        char id[MACHINE_ID_STR_MAX];

        assert_int_equal(machine_id_for_app(id), 0);
        _cleanup_free_ char *dead =
                str_printf("node id=03,hostname=w1,address=127.0.0.1,instance=%s,state=dead\n", id);
        start_gcs(w, "aa");
        write_text(w, "gcs", dead);
}

/* The GCS calls the raylet that runs here dead: it rejoins as a new node, at once. */
static void test_called_dead(void **state)
{
        World *w = world_new("Worker");

        steer(w, "SayOnce", "running: Ray 2.60.0, node 030000000000, GCS at 127.0.0.1:1");
        steer(w, "Say", "running: Ray 2.60.0, node 020000000000, GCS at 127.0.0.1:1");
        start_gcs_with_dead(w);
        start_daemon(w);
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 2);
        world_free(w);
}

/* And calls the new one dead, too: Ray is not started in a loop. */
static void test_called_dead_again(void **state)
{
        World *w = world_new("Worker");

        steer(w, "Say", "running: Ray 2.60.0, node 030000000000, GCS at 127.0.0.1:1");
        start_gcs_with_dead(w);
        start_daemon(w);
        usec_t begin = now_mono();
        wait_for(w, "Reason", "starting Ray again in a moment: the head calls this node dead");
        wait_for(w, "State", "repairing");
        while (starts(w) < 4 && now_mono() < begin + DEADLINE)
                (void)sd_bus_wait(w->bus, 100 * USEC_PER_MSEC);
        assert_true(starts(w) >= 4);
        /* the first repair came at once, the next two waited */
        assert_true(now_mono() - begin >= (REPAIR_BASE * 2 + REPAIR_BASE * 4) * 3 / 4);
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
        wait_for(w, "State", "starting"); /* on the bus, and systemd is not yet */
        start_systemd(w);
        /* a systemd that forgot the unit: the engine has ended behind our back, and is started
         * again */
        wait_for(w, "State", "joined");
        assert_int_equal(starts(w), 1);
        wait_for_log(w, "starting Ray again, repair 1: somebody else stopped it");
        world_free(w);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head),
                cmocka_unit_test(test_head_repair),
                cmocka_unit_test(test_reload),
                cmocka_unit_test(test_worker),
                cmocka_unit_test(test_blocked),
                cmocka_unit_test(test_blocked_by_unit),
                cmocka_unit_test(test_token_asked),
                cmocka_unit_test(test_many_callers),
                cmocka_unit_test(test_nodes_in_a_round),
                cmocka_unit_test(test_damaged_args),
                cmocka_unit_test(test_called_dead),
                cmocka_unit_test(test_called_dead_again),
                cmocka_unit_test(test_other_ray),
                cmocka_unit_test(test_predecessor),
                cmocka_unit_test(test_head_moves),
                cmocka_unit_test(test_second_role),
                cmocka_unit_test(test_wrong_conf),
                cmocka_unit_test(test_broker_restart),
        };
        char id[MACHINE_ID_STR_MAX];

        /* Where packages are built there may be none; systemd makes one at the first boot. */
        if (machine_id_for_app(id) < 0) {
                puts("1..1\nok 1 - daemons # SKIP this machine has no id, see machine-id(5)");
                return 0;
        }
        return cmocka_run_group_tests(tests, NULL, NULL);
}
