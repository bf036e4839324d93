/* wire/engine-args: what the daemon writes is what the supervisor reads; everything else is named.
 */
#include "test.h"

#include <syslog.h>

#include "base/fd.h"
#include "base/str.h"
#include "wire/engine-args.h"

static const char worker[] = TEST_DATA "/fuzz/corpus/engine-args/worker";
static const char worker_tls[] = TEST_DATA "/fuzz/corpus/engine-args/worker-tls";

static char *load(const char *path)
{
        char *text = NULL;
        assert_int_equal(read_file(path, ENGINE_ARGS_MAX, &text, NULL), 0);
        return text;
}

static EngineArgs *parse(const char *text)
{
        _cleanup_free_ char *why = NULL;
        EngineArgs *a = NULL;
        int r = engine_args_parse(text, strlen(text), &a, &why);
        if (r < 0)
                print_error("%s\n", strna(why));
        assert_int_equal(r, 0);
        return a;
}

static void test_values(void **state)
{
        _cleanup_free_ char *text = load(worker);
        _cleanup_(engine_args_freep) EngineArgs *a = parse(text);
        char buf[ADDR_PORT_MAX];

        assert_int_equal(a->role, ROLE_WORKER);
        assert_string_equal(a->venv, "/usr/lib/raycluster-engine/2.60.0");
        assert_string_equal(addr_format_port(buf, &a->head_address), "10.0.0.1:6379");
        assert_string_equal(addr_format(buf, &a->node_address), "10.0.0.2");
        assert_int_equal(a->ports.dashboard_agent, 6385);
        assert_int_equal(a->ports.worker_first, 10002);
        assert_int_equal(a->ports.worker_last, 19999);
        assert_int_equal(a->engine.drain, 30 * USEC_PER_SEC);
        assert_int_equal(strv_length(a->engine.env), 2);
        assert_string_equal(a->engine.env[1], "TWO=lines\nand a \\");
        assert_int_equal(a->resources.cpus, 8);
        assert_int_equal(a->resources.gpus, -1);
        assert_int_equal(a->resources.memory, 0);
        assert_string_equal(a->token_path, "");
        assert_int_equal(a->log_level, LOG_INFO);
}

static void round_trip(const char *path)
{
        _cleanup_free_ char *text = load(path), *out = NULL, *again = NULL;
        _cleanup_(engine_args_freep) EngineArgs *a = parse(text);

        assert_int_equal(engine_args_format(a, &out), 0);
        _cleanup_(engine_args_freep) EngineArgs *b = parse(out);
        assert_int_equal(engine_args_format(b, &again), 0);
        assert_string_equal(out, again);
        assert_string_equal(out, text);
}

static void test_round_trip(void **state)
{
        round_trip(worker);
        round_trip(worker_tls);
}

/* A supervisor of today is told nothing of TLS by a daemon of yesterday. */
static void test_tls(void **state)
{
        _cleanup_free_ char *text = load(worker_tls), *plain = load(worker);
        _cleanup_(engine_args_freep) EngineArgs *a = parse(text), *b = parse(plain);

        assert_string_equal(a->tls_dir, "/run/raycluster/ray-tls");
        assert_string_equal(a->tls_serial, "8f00c0ffee");
        assert_null(b->tls_dir);
        assert_null(b->tls_serial);
}

/* The text with the line of `key` replaced (NULL: left out). */
static char *with(const char *text, const char *key, const char *line)
{
        _cleanup_strv_free_ char **in = NULL, **out = NULL;

        assert_int_equal(strv_split(text, "\n", &in), 0);
        STRV_FOREACH (s, in) {
                bool hit = startswith(*s, key) && (*s)[strlen(key)] == '=';
                if (!hit)
                        assert_int_equal(strv_extend(&out, *s), 0);
                else if (line)
                        assert_int_equal(strv_extend(&out, line), 0);
        }
        assert_int_equal(strv_extend(&out, ""), 0);
        char *s = strv_join(out, "\n");
        assert_non_null(s);
        return s;
}

static void refused(const char *data, size_t size, const char *want)
{
        _cleanup_free_ char *why = NULL;
        EngineArgs *a = NULL;

        assert_int_equal(engine_args_parse(data, size, &a, &why), -EBADMSG);
        assert_null(a);
        assert_string_equal(why, want);
}

static void test_refused(void **state)
{
        static const struct {
                const char *key, *line, *want;
        } cases[] = {
                {"PORT_GCS", "PORT_GCS=0", "line 10: PORT_GCS=0: a port is 1 to 65535"},
                {"PORT_GCS", "PORT_GSC=1", "line 10: PORT_GSC: no such key"},
                {"PORT_GCS", "nonsense", "line 10: \"nonsense\": a line is KEY=VALUE"},
                {"PORT_GCS", NULL, "PORT_GCS is missing"},
                {"PORT_GCS", "PORT_CLIENT=1\nPORT_CLIENT=1", "line 11: PORT_CLIENT: twice"},
                {"ROLE", "ROLE=both", "line 2: ROLE=both: a role is head or worker"},
                {"VENV", "VENV=relative", "line 3: VENV=relative: a path begins with /"},
                {"VENV", "VENV=/a\\t", "line 3: VENV: after a backslash comes n or a backslash"},
                {"VENV", "VENV=/a\\", "line 3: VENV: after a backslash comes n or a backslash"},
                {"HEAD_ADDRESS", "HEAD_ADDRESS=fd00::1:6379",
                 "line 5: HEAD_ADDRESS=fd00::1:6379: an address with port is 10.0.0.1:6379 or "
                 "[fd00::1]:6379"},
                {"CLUSTER_ID", "CLUSTER_ID=00",
                 "line 9: CLUSTER_ID=00: a cluster id is 56 hex digits, or there is none"},
                {"TOKEN_PATH", "TLS_DIR=", "line 33: TLS_DIR=: a path begins with /"},
                {"TOKEN_PATH", "TLS_SERIAL=0xA",
                 "line 33: TLS_SERIAL=0xA: a serial number is hex digits"},
                {"ENV", "ENV=1X=2", "line 27: ENV=1X=2: a variable is NAME=value"},
                {"START_ARG", "START_ARG=-v", "line 29: START_ARG=-v: an argument begins with --"},
                {"RESOURCE", "RESOURCE=fast=many",
                 "line 31: RESOURCE=fast=many: a resource is name=number"},
                {"LOG_RAY", "LOG_RAY=\033[1m",
                 "line 34: LOG_RAY=\\x1b[1m: one of journal, files, stderr"},
        };
        _cleanup_free_ char *text = load(worker);

        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *t = with(text, cases[i].key, cases[i].line);
                refused(t, strlen(t), cases[i].want);
        }
        refused("", 0, "line 1: not RAYCLUSTER_ENGINE_ARGS=1");
        refused("ROLE=head\n", 10, "line 1: not RAYCLUSTER_ENGINE_ARGS=1");
        refused(text, strlen(text) - 1, "line 35: cut off in the middle");
        refused("RAY\0", 4, "a NUL byte is in it");
}

static void test_limits(void **state)
{
        _cleanup_free_ char *text = load(worker), *big = calloc(1, ENGINE_ARGS_MAX + 1);
        _cleanup_strv_free_ char **l = NULL;

        refused(big, ENGINE_ARGS_MAX + 1, "262145 bytes: at most 262144");
        for (int i = 0; i < ENGINE_ARGS_LIST_MAX + 1; i++)
                assert_int_equal(strv_extend(&l, "LABEL=a=b"), 0);
        _cleanup_free_ char *labels = strv_join(l, "\n"), *t = with(text, "ROLE", labels);
        refused(t, strlen(t), "line 1026: LABEL: more than 1024 of them");
}

static void test_addr_port(void **state)
{
        char buf[ADDR_PORT_MAX];
        Addr a;

        assert_int_equal(addr_parse_port("[fd00::1]:1", &a), 0);
        assert_string_equal(addr_format_port(buf, &a), "[fd00::1]:1");
        assert_int_equal(addr_parse_port("10.0.0.1", &a), -EINVAL);
        assert_int_equal(addr_parse_port("10.0.0.1:", &a), -EINVAL);
        assert_int_equal(addr_parse_port("[10.0.0.1]:1", &a), -EINVAL);
        assert_int_equal(addr_parse_port("10.0.0.1:65536", &a), -ERANGE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_values),    cmocka_unit_test(test_round_trip),
                cmocka_unit_test(test_refused),   cmocka_unit_test(test_limits),
                cmocka_unit_test(test_addr_port), cmocka_unit_test(test_tls),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
