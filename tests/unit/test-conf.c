/* conf/: the key table, reading, mistakes with place, reason and remedy, origins, restart due. */
#include "test.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "conf/conf.h"
#include "conf/schema.h"
#include "conf/words.h"

static int load(const char *text, Conf **ret, ConfErrors *e)
{
        return conf_load_text("t.conf", text, strlen(text), ret, e);
}

/* All mistakes as lines. */
static char *mistakes(const char *text)
{
        _cleanup_conf_errors_ ConfErrors e = {};
        _cleanup_strv_free_ char **lines = NULL;
        Conf *c _cleanup_(conf_freep) = NULL;

        int r = load(text, &c, &e);
        assert_int_equal(r, e.n > 0 ? -EBADMSG : 0);
        for (size_t i = 0; i < e.n; i++)
                assert_int_equal(strv_consume(&lines, conf_error_format(&e.errors[i])), 0);
        char *all = strv_join(lines, "\n");
        return all ? all : strdup("");
}

#define assert_mistakes(text, expected)                                                            \
        do {                                                                                       \
                _cleanup_free_ char *_m = mistakes(text);                                          \
                assert_string_equal(_m, expected);                                                 \
        } while (0)

static Conf *good(const char *text)
{
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *c = NULL;

        int r = load(text, &c, &e);
        if (e.n > 0)
                fail_msg("%s: %s", e.errors[0].path, e.errors[0].text);
        assert_int_equal(r, 0);
        return c;
}

static const char *value(const Conf *c, const char *key, const char **ret_origin)
{
        for (size_t i = 0; i < c->n_values; i++)
                if (streq(c->values[i].key, key)) {
                        if (ret_origin)
                                *ret_origin = c->values[i].origin;
                        return c->values[i].value;
                }
        return NULL;
}

static void test_defaults(void **state)
{
        Conf *c _cleanup_(conf_freep) = good("");
        const Settings *s = c->settings;

        assert_string_equal(s->disco.cluster, "default");
        assert_string_equal(s->disco.head, "");
        assert_int_equal(s->disco.n_order, 4);
        assert_int_equal(s->disco.order[0], DISCO_STATIC);
        assert_int_equal(s->disco.order[3], DISCO_LAST_KNOWN);
        assert_int_equal(s->disco.timeout, 4 * USEC_PER_SEC);
        assert_int_equal(s->disco.gcs_port, 6379);
        assert_int_equal(s->disco.control_port, 6388);
        assert_int_equal(s->ports.client, 10001);
        assert_int_equal(s->ports.worker_first, 10002);
        assert_int_equal(s->ports.worker_last, 19999);
        assert_string_equal(s->engine.temp_dir, "/var/lib/ray/tmp");
        assert_string_equal(s->engine.gcs_store, "rocksdb");
        assert_int_equal(s->engine.drain, 30 * USEC_PER_SEC);
        assert_int_equal(s->resources.cpus, -1);
        assert_int_equal(s->resources.memory, 0);
        assert_string_equal(s->dashboard_bind, "auto");
        assert_string_equal(s->auth_mode, "auto");
        assert_int_equal(s->log.level, LOG_INFO);
        assert_int_equal(s->log.target, LOG_TARGET_AUTO);
        assert_string_equal(s->log.ray, "journal");
        const char *origin;
        assert_string_equal(value(c, "ports.gcs", &origin), "6379");
        assert_string_equal(origin, "default");
}

static void test_table(void **state)
{
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *k = &conf_keys[i];
                assert_non_null(k->path);
                assert_non_null(k->value);
                assert_non_null(k->allowed);
                assert_non_null(k->doc);
                assert_non_null(conf_type_to_string(k->type));
                assert_ptr_equal(conf_key_find(k->path), k);
                assert_true(strlen(k->path) < 64);
                for (size_t j = 0; j < i; j++)
                        assert_true(conf_keys[j].offset != k->offset);
                if (k->type == CONF_TABLE)
                        assert_non_null(k->entry);
        }
        assert_null(conf_key_find("ports"));
        assert_true(conf_section_exists("ports"));
        assert_false(conf_section_exists("port"));
}

static void test_values(void **state)
{
        Conf *c _cleanup_(conf_freep) = good(
                "cluster: { name = \"lab\"; head = \"compute04.berkeley.edu\"; };\n"
                "discovery: { order = [ \"mdns\", \"dns\" ]; timeout = \"1500ms\"; };\n"
                "ports: { gcs = 7000; workers = \"20000-20999\"; };\n"
                "engine: { version = \"2.60.0\"; drain = \"2min\"; env = { FOO = \"a b\"; N = 3; "
                "};\n"
                "  start_args = { object-spilling-directory = \"/scratch\"; flag = true; no = "
                "false; }; };\n"
                "resources: { cpus = 8; memory = \"8GiB\"; custom = { licence = 2; half = 0.5; };\n"
                "  labels = [ \"ray.io/availability-zone=b1\", \"rack=7\" ]; };\n"
                "log: { level = \"debug\"; target = \"stderr\"; };\n");
        const Settings *s = c->settings;
        const char *origin;

        assert_string_equal(s->disco.cluster, "lab");
        assert_int_equal(s->disco.n_order, 2);
        assert_int_equal(s->disco.order[0], DISCO_MDNS);
        assert_int_equal(s->disco.timeout, 1500 * USEC_PER_MSEC);
        assert_int_equal(s->disco.gcs_port, 7000);
        assert_int_equal(s->ports.worker_last, 20999);
        assert_int_equal(s->resources.cpus, 8);
        assert_int_equal(s->resources.memory, 8ULL << 30);
        assert_string_equal(s->engine.env[0], "FOO=a b");
        assert_string_equal(s->engine.env[1], "N=3");
        assert_string_equal(s->engine.start_args[0], "--object-spilling-directory=/scratch");
        assert_string_equal(s->engine.start_args[1], "--flag");
        assert_null(s->engine.start_args[2]);
        assert_string_equal(s->resources.custom[1], "half=0.5");
        assert_string_equal(s->resources.labels[0], "ray.io/availability-zone=b1");
        assert_int_equal(s->log.level, LOG_DEBUG);
        assert_int_equal(s->log.target, LOG_TARGET_STDERR);
        assert_string_equal(value(c, "engine.drain", &origin), "\"2min\"");
        assert_string_equal(origin, "t.conf:4");
        assert_string_equal(value(c, "discovery.timeout", NULL), "\"1500ms\"");
        assert_string_equal(value(c, "discovery.order", NULL), "[ \"mdns\", \"dns\" ]");
        assert_string_equal(value(c, "resources.memory", NULL), "\"8GiB\"");
        assert_string_equal(value(c, "engine.env.FOO", &origin), "\"a b\"");
        assert_string_equal(origin, "t.conf:4");
}

static void test_mistakes(void **state)
{
        assert_mistakes(
                "ports: { gcs = \"6379\"; object_manager = 6380; gsc = 1; };\n"
                "groups: ();\n"
                "head = \"a\";\n"
                "engine: { drain = 30;\n"
                "  start_args: { head = true; num_cpus = 3; };\n"
                "  env: { RAY_AUTH_TOKEN = \"x\"; };\n"
                "  version = \"2.60\"; };\n"
                "clutser: {};\n"
                "discovery: { order = \"dns\"; };\n",
                "t.conf:1: ports.gcs: \"6379\" is a string; write the number without quotes; "
                "allowed: a number from 1024 to 65535\n"
                "t.conf:1: ports.gsc: no such key; did you mean ports.gcs?\n"
                "t.conf:2: groups: comes with a later version; leave it out\n"
                "t.conf:3: head: no such key; did you mean cluster.head?\n"
                "t.conf:4: engine.drain: 30 has no unit, and is written in quotes; allowed: a "
                "duration from \"0s\" to \"1h\"\n"
                "t.conf:5: engine.start_args.head: is set by raycluster; the enabled unit decides "
                "the role\n"
                "t.conf:5: engine.start_args.num_cpus: has \"_\" in it; options of ray start are "
                "written with \"-\"\n"
                "t.conf:6: engine.env.RAY_AUTH_TOKEN: is a secret and this file is not; use "
                "/etc/raycluster/ray-token\n"
                "t.conf:7: engine.version: \"2.60\" is not a full version; allowed: \"auto\" or a "
                "full version such as \"2.60.0\"\n"
                "t.conf:8: clutser: no such key; did you mean cluster?\n"
                "t.conf:9: discovery.order: is a single value; allowed: a list of \"static\", "
                "\"dns\", \"mdns\", \"last-known\", each at most once\n"
                "t.conf:1: ports.object_manager: 6380: the same port as ports.node_manager (the "
                "default); every port needs a number of its own");
}

static void test_restart_due(void **state)
{
        Conf *a _cleanup_(conf_freep) = good("log: { level = \"info\"; };");
        Conf *b _cleanup_(conf_freep) =
                good("log: { level = \"debug\"; }; engine: { drain = \"1min\"; gcs_store = "
                     "\"memory\"; env = { A = \"1\"; }; };");
        _cleanup_strv_free_ char **head = NULL, **worker = NULL, **back = NULL;

        assert_int_equal(conf_restart_due(a, b, ROLE_HEAD, &head), 0);
        _cleanup_free_ char *h = strv_join(head, " ");
        assert_string_equal(h, "engine.gcs_store engine.drain engine.env");
        assert_int_equal(conf_restart_due(a, b, ROLE_WORKER, &worker), 0);
        _cleanup_free_ char *w = strv_join(worker, " ");
        assert_string_equal(w, "engine.drain engine.env");
        assert_int_equal(conf_restart_due(b, a, ROLE_WORKER, &back), 0);
        assert_int_equal(strv_length(back), 2);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults),    cmocka_unit_test(test_table),
                cmocka_unit_test(test_values),      cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_restart_due),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
