/* What the supervisor says to Ray by itself, the configuration refuses to say a second time. */
#include "test.h"

#include <string.h>

#include "base/strv.h"
#include "conf/words.h"
#include "supervisor/command.h"
#include "supervisor/environment.h"

static EngineArgs args(Role role)
{
        static char *custom[] = {(char *)"x=1", NULL}, *labels[] = {(char *)"a=b", NULL};
        PortPlan ports;

        memset(&ports, 1, sizeof(ports));
        return (EngineArgs){
                .role = role,
                .venv = (char *)"/venv",
                .node_address = {.family = AF_INET, .port = 0},
                .head_address = {.family = AF_INET, .port = 6379},
                .node_id = (char *)"id",
                .node_name = (char *)"name",
                .group = (char *)"group",
                .cluster_id = (char *)"",
                .ports = ports,
                .dashboard_bind = (char *)"127.0.0.1",
                .engine = {.temp_dir = (char *)"/tmp/ray",
                           .gcs_store = (char *)"rocksdb",
                           .drain = USEC_PER_SEC},
                .resources = {.cpus = 1,
                              .gpus = 1,
                              .memory = 1 << 30,
                              .object_store_memory = 1 << 30,
                              .custom = custom,
                              .labels = labels},
                .token_path = (char *)"/token",
                .tls_dir = (char *)"/tls",
                .log_ray = (char *)"stderr",
        };
}

static void check_options(Role role)
{
        const EngineArgs a = args(role);
        _cleanup_strv_free_ char **argv = NULL;
        const ConfRaw raw = {.type = CONF_RAW_STRING, .s = "x"};

        assert_int_equal(command_build(&a, &argv), 0);
        assert_true(strv_length(argv) > 15);
        for (char **s = argv + 2; *s; s++) {
                _cleanup_free_ char *text = NULL;
                bool oom = false;
                assert_non_null(startswith(*s, "--"));
                _cleanup_free_ char *name = strndup(*s + 2, strcspn(*s + 2, "="));
                if (!entry_start_arg(name, &raw, &text, &oom))
                        fail_msg("engine.start_args lets %s through", name);
        }
}

static void check_environment(Role role)
{
        /* a site may have its own */
        static const char *const open[] = {"PATH",
                                           "HOME",
                                           "LANG",
                                           "TMPDIR",
                                           "VIRTUAL_ENV",
                                           "RAY_ROTATION_MAX_BYTES",
                                           "RAY_ROTATION_BACKUP_COUNT",
                                           "GRPC_ENABLE_FORK_SUPPORT"};
        const EngineArgs a = args(role);
        const EnginePaths paths = {.home = "/home", .gcs_dir = "/gcs"};
        _cleanup_strv_free_ char **env = NULL;
        const ConfRaw raw = {.type = CONF_RAW_STRING, .s = "x"};

        assert_int_equal(environment_build(&a, &paths, &env), 0);
        assert_true(strv_length(env) > 10);
        STRV_FOREACH (s, env) {
                _cleanup_free_ char *text = NULL;
                _cleanup_free_ char *name = strndup(*s, strcspn(*s, "="));
                bool oom = false, refused = entry_env(name, &raw, &text, &oom);
                for (size_t i = 0; i < ELEMENTSOF(open); i++)
                        refused = refused || streq(open[i], name);
                if (!refused)
                        fail_msg("engine.env lets %s through", name);
        }
}

static void test_head(void **state)
{
        check_options(ROLE_HEAD);
        check_environment(ROLE_HEAD);
}

static void test_worker(void **state)
{
        check_options(ROLE_WORKER);
        check_environment(ROLE_WORKER);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_head),
                cmocka_unit_test(test_worker),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
