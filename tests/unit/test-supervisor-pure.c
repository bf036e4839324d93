/* supervisor/: command line and environment against golden files, stages, versions, temp dir. */
#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

#include "base/fd.h"
#include "supervisor/children.h"
#include "supervisor/command.h"
#include "supervisor/environment.h"
#include "supervisor/preflight.h"
#include "supervisor/stage.h"
#include "supervisor/versions.h"

static EngineArgs *load(const char *name)
{
        _cleanup_free_ char *path = str_printf(TEST_DATA "/fuzz/corpus/engine-args/%s", name);
        _cleanup_free_ char *text = NULL, *why = NULL;
        EngineArgs *a = NULL;
        size_t size;

        assert_int_equal(read_file(path, ENGINE_ARGS_MAX, &text, &size), 0);
        assert_int_equal(engine_args_parse(text, size, &a, &why), 0);
        return a;
}

/* One entry a line; `UPDATE=1 make check-unit` writes what is, to be looked at with git diff. */
static void golden(const char *name, char *const *list)
{
        _cleanup_free_ char *path = str_printf(TEST_DATA "/golden/%s", name);
        _cleanup_free_ char *is = strv_join(list, "\n"), *want = NULL;

        if (getenv("UPDATE"))
                assert_int_equal(write_file_atomic(path, is, strlen(is), 0644, (gid_t)-1), 0);
        assert_int_equal(read_file(path, 1 << 20, &want, NULL), 0);
        assert_string_equal(is, want);
}

static void both(const char *role)
{
        static const EnginePaths paths = {.home = "/var/lib/ray/home",
                                          .gcs_dir = "/var/lib/ray/gcs"};
        _cleanup_free_ char *c = str_printf("engine-command-%s", role);
        _cleanup_free_ char *e = str_printf("engine-environment-%s", role);
        _cleanup_(engine_args_freep) EngineArgs *a = load(role);
        _cleanup_strv_free_ char **argv = NULL, **env = NULL;

        assert_int_equal(command_build(a, &argv), 0);
        golden(c, argv);
        assert_int_equal(environment_build(a, &paths, &env), 0);
        golden(e, env);
}

static void test_golden(void **state)
{
        both("head");
        both("worker");
}

static const char *get(char *const *env, const char *key)
{
        const char *found = NULL;

        STRV_FOREACH (s, env) {
                const char *rest = startswith(*s, key);
                if (!rest || *rest != '=')
                        continue;
                assert_null(found); /* each key once */
                found = rest + 1;
        }
        return found;
}

static void test_environment_tls(void **state)
{
        static const EnginePaths paths = {.home = "/h", .gcs_dir = "/g"};
        _cleanup_(engine_args_freep) EngineArgs *on = load("worker-tls"), *off = load("worker");
        _cleanup_strv_free_ char **env = NULL, **plain = NULL;

        assert_int_equal(environment_build(on, &paths, &env), 0);
        assert_string_equal(get(env, "RAY_USE_TLS"), "1");
        assert_string_equal(get(env, "RAY_TLS_CA_CERT"), "/run/raycluster/ray-tls/ca.pem");
        assert_string_equal(get(env, "RAY_TLS_SERVER_CERT"), "/run/raycluster/ray-tls/cert.pem");
        assert_string_equal(get(env, "RAY_TLS_SERVER_KEY"), "/run/raycluster/ray-tls/key.pem");
        assert_int_equal(environment_build(off, &paths, &plain), 0);
        assert_int_equal(strv_length(env), strv_length(plain) + 4);
}

static void test_environment_owned(void **state)
{
        static const EnginePaths paths = {.home = "/h", .gcs_dir = "/g"};
        static const char *const site[] = {"RAY_AUTH_MODE=token",      "PATH=/site", "X=1", "X=2",
                                           "RAY_CLOUD_INSTANCE_ID=me", "HOME=/site"};
        _cleanup_(engine_args_freep) EngineArgs *a = load("worker");
        _cleanup_strv_free_ char **env = NULL;

        for (size_t i = 0; i < ELEMENTSOF(site); i++)
                assert_int_equal(strv_extend(&a->engine.env, site[i]), 0);
        a->engine.drain = 1500 * USEC_PER_MSEC;
        assert_int_equal(environment_build(a, &paths, &env), 0);
        assert_string_equal(get(env, "RAY_AUTH_MODE"), "disabled");
        assert_string_equal(get(env, "RAY_CLOUD_INSTANCE_ID"), a->node_id);
        assert_string_equal(get(env, "PATH"), "/site");
        assert_string_equal(get(env, "HOME"), "/site");
        assert_string_equal(get(env, "X"), "2");
        assert_string_equal(get(env, "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"), "2");
        assert_null(get(env, "RAY_gcs_storage"));
        assert_null(get(env, "RAY_AUTH_TOKEN_PATH"));
}

static void test_command_resources(void **state)
{
        _cleanup_(engine_args_freep) EngineArgs *a = load("worker");
        _cleanup_strv_free_ char **argv = NULL;

        assert_int_equal(strv_extend(&a->resources.custom, "odd\"na\\me\n=2.5"), 0);
        a->resources.memory = 1;
        assert_int_equal(command_build(a, &argv), 0);
        assert_true(strv_contains(
                argv, "--resources={\"fast_disk\": 1, \"odd\\\"na\\\\me\\u000a\": 2.5}"));
        assert_true(strv_contains(argv, "--memory=1"));
}

/* Every stage has a name; the way to the end is there from everywhere, and there is none back. */
static void test_stages(void **state)
{
        for (int i = 0; i < _STAGE_MAX; i++) {
                assert_non_null(stage_to_string((Stage)i));
                assert_int_equal(stage_from_string(stage_to_string((Stage)i)), i);
                assert_false(stage_may_follow((Stage)i, (Stage)i));
                for (int k = 0; k < i; k++)
                        assert_false(stage_may_follow((Stage)i, (Stage)k));
                assert_int_equal(stage_may_follow((Stage)i, STAGE_ENDING), i < STAGE_ENDING);
                assert_int_equal(stage_may_follow((Stage)i, STAGE_ENDED), i == STAGE_ENDING);
                assert_int_equal(stage_may_follow((Stage)i, STAGE_RUNNING), i == STAGE_REGISTERING);
        }
        assert_true(stage_may_follow(STAGE_CHECKING, STAGE_STARTING));
        assert_true(stage_may_follow(STAGE_CHECKING, STAGE_REGISTERING));
        assert_false(stage_may_follow(STAGE_CHECKING, STAGE_STOPPING));
        assert_false(stage_may_follow(_STAGE_INVALID, STAGE_RUNNING));
        assert_false(stage_may_follow(STAGE_RUNNING, _STAGE_MAX));
        assert_null(stage_to_string(_STAGE_MAX));
}

static void test_versions(void **state)
{
        _cleanup_free_ char *last = NULL;
        Versions v;

        assert_int_equal(versions_parse("python 3.11.2\nray 2.60.0\nray 2.9.0\n", &v, &last), 0);
        assert_string_equal(v.python, "3.11.2");
        assert_string_equal(v.ray, "2.60.0");
        assert_int_equal(versions_parse("python 3.13.5\n", &v, &last), 0);
        assert_string_equal(v.ray, "");
        assert_int_equal(versions_parse("Traceback\nImportError: no encodings\n", &v, &last),
                         -EBADMSG);
        assert_string_equal(last, "ImportError: no encodings");
        free(TAKE_PTR(last));
        assert_int_equal(versions_parse("", &v, &last), -EBADMSG);
        assert_string_equal(last, "it said nothing");
}

static void test_temp_dir(void **state)
{
        _cleanup_free_ char *why = NULL;

        assert_int_equal(preflight_temp_dir_length("/123456789/123456789/123456789/12345678", &why),
                         0);
        assert_int_equal(
                preflight_temp_dir_length("/123456789/123456789/123456789/123456789", &why),
                -EAGAIN);
        assert_non_null(strstr(why, "has 40 characters: at most 39"));
        /* the sum in the header's comment */
        assert_int_equal(TEMP_DIR_MAX + strlen("/session_2026-11-23_10-58-14_149690_4194304"
                                               "/sockets/dash_MetricsHead"),
                         107);
}

static void test_end_text(void **state)
{
        _cleanup_free_ char *a = child_end_text(CHILD_RAYLET, 7, SIGKILL);
        _cleanup_free_ char *b = child_end_text(CHILD_GCS_SERVER, 7, 1 << 8);
        _cleanup_free_ char *c = child_end_text(CHILD_DASHBOARD_AGENT, 7, -1);

        assert_string_equal(a, "raylet (pid 7) was killed by SIGKILL");
        assert_string_equal(b, "gcs_server (pid 7) ended with exit status 1");
        assert_string_equal(c, "dashboard agent (pid 7) ended");
        for (int i = 0; i < _CHILD_KIND_MAX; i++)
                assert_int_equal(child_kind_from_string(child_kind_to_string((ChildKind)i)), i);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_golden),
                cmocka_unit_test(test_environment_tls),
                cmocka_unit_test(test_environment_owned),
                cmocka_unit_test(test_command_resources),
                cmocka_unit_test(test_stages),
                cmocka_unit_test(test_versions),
                cmocka_unit_test(test_temp_dir),
                cmocka_unit_test(test_end_text),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
