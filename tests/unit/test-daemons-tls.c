/* A worker whose head speaks TLS: what it says without its files, and that it joins with them. */
#include "test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon-world.h"

#include "base/strv.h"
#include "engine/args.h"
#include "engine/tls.h"
#include "tls-pki.h"

#define DAY (24 * 3600L)

static Identity ca;

/* until: seconds from now. */
static void write_own(World *w, long until)
{
        _cleanup_free_ char *dir = in_dir(w, ENGINE_TLS_NAME);
        Identity id = identity_new((IdentityWish){
                .name = "node", .alt = "IP:127.0.0.1", .ca = &ca, .from = -3600, .until = until});

        free(identity_file(dir, ENGINE_TLS_CERT, &id, true, false));
        free(identity_file(dir, ENGINE_TLS_KEY, &id, false, true));
        identity_done(&id);
}

static void write_files(World *w, long until)
{
        _cleanup_free_ char *dir = in_dir(w, ENGINE_TLS_NAME);

        assert_int_equal(mkdir(dir, 0700), 0);
        free(identity_file(dir, ENGINE_TLS_CA, &ca, true, false));
        write_own(w, until);
}

/* As start_gcs(), with a certificate of its own. */
static void start_tls_gcs(World *w)
{
        Identity id =
                identity_new((IdentityWish){.name = "head", .alt = "IP:127.0.0.1", .ca = &ca});
        _cleanup_free_ char *ca_file = identity_file(w->dir, "gcs-ca.pem", &ca, true, false);
        _cleanup_free_ char *cert = identity_file(w->dir, "gcs-cert.pem", &id, true, false);
        _cleanup_free_ char *key = identity_file(w->dir, "gcs-key.pem", &id, false, true);
        _cleanup_free_ char *files = str_printf("%s,%s,%s", ca_file, cert, key);
        char port[16], machine[MACHINE_ID_STR_MAX];

        (void)snprintf(port, sizeof(port), "%d", w->port);
        assert_int_equal(machine_id_for_app(machine), 0);
        _cleanup_free_ char *node =
                str_printf("id=02,hostname=w1,address=127.0.0.1,instance=%s", machine);
        char *argv[] = {TEST_BUILD "/tests/fake/fake-gcs",
                        "--port",
                        port,
                        "--tls",
                        files,
                        "--control",
                        w->gcs_control,
                        "--node",
                        node,
                        NULL};
        w->gcs = run_until_line(w, argv);
        identity_done(&id);
}

static bool is_due(World *w, const char *key)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);
        _cleanup_strv_free_ char **due = NULL;

        assert_true(sd_bus_get_property_strv(w->bus, name, path, name, "RestartDue", NULL, &due) >=
                    0);
        return strv_contains(due, key);
}

static void reload(World *w)
{
        _cleanup_free_ char *name = name_of(w), *path = path_of(w);

        assert_true(sd_bus_call_method(w->bus, name, path, name, "Reload", NULL, NULL, "") >= 0);
}

static void test_worker(void **state)
{
        World *w = world_new("Worker");

        start_tls_gcs(w);
        write_conf(w, "auth: { mode = \"disabled\"; tls = \"on\"; };\n");
        start_daemon(w);
        wait_for(w, "Reason",
                 "blocked: waiting for Ray's certificate from the head: no member of a cluster");
        assert_int_equal(starts(w), 0);
        write_files(w, DAY);
        wait_for(w, "State", "joined");
        assert_false(is_due(w, "auth.tls"));
        _cleanup_free_ char *args = in_dir(w, "engine-worker.args"), *text = NULL;
        assert_int_equal(read_file(args, ENGINE_ARGS_MAX, &text, NULL), 0);
        assert_non_null(strstr(text, "/ray-tls\nTLS_SERIAL="));

        write_own(w, DAY); /* renewed */
        reload(w);
        usec_t end = usec_add(now_mono(), DEADLINE);
        while (!is_due(w, "auth.tls"))
                assert_true(now_mono() < end);
        assert_int_equal(starts(w), 1);
        world_free(w);
}

/* What it was started with ends soon, and there is another one: its turn has come. */
static void test_turn(void **state)
{
        World *w = world_new("Worker");
        usec_t end = usec_add(now_mono(), DEADLINE);

        start_tls_gcs(w);
        write_files(w, 300);
        write_conf(w, "auth: { mode = \"disabled\"; tls = \"on\"; };\n");
        start_daemon(w);
        wait_for(w, "State", "joined");
        reload(w); /* with nothing better to start with it goes on */
        assert_int_equal(starts(w), 1);
        write_own(w, DAY);
        reload(w);
        while (starts(w) < 2)
                assert_true(now_mono() < end);
        wait_for(w, "State", "joined");
        assert_false(is_due(w, "auth.tls"));
        assert_int_equal(starts(w), 2);
        world_free(w);
}

static int make(void **state)
{
        ca = identity_new((IdentityWish){.name = "Ray's authority"});
        return 0;
}

static int done(void **state)
{
        identity_done(&ca);
        return 0;
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_worker),
                cmocka_unit_test(test_turn),
        };

        return cmocka_run_group_tests(tests, make, done);
}
