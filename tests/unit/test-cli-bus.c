/* raycluster(1) against the daemons' own bus object on a private bus, and what it says without one.
 */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <systemd/sd-bus.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "cli/ask-gcs.h"
#include "cli/cli.h"
#include "cli/down.h"
#include "cli/nodes.h"
#include "wire/json.h"

#define TOOL TEST_BUILD "/bin/raycluster"
#define ID   "00112233445566778899aabbccddeeff00112233445566778899aab"

static char dir[] = "/tmp/raycluster-test-XXXXXX";
static pid_t bus;

typedef struct Fake {
        pid_t pid;
        FILE *in, *out;
} Fake;

/* Output of a command, both streams, with its exit status at the end: "…\n[3]". */
static char *sh(const char *command)
{
        static char buf[1 << 20];
        _cleanup_free_ char *whole = str_printf("(%s) 2>&1; echo \"[$?]\"", command);
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

static pid_t spawn(const char *const *argv, int in, int out)
{
        pid_t pid = fork();

        assert_true(pid >= 0);
        if (pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                if (in >= 0)
                        dup2(in, STDIN_FILENO);
                dup2(out, STDOUT_FILENO);
                execvp(argv[0], (char *const *)argv);
                _exit(127);
        }
        return pid;
}

static void end(pid_t pid)
{
        kill(pid, SIGTERM);
        waitpid(pid, NULL, 0);
}

static int start_bus(void **state)
{
        int fd[2];
        char address[512] = "";

        assert_non_null(mkdtemp(dir));
        _cleanup_free_ char *conf = path_join(dir, "bus.conf");
        _cleanup_free_ char *text = str_printf(
                "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration "
                "1.0//EN\" "
                "\"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n"
                "<busconfig><listen>unix:dir=%s</listen><policy context=\"default\"><allow "
                "send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow "
                "own=\"*\"/></policy></busconfig>",
                dir);
        assert_int_equal(write_file_atomic(conf, text, strlen(text), 0644, (gid_t)-1), 0);
        _cleanup_free_ char *option = str_printf("--config-file=%s", conf);
        assert_int_equal(pipe(fd), 0);
        const char *argv[] = {"dbus-daemon", option, "--nofork", "--print-address", NULL};
        bus = spawn(argv, -1, fd[1]);
        close(fd[1]);
        FILE *f = fdopen(fd[0], "r");
        if (!fgets(address, sizeof(address), f))
                fail_msg("dbus-daemon did not start (is it installed?)");
        fclose(f);
        setenv("DBUS_SYSTEM_BUS_ADDRESS", str_strip(address), 1);
        return 0;
}

static int stop_bus(void **state)
{
        end(bus);
        _cleanup_free_ char *rm = str_printf("rm -r '%s'", dir);
        return system(rm);
}

static void tell(Fake *f, const char *line)
{
        char answer[64];

        fprintf(f->in, "%s\n", line);
        fflush(f->in);
        assert_non_null(fgets(answer, sizeof(answer), f->out));
        assert_string_equal(answer, "ok\n");
}

static Fake fake_run(const char *const *argv)
{
        int in[2], out[2];
        char answer[256] = "";

        assert_int_equal(pipe2(in, O_CLOEXEC), 0);
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        Fake f = {.pid = spawn(argv, in[0], out[1])};
        close(in[0]);
        close(out[1]);
        f.in = fdopen(in[1], "w");
        f.out = fdopen(out[0], "r");
        assert_non_null(fgets(answer, sizeof(answer), f.out));
        assert_string_equal(answer, "ready\n");
        return f;
}

static Fake fake_start(const char *role)
{
        const char *argv[] = {TEST_BUILD "/tests/fake/fake-raycluster", role, NULL};
        return fake_run(argv);
}

static void fake_end(Fake *f)
{
        fclose(f->in);
        fclose(f->out);
        end(f->pid);
}

static void test_head(void **state)
{
        Fake f = fake_start("head");
        static const char *const lines[] = {
                "State serving the GCS serves",
                "Cluster lab",
                "ClusterId " ID "0",
                "NodeName compute04",
                "HeadAddress 10.77.0.1:6379",
                "DashboardUrl http://127.0.0.1:8265",
                "RayVersion 2.60.0",
                "PythonVersion 3.11.2",
                "EnginePath /usr/lib/raycluster-engine/2.60.0",
                "EngineState running",
                "EngineStatus the raylet serves",
                "Auth off",
                "WorkersAlive 2",
                "EngineRepairs 1",
                "RestartDue engine.drain log.ray",
                "node " ID "0 compute04 10.77.0.1 alive 1 8 8",
                "node " ID "1 w1 10.77.0.2 alive 0 8 4",
                "node " ID "2 w2 10.77.0.3 draining 0 8 0",
                "node " ID "3 w2 10.77.0.3 dead 0 8 0",
                "node " ID "4 w3 10.77.0.4 dead 0 8 0",
                "age 400000",
        };
        for (size_t i = 0; i < ELEMENTSOF(lines); i++)
                tell(&f, lines[i]);

        const char *out = sh(TOOL " status");
        assert_has(out, "● compute04, head of cluster \"lab\"\n");
        assert_has(out, "       State: serving since ");
        assert_has(out, "the GCS serves\n");
        assert_has(out, "AUTHENTICATION IS OFF: whoever reaches");
        assert_has(out,
                   "Restart due: engine.drain, log.ray changed and take effect with: raycluster "
                   "restart-engine\n");
        assert_has(out, "1 restart by the daemon since it started\n");
        assert_has(out, "\n3 nodes alive, as of 400ms ago:\nNODE      STATE ROLE   ADDRESS");
        assert_has(out, "\ncompute04 idle  head   10.77.0.1 0/8");
        assert_has(out, "\nw1        mix   worker 10.77.0.2 4/8");
        assert_has(out, "\nw2        drng  worker 10.77.0.3 8/8");
        assert_has(out, "\nw3        down  worker 10.77.0.4");
        assert_has(out,
                   "\n1 dead node of machines that are back not shown (--all shows them).\n[0]");
        assert_null(strstr(out, "\033"));
        assert_has(sh(TOOL " status --all"), "\nw2        down  worker 10.77.0.3");

        _cleanup_json_ Json *j = NULL;
        out = sh(TOOL " status --json");
        assert_int_equal(json_parse(out, strlen(out) - strlen("[0]\n"), &j), 0);
        int64_t n;
        assert_int_equal(json_get_int(j, "schema", &n), 0);
        assert_int_equal(n, 1);
        assert_string_equal(json_get_str(j, "daemon"), "up");
        assert_string_equal(json_get_str(j, "state"), "serving");
        assert_int_equal(json_length(json_get(j, "restart_due")), 2);
        assert_int_equal(json_length(json_get(j, "nodes")), 5);
        const Json *w1 = json_at(json_get(j, "nodes"), 1);
        assert_string_equal(json_get_str(w1, "hostname"), "w1");
        assert_string_equal(json_get_str(w1, "state"), "alive");
        assert_string_equal(json_get_str(w1, "slurm_state"), "mix");

        assert_string_equal(sh(TOOL " wait --workers 2 --timeout 20"), "[0]\n");
        assert_string_equal(sh(TOOL " wait --workers 3 --timeout 10ms"),
                            "raycluster: gave up after 10ms: 2 of 3 workers are alive\n[4]\n");
        assert_has(sh(TOOL " env"), "export RAY_ADDRESS=10.77.0.1:6379\n"
                                    "export RAY_API_SERVER_ADDRESS=http://127.0.0.1:8265\n"
                                    "export RAY_event_log_reporter_enabled=0\n");
        assert_has(sh(TOOL " env"), "export RAY_AUTH_MODE=disabled\n[0]");
        /* the folder is there while Ray has TLS */
        assert_has(sh("d=$(mktemp -d); mkdir $d/ray-tls; touch $d/ray-tls/key.pem; "
                      "RAYCLUSTER_RUN_DIR=$d " TOOL " env | grep TLS | sed s,$d,,; rm -r $d"),
                   "export RAY_USE_TLS=1\n"
                   "export RAY_TLS_CA_CERT=/ray-tls/ca.pem\n"
                   "export RAY_TLS_SERVER_CERT=/ray-tls/cert.pem\n"
                   "export RAY_TLS_SERVER_KEY=/ray-tls/key.pem\n");
        assert_has(sh("d=$(mktemp -d); mkdir $d/ray-tls; RAYCLUSTER_RUN_DIR=$d " TOOL
                      " env; rm -r $d"),
                   "cannot read ");
        assert_has(sh("d=$(mktemp -d); mkdir $d/ray-tls; RAYCLUSTER_RUN_DIR=$d " TOOL
                      " doctor; rm -r $d"),
                   "ray-tls/ca.pem: No such file");
        assert_string_equal(sh(TOOL " reload"),
                            "/etc/raycluster.conf:3: ports.gsc: no such key\n"
                            "raycluster: the configuration is wrong; the old one stays in force\n"
                            "[78]\n");
        assert_has(sh(TOOL " restart-engine"), "Ray is drained and started again");
        assert_has(sh(TOOL " ray stop"), "ray stop kills every Ray process of this machine");
        assert_has(sh(TOOL " ray status"), "cannot run /usr/lib/raycluster-engine/2.60.0/bin/ray");
        fake_end(&f);
}

static void test_worker(void **state)
{
        Fake f = fake_start("worker");

        tell(&f,
             "State looking waiting: head compute04 found by DNS SRV, port 6379 refused: Ray is "
             "not running there");
        tell(&f, "Source 0 static idle cluster.head is empty");
        tell(&f, "Source 1 dns found compute04.lab (10.77.0.1)");
        tell(&f, "Auth off");
        tell(&f, "EngineState stopped");
        const char *out = sh(TOOL " status");
        assert_null(strstr(out, "AUTHENTICATION IS OFF")); /* nothing runs that has a port */
        tell(&f, "EngineState running");
        assert_has(sh(TOOL " status"), "AUTHENTICATION IS OFF");
        tell(&f, "EngineState stopped");
        tell(&f, "Auth token");
        tell(&f, "EnginePath /usr/lib/raycluster-engine/2.60.0");
        out = sh(TOOL " status");
        assert_has(out, "worker of cluster");
        assert_has(out, "waiting: head compute04 found by DNS SRV, port 6379 refused: Ray is not "
                        "running there\n");
        assert_has(out, "  Looked for: static     idle     cluster.head is empty\n"
                        "              dns        found    compute04.lab (10.77.0.1)\n");
        assert_null(strstr(out, "AUTHENTICATION"));
        assert_null(strstr(out, "Try: "));
        tell(&f, "Verdict PORT_CLOSED");
        tell(&f, "Remedy on compute04: systemctl status ray-head");
        assert_has(sh(TOOL " status"), "not running there\n"
                                       "         Try: on compute04: systemctl status ray-head\n");
        {
                _cleanup_json_ Json *j = NULL;
                out = sh(TOOL " status --json");
                assert_int_equal(json_parse(out, strlen(out) - strlen("[0]\n"), &j), 0);
                assert_string_equal(json_get_str(j, "verdict"), "PORT_CLOSED");
                assert_string_equal(json_get_str(j, "remedy"),
                                    "on compute04: systemctl status ray-head");
        }
        assert_has(sh(TOOL " env"), "the head is not known yet (waiting: head compute04");
        assert_has(sh(TOOL " wait -t 10ms"),
                   "gave up after 10ms: looking: waiting: head compute04");

        /* from the cache's nodes, as a worker's daemon has no count of its own */
        tell(&f, "State joined this node is alive");
        tell(&f, "node " ID "0 compute04 10.77.0.1 alive 1 8 8");
        tell(&f, "node " ID "1 w1 10.77.0.2 alive 0 8 4");
        assert_string_equal(sh(TOOL " wait --workers 1 --timeout 20"), "[0]\n");
        assert_has(sh(TOOL " wait --workers 2 --timeout 10ms"), "1 of 2 workers are alive\n[4]");

        /* no node's words reach the terminal as they are */
        tell(&f, "node " ID "2 \033[31mred 10.77.0.3 alive 0 8 4");
        /* made harmless by the daemon, and once more by the table */
        assert_has(sh(TOOL " status"), "x1b[31mred");
        fake_end(&f);
}

/* wait is there first; the daemon comes, serves, and gets its workers. */
static void test_wait(void **state)
{
        int out[2];
        const char *argv[] = {TOOL, "wait", "--workers=2", "--timeout=60", NULL};
        int status;

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid_t pid = spawn(argv, -1, out[1]);
        Fake f = fake_start("head");
        tell(&f, "State engine-starting Ray comes up");
        tell(&f, "State serving the GCS serves");
        tell(&f, "WorkersAlive 1");
        tell(&f, "WorkersAlive 2");
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        fake_end(&f);
        close(out[0]);
        close(out[1]);
}

static void test_many_nodes(void **state)
{
        Fake f = fake_start("head");

        tell(&f, "State serving the GCS serves");
        tell(&f, "many 16384");
        assert_has(sh(TOOL " status | head -4000"), "16384 nodes alive");
        tell(&f, "many 1");
        assert_has(sh(TOOL " status"), "Nodes: not known: Argument list too long");
        fake_end(&f);
}

static void test_nobody(void **state)
{
        const char *out = sh(TOOL " status");
        assert_has(out, "○ No daemon of raycluster answers\n");
        assert_has(out, "systemd does not answer about ray-worker.service\n");
        /* here may come what a GCS on this machine's own port 6379 says: then a Ray runs beside us
         */
        assert_has(out, "\n[3]");
        assert_has(sh(TOOL " status --json"), "\"daemon\": \"down\"");
        assert_has(sh(TOOL " restart-engine"),
                   "neither ray-head nor ray-worker runs here; raycluster status says why\n[3]");
        assert_has(sh(TOOL " wait -t 10ms"),
                   "gave up after 10ms: no daemon of raycluster runs\n[4]");
}

/* What systemd knows of a unit that is down, and what it exits with. */
static void test_unit(void **state)
{
        static const char fake[] = TEST_BUILD "/tests/fake/fake-unit";
        const char *failed[] = {fake,
                                "LoadState=loaded",
                                "UnitFileState=enabled",
                                "ActiveState=failed",
                                "SubState=failed",
                                "Result=exit-code",
                                "ExecMainCode=1",
                                "ExecMainStatus=78",
                                NULL};
        Fake f = fake_run(failed);
        const char *out = sh(TOOL " status");
        assert_has(out,
                   "Why: ray-head.service failed: its configuration is wrong (exit status 78)");
        assert_has(out, "Last words: journalctl -u ray-head.service\n");
        out = sh(TOOL " status --json");
        assert_has(out, "\"exec_main_status\": 78");
        assert_has(out, "\"result\": \"exit-code\"");
        fake_end(&f);

        const char *fresh[] = {fake,
                               "LoadState=loaded",
                               "UnitFileState=disabled",
                               "ActiveState=inactive",
                               "SubState=dead",
                               NULL};
        f = fake_run(fresh);
        assert_has(sh(TOOL " status"), "Why: no role is enabled on this machine: systemctl enable "
                                       "--now ray-head on one machine, ray-worker on the others\n");
        fake_end(&f);

        const char *refused[] = {fake,
                                 "LoadState=loaded",
                                 "UnitFileState=disabled",
                                 "ActiveState=inactive",
                                 "AssertTimestamp=5",
                                 "AssertResult=0",
                                 NULL};
        f = fake_run(refused);
        assert_has(sh(TOOL " status"),
                   ".service was refused, as the other role ran on this machine");
        fake_end(&f);
}

static void test_doctor_system(void **state)
{
        static const char fake[] = TEST_BUILD "/tests/fake/fake-unit";
        const char *both[] = {fake, "file:ray-head.service=enabled",
                              "file:ray-worker.service=enabled", "own=org.freedesktop.Avahi", NULL};
        Fake f = fake_run(both);
        const char *out = sh(TOOL " doctor");
        assert_has(out,
                   "FAIL  role           ray-head and ray-worker are both enabled, and a machine "
                   "has one role: systemctl disable --now one of them\n");
        assert_has(out, "\nok    avahi          runs\n");
        assert_has(out, "[1]");
        fake_end(&f);

        const char *worker[] = {fake, "file:ray-worker.service=enabled", "LimitNOFILESoft=1024",
                                NULL};
        f = fake_run(worker);
        out = sh(TOOL " doctor");
        assert_has(out, "\nok    role           ray-worker.service is enabled\n");
        assert_has(out,
                   "\nwarn  limits         ray-engine@worker.service may open 1024 files, and a "
                   "busy node needs 65536");
        assert_has(out, "\nwarn  avahi          does not run, so heads are neither found nor "
                        "published by mDNS: apt install avahi-daemon, or set cluster.head\n");
        fake_end(&f);
}

static void test_config(void **state)
{
        _cleanup_free_ char *path = path_join(dir, "my.conf");
        static const char text[] =
                "cluster: { head = \"h\"; };\nengine: { env = { A = \"b \\\"c\"; }; };\n";

        assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, (gid_t)-1), 0);
        _cleanup_free_ char *some = str_printf(TOOL " config -f %s", path);
        _cleanup_free_ char *want = str_printf(
                "cluster.head = \"h\";  // %s:1\nengine.env.A = \"b \\\"c\";  // %s:2\n[0]\n", path,
                path);
        assert_string_equal(sh(some), want);
        _cleanup_free_ char *all = str_printf(TOOL " config --effective --file=%s", path);
        assert_has(sh(all), "\nports.gcs = 6379;  // default\n");
        assert_has(sh(TOOL " config --keys"), "\nports.gcs\n    GCS: the head's front door.\n    "
                                              "default: 6379\n");
        _cleanup_free_ char *good = str_printf(TOOL " check %s", path);
        assert_string_equal(sh(good), "The configuration is good.\n[0]\n");
        assert_int_equal(write_file_atomic(path, "x = 1;", 6, 0644, (gid_t)-1), 0);
        _cleanup_free_ char *bad = str_printf("%s:1: x: no such key", path);
        assert_has(sh(good), bad);
        assert_has(sh(good), "[78]");
        assert_has(sh(all), "[78]");
}

static int get_head_settings(sd_bus *b, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *error)
{
        return sd_bus_message_append(reply, "s", userdata);
}

static int get_text(sd_bus *b, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
        return sd_bus_message_append(
                reply, "s", streq(property, "HeadAddress") ? "10.77.0.1:6379" : "/opt/ray");
}

static const sd_bus_vtable member_vtable[] = {
        SD_BUS_VTABLE_START(0),
        SD_BUS_PROPERTY("HeadSettings", "s", get_head_settings, 0, 0),
        SD_BUS_PROPERTY("HeadAddress", "s", get_text, 0, 0),
        SD_BUS_PROPERTY("EnginePath", "s", get_text, 0, 0),
        SD_BUS_VTABLE_END,
};

/* A worker's daemon that was told this by its head; in a process of its own, until it is ended. */
static pid_t start_member(const char *settings)
{
        int fd[2];
        char c;

        assert_int_equal(pipe(fd), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                sd_bus *b = NULL;
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                int r = sd_bus_open_system(&b);
                if (r >= 0)
                        r = sd_bus_add_object_vtable(b, NULL, "/org/raycluster1/Worker",
                                                     "org.raycluster1.Worker", member_vtable,
                                                     (void *)settings);
                if (r >= 0)
                        r = sd_bus_request_name(b, "org.raycluster1.Worker", 0);
                if (r >= 0)
                        r = (int)write(fd[1], "r", 1);
                while (r >= 0) {
                        r = sd_bus_process(b, NULL);
                        if (r == 0)
                                r = sd_bus_wait(b, UINT64_MAX);
                }
                _exit(1);
        }
        close(fd[1]);
        assert_int_equal(read(fd[0], &c, 1), 1);
        close(fd[0]);
        return pid;
}

/* On a member the head's word is part of the configuration; a file that is named is only itself. */
static void test_config_of_head(void **state)
{
        _cleanup_free_ char *path = path_join(dir, "named.conf");
        _cleanup_free_ char *named = str_printf(TOOL " config --effective -f %s", path);

        assert_int_equal(write_file_atomic(path, "", 0, 0644, (gid_t)-1), 0);
        const char *out = sh(TOOL " config");
        assert_has(out, "// neither ray-head nor ray-worker runs here: what a head has set is not "
                        "shown\n");
        assert_has(out, "[0]");
        out = sh("DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nonexistent " TOOL " config");
        assert_has(out,
                   "// the daemon cannot be asked (No such file or directory): what a head has "
                   "set is not shown\n");
        assert_has(out, "[0]");
        pid_t pid = start_member("ports: { gcs = 7123; dashboard = 80; };\n"
                                 "engine: { env = [ \"A=1\" ]; };\n");
        out = sh(TOOL " config");
        assert_has(out, "\nports.gcs = 7123;  // head");
        assert_has(out, "\nengine.env.A = \"1\";  // head");
        assert_has(out, "head:1: ports.dashboard: 80 is below 1024");
        assert_null(strstr(out, "ports.client"));
        assert_has(out, "[0]");
        out = sh(TOOL " config --effective");
        assert_has(out, "\nports.gcs = 7123;  // head");
        assert_has(out, "\nports.client = ");
        out = sh(named);
        assert_has(out, "\nports.gcs = 6379;  // default");
        end(pid);

        /* where the head has its dashboard is a setting of the room */
        pid = start_member("ports: { dashboard = 8444; };\n");
        assert_has(sh(TOOL " env"), "RAY_API_SERVER_ADDRESS=http://10.77.0.1:8444\n");
        assert_has(sh(TOOL " doctor"), "ok    head's word    what the head has set is in use\n");
        end(pid);
        pid = start_member("ports: { gcs = 7123; client = 7123; };");
        assert_has(sh(TOOL " doctor"),
                   "warn  head's word    head: ports.client: 7123: the same port as ports.gcs (the "
                   "head); every port needs a number of its own, and more; all of it: raycluster "
                   "config\n");
        end(pid);

        pid = start_member("ports: { gcs = 7123;");
        out = sh(TOOL " config --effective");
        assert_has(out, "head: what the head has set is left out as a whole: it cannot be read\n");
        assert_null(strstr(out, "7123"));
        end(pid);

        Fake f = fake_start("worker"); /* no member, or of a version without the property */
        assert_null(strstr(sh(TOOL " config --effective"), "// head"));
        fake_end(&f);
}

/* A daemon that hangs is told from one that is not there. */
static void test_frozen(void **state)
{
        Fake f = fake_start("worker");

        kill(f.pid, SIGSTOP);
        assert_has(sh(TOOL " status"),
                   "ray-worker.service is on the bus but does not answer; systemd's watchdog");
        kill(f.pid, SIGCONT);
        fake_end(&f);
}

/* Without a daemon: the GCS by itself. */
static void test_gcs(void **state)
{
        int out[2];
        char line[64];
        unsigned port;
        _cleanup_snapshot_ Snapshot s = {.age = USEC_INFINITY};
        DiscoSettings disco = {.head = (char *)"127.0.0.1"};
        Settings settings = {
                .disco = disco, .auth_mode = (char *)"disabled", .auth_tls = (char *)"off"};
        const char *argv[] = {TEST_BUILD "/tests/fake/fake-gcs", "--node",
                              "id=aa,hostname=w1,cpus=4", NULL};

        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        pid_t pid = spawn(argv, -1, out[1]);
        close(out[1]);
        FILE *f = fdopen(out[0], "r");
        assert_non_null(fgets(line, sizeof(line), f));
        assert_int_equal(sscanf(line, "port %u", &port), 1);
        settings.ports.gcs = (uint16_t)port;
        assert_int_equal(ask_gcs_of(&s, &settings), 0);
        _cleanup_free_ char *at = str_printf("127.0.0.1:%u", port);
        assert_string_equal(s.gcs, at);
        assert_string_equal(s.gcs_ray, "2.60.0");
        assert_int_equal(s.age, 0);
        assert_string_equal(s.nodes->nodes[0].hostname, "w1");
        end(pid);
        fclose(f);

        /* and nobody there */
        _cleanup_snapshot_ Snapshot none = {.age = USEC_INFINITY};
        assert_int_equal(ask_gcs_of(&none, &settings), 0);
        assert_null(none.gcs);
        assert_null(none.nodes);
}

/* -H: what ssh would carry, carried by a script in its place. */
static void test_host(void **state)
{
        Fake f = fake_start("head");
        _cleanup_free_ char *ssh = path_join(dir, "ssh");
        static const char text[] =
                "#!/bin/sh\n[ \"$*\" = \"-xT -- w1 systemd-stdio-bridge\" ] || exit 1\n"
                "exec systemd-stdio-bridge -p \"$DBUS_SYSTEM_BUS_ADDRESS\"\n";

        tell(&f, "State serving the GCS serves");
        assert_int_equal(write_file_atomic(ssh, text, strlen(text), 0755, (gid_t)-1), 0);
        _cleanup_free_ char *command = str_printf("PATH=%s:$PATH " TOOL " -H w1 status", dir);
        assert_has(sh(command), "State: serving");
        _cleanup_free_ char *behind =
                str_printf("PATH=%s:$PATH " TOOL " wait --host=w1 -t 20", dir);
        assert_string_equal(sh(behind), "[0]\n");
        _cleanup_free_ char *nowhere = str_printf("PATH=%s:$PATH " TOOL " -H w9 status", dir);
        assert_has(sh(nowhere), "[1]");
        fake_end(&f);
}

static void test_doctor(void **state)
{
        _cleanup_json_ Json *j = NULL;
        Fake f = fake_start("worker");

        tell(&f, "State blocked the disk is full");
        const char *out = sh(TOOL " doctor");
        assert_has(out, "FAIL  daemon         blocked: the disk is full\n");
        assert_has(out, "\nwarn  role           no role is enabled: ");
        assert_has(out, "[1]");
        out = sh(TOOL " doctor --json");
        assert_int_equal(json_parse(out, strlen(out) - strlen("[1]\n"), &j), 0);
        assert_true(json_length(json_get(j, "checks")) > 5);
        fake_end(&f);
}

static void test_usage(void **state)
{
        assert_has(sh(TOOL " stauts"),
                   "unknown verb stauts; did you mean status; raycluster --help "
                   "lists them\n[2]");
        assert_has(sh(TOOL " status --jsno"), "unknown option --jsno; did you mean --json; see "
                                              "raycluster status --help\n[2]");
        assert_has(sh(TOOL " status --json=1"), "--json takes no value\n[2]");
        assert_has(sh(TOOL " wait --workers"), "--workers wants a value: --workers=N\n[2]");
        assert_has(sh(TOOL " wait --workers x"), "--workers=x is not a number\n[2]");
        assert_has(sh(TOOL " wait -t x"), "--timeout=x is not a time such as 90 or \"2min\"\n[2]");
        assert_has(sh(TOOL " status extra"), "usage: raycluster status [--json] [--all]\n[2]");
        assert_has(sh(TOOL " -H w1 check"),
                   "check works on this machine only; try ssh w1 raycluster "
                   "check\n[2]");
        assert_has(sh(TOOL), "Usage: raycluster [OPTION…] VERB");
        assert_has(sh(TOOL " --version"), "raycluster " RAYCLUSTER_VERSION "\n[0]");
        assert_has(sh(TOOL " help wait"), "Usage: raycluster wait [--workers=N]");
        assert_has(sh(TOOL " ray --help"), "Usage: raycluster ray COMMAND");
        assert_has(sh(TOOL " -h check"), "Usage: raycluster check [FILE…]");
        /* an empty variable is no wish to be let in without a token */
        assert_has(sh(TOOL " join ''"), "the token is empty; on the head: raycluster token "
                                        "create\n[2]");
        assert_has(sh("echo | " TOOL " join -"), "the token is empty");
        assert_has(sh(TOOL " join --head=h:0 x"), "--head=h:0: 0 is no port\n[2]");
        assert_has(sh(TOOL " join --head=nosuch.invalid:7000 x"), "nosuch.invalid: ");
        assert_has(sh(TOOL " check /nonexistent"), "/nonexistent: cannot be read: No such file or "
                                                   "directory\n[78]");
}

static void test_down(void **state)
{
        static const struct {
                Down down;
                const char *sentence;
        } cases[] = {
                {{.known = false}, "systemd does not answer about ray-head.service"},
                {{.known = true, .load = (char *)"not-found"},
                 "ray-head.service is not installed: apt install raycluster"},
                {{.known = true, .load = (char *)"masked"},
                 "ray-head.service is masked: systemctl unmask ray-head"},
                {{.known = true,
                  .load = (char *)"loaded",
                  .file = (char *)"disabled",
                  .active = (char *)"inactive",
                  .sub = (char *)"dead"},
                 "ray-head.service is not enabled: systemctl enable --now ray-head"},
                {{.known = true,
                  .load = (char *)"loaded",
                  .file = (char *)"enabled",
                  .active = (char *)"inactive",
                  .sub = (char *)"dead"},
                 "ray-head.service is stopped: systemctl start ray-head"},
                {{.known = true,
                  .load = (char *)"loaded",
                  .file = (char *)"enabled",
                  .active = (char *)"failed",
                  .sub = (char *)"failed",
                  .result = (char *)"exit-code",
                  .code = CLD_EXITED,
                  .status = 78},
                 "ray-head.service failed: its configuration is wrong (exit status 78): raycluster "
                 "check says where; then systemctl restart it"},
                {{.known = true,
                  .load = (char *)"loaded",
                  .file = (char *)"enabled",
                  .active = (char *)"activating",
                  .sub = (char *)"auto-restart",
                  .code = CLD_KILLED,
                  .status = SIGSEGV},
                 "ray-head.service is being restarted: it was killed by signal SEGV"},
                {{.known = true,
                  .load = (char *)"loaded",
                  .file = (char *)"enabled",
                  .active = (char *)"failed",
                  .sub = (char *)"failed",
                  .refused = true},
                 "ray-head.service was refused, as the other role ran on this machine: systemctl "
                 "status "
                 "ray-head"},
                {{.known = true,
                  .load = (char *)"loaded",
                  .file = (char *)"enabled",
                  .active = (char *)"activating",
                  .sub = (char *)"start"},
                 "ray-head.service is starting"},
        };

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *s = down_sentence(&cases[i].down, ROLE_HEAD);
                assert_string_equal(s, cases[i].sentence);
        }
}

static void test_words(void **state)
{
        Resource cpu = {.name = (char *)"CPU", .total = 8, .available = 8};
        Node n = {.state = NODE_ALIVE, .idle_ms = -1, .resources = &cpu, .n_resources = 1};

        assert_string_equal(node_word(&n), "idle");
        cpu.available = 4;
        assert_string_equal(node_word(&n), "mix");
        cpu.available = 0;
        assert_string_equal(node_word(&n), "alloc");
        n.state = NODE_DRAINING;
        assert_string_equal(node_word(&n), "drng");
        cpu.available = 8;
        n.idle_ms = 5;
        assert_string_equal(node_word(&n), "drain");
        n.state = NODE_DEAD;
        assert_string_equal(node_word(&n), "down");
        n.state = NODE_ALIVE;
        n.idle_ms = -1;
        cpu.available = -1;
        assert_string_equal(node_word(&n), "up");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_nobody),     cmocka_unit_test(test_head),
                cmocka_unit_test(test_worker),     cmocka_unit_test(test_wait),
                cmocka_unit_test(test_many_nodes), cmocka_unit_test(test_frozen),
                cmocka_unit_test(test_usage),      cmocka_unit_test(test_gcs),
                cmocka_unit_test(test_host),       cmocka_unit_test(test_doctor),
                cmocka_unit_test(test_unit),       cmocka_unit_test(test_doctor_system),
                cmocka_unit_test(test_config),     cmocka_unit_test(test_config_of_head),
                cmocka_unit_test(test_down),       cmocka_unit_test(test_words),
        };
        return cmocka_run_group_tests(tests, start_bus, stop_bus);
}
