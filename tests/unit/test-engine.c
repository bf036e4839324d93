/* engine/: which environment, when to repair, is the machine ready. (unit.c is driven in the room
 * and by the daemons' tests.) */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "engine/ready.h"
#include "engine/repair.h"
#include "engine/select.h"
#include "engine/unit.h"
#include "sys/listeners.h"

typedef struct Fixture {
        char dir[32];
} Fixture;

static void make_file(const char *dir, const char *name, const char *text)
{
        _cleanup_free_ char *path = path_join(dir, name);
        for (char *s = path + strlen(dir) + 1; (s = strchr(s, '/')); s++) {
                *s = 0;
                (void)mkdir(path, 0755);
                *s = '/';
        }
        assert_int_equal(write_file_atomic(path, text, strlen(text), 0755, (gid_t)-1), 0);
}

static int setup(void **state)
{
        Fixture *f = calloc(1, sizeof(*f));
        strcpy(f->dir, "/tmp/test-engine.XXXXXX");
        assert_non_null(mkdtemp(f->dir));
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *cmd = str_printf("rm -r %s", f->dir);
        assert_int_equal(system(cmd), 0);
        free(f);
        return 0;
}

static void expect(const EngineSettings *s, const char *dir, const char *head_ray, const char *venv,
                   const char *why)
{
        _cleanup_(engine_done) Engine e = {0};
        _cleanup_free_ char *text = NULL;

        int r = engine_select(s, dir, head_ray, &e, &text);
        assert_int_equal(r, venv ? 1 : 0);
        if (venv)
                assert_true(endswith(e.venv, venv));
        else
                assert_string_equal(text, why);
}

static void test_select(void **state)
{
        Fixture *f = *state;
        EngineSettings s = {.version = (char *)"auto", .venv = (char *)""};

        expect(&s, "/nonexistent", NULL, NULL,
               "no Ray engine is installed: apt install raycluster-engine (or set engine.venv)");
        expect(&s, f->dir, "", NULL,
               "no Ray engine is installed: apt install raycluster-engine (or set engine.venv)");
        expect(&s, f->dir, "2.60.0", NULL,
               "the head runs Ray 2.60.0, and this machine has no engine: apt install "
               "raycluster-engine-2.60");

        make_file(f->dir, "2.9.3/bin/ray", "");
        make_file(f->dir, "2.60.0/bin/ray", "");
        make_file(f->dir, "2.61.0/bin/python", ""); /* half installed: no ray in it */
        make_file(f->dir, "README", "");
        expect(&s, f->dir, NULL, "/2.60.0", NULL); /* 60 is newer than 9 */
        expect(&s, f->dir, "2.9.3", "/2.9.3", NULL);
        expect(&s, f->dir, "2.59.0", NULL,
               "the head runs Ray 2.59.0, and this machine has Ray 2.60.0, 2.9.3: apt install "
               "raycluster-engine-2.59");

        s.version = (char *)"2.9.3";
        expect(&s, f->dir, NULL, "/2.9.3", NULL);
        expect(&s, f->dir, "2.60.0", NULL,
               "the head runs Ray 2.60.0, and engine.version says 2.9.3: set it to \"auto\", or "
               "give the head the same version");
        s.version = (char *)"3.0.0";
        expect(&s, f->dir, NULL, NULL,
               "engine.version asks for Ray 3.0.0, and this machine has Ray 2.60.0, 2.9.3: apt "
               "install raycluster-engine-3.0");
}

static void test_list(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ Versions *l = NULL;
        size_t n;

        assert_int_equal(engine_list("/nonexistent", &l, &n), 0);
        assert_int_equal(n, 0);
        make_file(f->dir, "2.9.3/bin/ray", "");
        make_file(f->dir, "2.60.0/bin/ray", "");
        make_file(f->dir, "2.60.0/lib/python3.11/site-packages/ray/__init__.py", "");
        assert_int_equal(engine_list(f->dir, &l, &n), 0);
        assert_int_equal(n, 2);
        assert_string_equal(l[0].ray, "2.60.0");
        assert_string_equal(l[0].python, "3.11");
        assert_string_equal(l[1].ray, "2.9.3");
        assert_string_equal(l[1].python, "");

        assert_true(version_matches("3.11.2", "3.11"));
        assert_true(version_matches("", "3.11"));
        assert_false(version_matches("3.11.2", "3.1"));
        assert_false(version_matches("3.1", "3.11"));
        assert_false(version_matches("2.60.0", "2.60.1"));
}

static void test_select_venv(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *site = path_join(f->dir, "site"), *why = NULL;
        EngineSettings s = {.version = (char *)"auto", .venv = site};

        why = str_printf("engine.venv: there is no %s: make the environment, or correct the path",
                         site);
        expect(&s, NULL, NULL, NULL, why);
        free(why);
        make_file(f->dir, "site/bin/python", "");
        why = str_printf(
                "engine.venv: %s has no bin/ray: run %s/bin/pip install 'ray[default]' numpy", site,
                site);
        expect(&s, NULL, NULL, NULL, why);
        make_file(f->dir, "site/bin/ray", "");
        expect(&s, NULL, "2.60.0", "/site", NULL);
}

static void test_repair(void **state)
{
        Repair r;

        repair_init(&r);
        usec_t first = repair_next(&r);
        assert_in_range(first, REPAIR_BASE * 3 / 4, REPAIR_BASE * 5 / 4);
        for (int i = 0; i < 20; i++)
                (void)repair_next(&r);
        assert_in_range(repair_next(&r), REPAIR_MAX * 3 / 4, REPAIR_MAX * 5 / 4);
        assert_int_equal(r.count, 22);

        /* a short run does not count as health, a long one does */
        repair_note_running(&r, 100 * USEC_PER_SEC);
        repair_note_ended(&r, 110 * USEC_PER_SEC);
        assert_in_range(repair_next(&r), REPAIR_MAX * 3 / 4, REPAIR_MAX * 5 / 4);
        assert_in_range(repair_at_once(&r), REPAIR_MAX * 3 / 4, REPAIR_MAX * 5 / 4);
        repair_note_running(&r, 200 * USEC_PER_SEC);
        repair_note_running(&r, 255 * USEC_PER_SEC);
        repair_note_ended(&r, 260 * USEC_PER_SEC);
        assert_in_range(repair_next(&r), REPAIR_BASE * 3 / 4, REPAIR_BASE * 5 / 4);

        /* what did not fail is restarted at once, but not again and again */
        repair_forget(&r);
        unsigned count = r.count;
        assert_int_equal(repair_at_once(&r), 0);
        assert_in_range(repair_at_once(&r), REPAIR_BASE * 2 * 3 / 4, REPAIR_BASE * 2 * 5 / 4);
        assert_int_equal(r.count, count + 2);
}

static const char proc_net_tcp[] = "  sl  local_address rem_address   st tx_queue rx_queue tr "
                                   "tm->when retrnsmt   uid  timeout inode\n"
                                   "   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 "
                                   "00:00000000 00000000     0        0 4026531 1 0 100 0 0 10 0\n"
                                   "   1: 0200A8C0:18EC 0100A8C0:9C40 01 00000000:00000000 "
                                   "00:00000000 00000000  1000        0 4026532 1 0 20 4 30 10 -1\n"
                                   "garbage\n"
                                   "   2: zzzz:18EB 00000000:0000 0A 00000000:00000000 00:00000000 "
                                   "00000000     0        0 1 1 0 100 0 0 10 0\n";

static void test_ports(void **state)
{
        Fixture *f = *state;
        PortPlan p = {.gcs = 6379,
                      .node_manager = 6380,
                      .object_manager = 6381,
                      .runtime_env_agent = 6382,
                      .dashboard_agent_grpc = 6383,
                      .metrics_export = 6384,
                      .dashboard_agent = 6385,
                      .dashboard_metrics = 6386,
                      .autoscaler_metrics = 6387,
                      .dashboard = 8265,
                      .client = 10001};
        _cleanup_free_ char *why = NULL;
        _cleanup_free_ Listener *l = NULL;
        size_t n;

        make_file(f->dir, "self/net/tcp", proc_net_tcp);
        assert_int_equal(listeners_read(f->dir, &l, &n), 0);
        assert_int_equal(n, 1); /* not the established one, not the garbage */
        assert_int_equal(l[0].addr.port, 6379);
        assert_true(addr_is_loopback(&l[0].addr));

        assert_int_equal(ready_ports(&p, ROLE_WORKER, f->dir, &why),
                         1); /* 6379 is not a worker's */
        assert_int_equal(ready_ports(&p, ROLE_HEAD, f->dir, &why), 0);
        assert_non_null(startswith(why, "port 6379 (ports.gcs) is taken by "));
        assert_non_null(strstr(why, "user root"));
}

static void test_disk(void **state)
{
        Fixture *f = *state;
        _cleanup_free_ char *deep = path_join(f->dir, "not/yet/made"), *why = NULL;

        assert_int_equal(ready_disk(deep, &why), 1);
        assert_int_equal(ready_disk("/proc/self", &why), 0); /* a file system without room */
        assert_non_null(strstr(why, "make room"));
        free(TAKE_PTR(why));
        assert_int_equal(ready_shm("/nonexistent", &why), 0);
        assert_non_null(strstr(why, "mount a tmpfs"));
}

static void test_states(void **state)
{
        for (int i = 0; i < _ENGINE_STATE_MAX; i++)
                assert_int_equal(engine_state_from_string(engine_state_to_string((EngineState)i)),
                                 i);
        assert_null(engine_state_to_string(_ENGINE_STATE_MAX));
}

static void test_status_node(void **state)
{
        char node[ENGINE_NODE_MAX];

        assert_string_equal(engine_status_node("running: Ray 2.60.0, node 046048c91135, GCS at "
                                               "10.0.0.1:6379",
                                               node),
                            "046048c91135");
        char ray[32];
        assert_string_equal(engine_status_ray("running: Ray 2.60.0, node 04", ray), "2.60.0");
        assert_string_equal(engine_status_ray("running: Ray 3.0.0rc1, node 04", ray), "3.0.0rc1");
        assert_string_equal(engine_status_ray("starting: waiting for the GCS", ray), "");
        assert_string_equal(engine_status_node("starting: waiting for the GCS", node), "");
        assert_string_equal(engine_status_node("", node), "");
        assert_string_equal(engine_status_node("x, node ", node), "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_status_node),
                cmocka_unit_test_setup_teardown(test_select, setup, teardown),
                cmocka_unit_test_setup_teardown(test_list, setup, teardown),
                cmocka_unit_test_setup_teardown(test_select_venv, setup, teardown),
                cmocka_unit_test(test_repair),
                cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
                cmocka_unit_test_setup_teardown(test_disk, setup, teardown),
                cmocka_unit_test(test_states),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
