/* conf/: the key table, reading, mistakes with place, reason and remedy, origins, restart due. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
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
        assert_string_equal(s->auth_tls, "off");
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

        /* what is no UTF-8 is written so that it reads back as it was, and hurts no terminal */
        Conf *d _cleanup_(conf_freep) =
                good("engine: { env = { L = \"\\xe9\"; U = \"h\xc3\xa9\"; }; };");
        assert_string_equal(d->settings->engine.env[0], "L=\xe9");
        assert_string_equal(value(d, "engine.env.L", NULL), "\"\\xe9\"");
        assert_string_equal(value(d, "engine.env.U", NULL), "\"h\xc3\xa9\"");
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

static void test_syntax(void **state)
{
        assert_mistakes("cluster: {\n  name = \"lab;\n};\n",
                        "t.conf:2: a quote opens in this line and is not closed in it");
        assert_mistakes("# \" in a comment\n/* and \" here\n */ cluster: { }; // \"\n", "");
        assert_mistakes("cluster: { };\n# the end", "");
        assert_mistakes("// all", "");
        assert_mistakes("cluster: { };\n/* never\nends",
                        "t.conf:2: a comment /* opens here and is never closed");
        assert_mistakes("\n  @include \"/etc/passwd\"\n",
                        "t.conf:2: @include is not supported; put the file into "
                        "/etc/raycluster.conf.d/");
        assert_mistakes("cluster: { name = \"@include\"; };",
                        "t.conf:1: cluster.name: \"@include\" is not a "
                        "cluster's name; allowed: 1 to 63 letters, digits, \".\", \"_\", \"-\"");
        assert_mistakes("cluster: {\n name = \"a\";\n name = \"b\";\n};",
                        "t.conf:3: the same key stands twice in one group");
        assert_mistakes(
                "cluster: {\n name = \"a\"\n head = \"b\"\n};\nports: { gcs = };\n",
                "t.conf:5: syntax error; look here and at the end of the line before for a missing "
                "\";\", quote or bracket");
        assert_mistakes("ports: {\n gcs = 4294973675;\n client = 0x100002711; };",
                        "t.conf:2: 4294973675 is too large for a number\n"
                        "t.conf:3: 0x100002711 is too large for a number");
        assert_mistakes("x = 1;\na = (((((((((((((((( [ 1 ] ))))))))))))))));",
                        "t.conf:2: is nested deeper than any setting goes");
        assert_mistakes("a = (((((((((((((((( \"((\" ))))))))))))))));\n# ((\n",
                        "t.conf:1: a: no such key; `raycluster config --keys` lists all of them");
        assert_mistakes("resources: { custom: { a99999999999 = 1; b = 99999999999.0; c = "
                        "99999999999L; }; };",
                        "");
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *c = NULL;
        assert_int_equal(conf_load_text("t.conf", "a\0b", 3, &c, &e), -EBADMSG);
        assert_string_equal(e.errors[0].text, "has a NUL byte in it; it is not a text file");
}

static void test_types(void **state)
{
        assert_mistakes("resources: { cpus = 1.5; gpus = \"two\"; memory = \"8\"; "
                        "object_store_memory = 8; };",
                        "t.conf:1: resources.cpus: 1.5 is not a whole number; allowed: a number "
                        "from 0 to 65535, or \"auto\"\n"
                        "t.conf:1: resources.gpus: \"two\" is a string; allowed: a number from 0 "
                        "to 1024, or \"auto\"\n"
                        "t.conf:1: resources.memory: \"8\" has no unit: B, kB, KiB, MB, MiB, GB, "
                        "GiB, TB, TiB; allowed: a size of at least \"1MiB\", or \"auto\"\n"
                        "t.conf:1: resources.object_store_memory: 8 has no unit, and is written in "
                        "quotes; allowed: a size of at least \"75MiB\", or \"auto\"");
        assert_mistakes(
                "ports: { gcs = 80; client = 70000; control = -1; dashboard = true; workers "
                "= 10002; };",
                "t.conf:1: ports.gcs: 80 is below 1024, where only root may listen; allowed: a "
                "number from 1024 to 65535\n"
                "t.conf:1: ports.client: 70000 is not a port; allowed: a number from 1024 to "
                "65535\n"
                "t.conf:1: ports.control: -1 is not a port; allowed: a number from 1024 to 65535\n"
                "t.conf:1: ports.dashboard: true is a boolean; allowed: a number from 1024 to "
                "65535\n"
                "t.conf:1: ports.workers: 10002 is a number; allowed: \"first-last\", 1024 to "
                "65535, at least 16 ports");
        assert_mistakes("auth: { mode = \"off\"; };",
                        "t.conf:1: auth.mode: \"off\" is not known; allowed: \"auto\", \"token\", "
                        "\"disabled\"");
        assert_mistakes("auth: { mode = \"disabled\"; };", "");
        assert_mistakes(
                "cluster = \"lab\"; ports: { gcs = { }; };",
                "t.conf:1: cluster: is a single value; write cluster: { key = value; };\n"
                "t.conf:1: ports.gcs: is a group { … }; allowed: a number from 1024 to 65535");
        assert_mistakes("discovery: { order = [ \"dns\", \"dsn\", \"dns\" ]; timeout = \"2h\"; "
                        "domain = \"a..b\"; };",
                        "t.conf:1: discovery.order: \"dsn\" is not known; allowed: a list of "
                        "\"static\", \"dns\", \"mdns\", \"last-known\", each at most once\n"
                        "t.conf:1: discovery.order: \"dns\" stands there twice; allowed: a list of "
                        "\"static\", \"dns\", \"mdns\", \"last-known\", each at most once\n"
                        "t.conf:1: discovery.timeout: \"2h\" is out of range; allowed: a duration "
                        "from \"100ms\" to \"1min\"\n"
                        "t.conf:1: discovery.domain: \"a..b\" is not a domain; allowed: a domain; "
                        "\"\" = the host's own domain and search list");
        assert_mistakes("node: { name = \"a\\x07b\"; address = \"fe80::1\"; };",
                        "t.conf:1: node.name: \"a\\x07b\" has control characters in it; allowed: 1 "
                        "to 64 letters, digits, \".\", \"_\", \"-\"; \"\" = the host name\n"
                        "t.conf:1: node.address: \"fe80::1\" is a link-local address, which Ray "
                        "cannot use; allowed: an own address such as \"10.0.0.7\"; \"\" = found");
}

static void test_words(void **state)
{
        assert_null(check_head("compute04.berkeley.edu"));
        assert_null(check_head("10.0.0.1"));
        assert_null(check_head("fe80::1%lo"));
        assert_non_null(check_head("10.0.0.300"));
        assert_non_null(check_head("compute04:6379"));
        assert_non_null(check_head("http://compute04/"));
        assert_non_null(check_head("a b"));
        assert_null(check_version("2.60.0"));
        assert_null(check_version("3.0.0rc1"));
        assert_non_null(check_version("2.60"));
        assert_non_null(check_version("2.60.0 "));
        assert_non_null(check_version("../../x"));
        assert_null(check_temp_dir("/var/lib/ray/tmp"));
        assert_null(check_temp_dir("/2345678901234567890123456789012345x"));
        assert_non_null(check_temp_dir("/2345678901234567890123456789012345xy"));
        assert_non_null(check_temp_dir("/tmp/../etc"));
        assert_non_null(check_temp_dir("tmp"));
        assert_non_null(check_venv("/opt/../x"));
        assert_null(check_bind("0.0.0.0"));
        assert_null(check_bind("::"));
        assert_non_null(check_bind("localhost"));
        assert_non_null(check_address("0.0.0.0"));
        assert_non_null(check_address("224.0.0.1"));
        assert_non_null(check_interface("a/b"));
        assert_non_null(check_interface("a-name-far-too-long"));
}

/* The longest socket that Ray makes below the longest temp dir fits into sun_path. */
static void test_socket_path(void **state)
{
        char dir[CONF_TEMP_DIR_MAX + 1];
        memset(dir, 'd', CONF_TEMP_DIR_MAX);
        dir[CONF_TEMP_DIR_MAX] = 0;
        _cleanup_free_ char *path =
                str_printf("%s/session_2026-11-23_07-47-09_531123_1234567/sockets/"
                           "dash_TaskEventsHead",
                           dir);
        assert_int_equal(strlen(path), 107);
}

static void test_cross(void **state)
{
        assert_mistakes(
                "ports: { workers = \"6000-7000\";\n gcs = 7001;\n node_manager = 7001; };",
                "t.conf:3: ports.node_manager: 7001: the same port as ports.gcs (t.conf:2); every "
                "port needs a number of its own\n"
                "t.conf:1: ports.workers: 6381: inside the range 6000-7000, together with "
                "ports.object_manager (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6382: inside the range 6000-7000, together with "
                "ports.runtime_env_agent (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6383: inside the range 6000-7000, together with "
                "ports.dashboard_agent_grpc (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6384: inside the range 6000-7000, together with "
                "ports.metrics_export (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6385: inside the range 6000-7000, together with "
                "ports.dashboard_agent (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6386: inside the range 6000-7000, together with "
                "ports.dashboard_metrics (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6387: inside the range 6000-7000, together with "
                "ports.autoscaler_metrics (the default); every port needs a number of its own\n"
                "t.conf:1: ports.workers: 6388: inside the range 6000-7000, together with "
                "ports.control (the default); every port needs a number of its own");
        assert_mistakes(
                "node: { address = \"10.0.0.1\"; interface = \"eth0\"; };\n"
                "engine: { version = \"2.60.0\"; venv = \"/opt/ray\"; };\n"
                "discovery: { order = [ \"static\" ]; };",
                "t.conf:1: node.interface: stands beside node.address; say only one of the two\n"
                "t.conf:2: engine.version: stands beside engine.venv, which has a Ray of its own; "
                "leave out one of the two\n"
                "t.conf:3: discovery.order: names only \"static\" while cluster.head is empty: no "
                "worker would ever find its head");
        /* a mistake is told once: a port that is none does not collide as its default */
        assert_mistakes(
                "ports: { gcs = 0; node_manager = 6379; };",
                "t.conf:1: ports.gcs: 0 is not a port; allowed: a number from 1024 to 65535");
}

static void test_entries(void **state)
{
        assert_mistakes("engine: { env = [ \"A\", \"1B=2\", \"RAY_ADDRESS=x\" ];\n start_args = { "
                        "port = 1; -x = 1; }; };",
                        "t.conf:2: syntax error; look here and at the end of the line before for a "
                        "missing \";\", quote or bracket");
        assert_mistakes("engine: { env = [ \"A\", \"1B=2\", \"RAY_ADDRESS=x\" ];\n start_args = { "
                        "port = 1; a = { }; }; };\n"
                        "resources: { custom = { CPU = 1; x = -1; y = \"z\"; }; labels = { a = \"b "
                        "c\"; }; };",
                        "t.conf:1: engine.env: has an entry without \"=\"; allowed: { NAME = "
                        "\"value\"; } or [ \"NAME=value\" ]\n"
                        "t.conf:1: engine.env.1B: is not the name of an environment variable\n"
                        "t.conf:1: engine.env.RAY_ADDRESS: is set by raycluster; use cluster.head\n"
                        "t.conf:2: engine.start_args.port: is set by raycluster; use ports.gcs\n"
                        "t.conf:2: engine.start_args.a: is a group { … }; it wants a single value\n"
                        "t.conf:3: resources.custom.CPU: is one of Ray's own resources; use "
                        "resources.cpus, .gpus, .memory or .object_store_memory\n"
                        "t.conf:3: resources.custom.x: wants a number from 0 to 10^12\n"
                        "t.conf:3: resources.custom.y: wants a number\n"
                        "t.conf:3: resources.labels.a: wants a string of at most 63 letters, "
                        "digits, \".\", \"_\", \"-\", beginning and ending with a letter or digit");
}

/* More mistakes than are kept are counted; more entries than are kept are one mistake each. */
static void test_limits(void **state)
{
        _cleanup_conf_errors_ ConfErrors e = {}, f = {};
        _cleanup_free_ char *text = malloc(100000);
        Conf *c _cleanup_(conf_freep) = NULL;
        char *p = text;

        for (int i = 0; i < CONF_ERRORS_MAX + 7; i++)
                p += sprintf(p, "unknown%d = 1;\n", i);
        assert_int_equal(load(text, &c, &e), -EBADMSG);
        assert_int_equal(e.n, CONF_ERRORS_MAX);
        assert_int_equal(e.n_more, 7);

        p = text + sprintf(text, "engine: { env = {");
        for (int i = 0; i < 1025; i++)
                p += sprintf(p, " E%d = 1;", i);
        sprintf(p, "}; };");
        assert_int_equal(load(text, &c, &f), -EBADMSG);
        assert_int_equal(f.n, 1);
        assert_string_equal(f.errors[0].path, "engine.env.E1024");
        assert_string_equal(f.errors[0].text,
                            "is one entry too many; 1024 are allowed in all tables");
}

static void put(const char *dir, const char *name, const char *text)
{
        _cleanup_free_ char *path = path_join(dir, name);
        assert_int_equal(write_file_atomic(path, text, strlen(text), 0644, (gid_t)-1), 0);
}

static void test_files(void **state)
{
        char dir[] = "/tmp/raycluster-test-XXXXXX";
        const char *origin;

        assert_non_null(mkdtemp(dir));
        _cleanup_free_ char *file = path_join(dir, "main"), *d = path_join(dir, "d");
        assert_int_equal(mkdir(d, 0755), 0);
        put(dir, "main",
            "cluster: { name = \"a\"; head = \"h\"; };\nengine: { env = { A = \"1\"; B = \"1\"; }; "
            "};");
        put(d, "20-b.conf", "cluster: { name = \"c\"; };");
        put(d, "10-a.conf",
            "cluster: { name = \"b\"; };\nengine: { env = { B = \"2\"; C = \"2\"; }; start_args = "
            "{ x = true; }; };");
        put(d, "30-off.conf", "engine: { start_args = { x = false; }; };");
        put(d, ".hidden.conf", "nonsense");
        put(d, "README", "nonsense");
        {
                _cleanup_conf_errors_ ConfErrors e = {};
                Conf *c _cleanup_(conf_freep) = NULL;
                assert_int_equal(conf_load(file, d, &c, &e), 0);
                assert_string_equal(c->settings->disco.cluster, "c");
                assert_string_equal(c->settings->disco.head, "h");
                _cleanup_free_ char *env = strv_join(c->settings->engine.env, " ");
                assert_string_equal(env, "A=1 B=2 C=2");
                assert_null(c->settings->engine.start_args);
                _cleanup_free_ char *at = str_printf("%s/10-a.conf:2", d);
                assert_string_equal(value(c, "engine.env.B", &origin), "\"2\"");
                assert_string_equal(origin, at);
        }
        put(d, "40-bad.conf", "x = 1;");
        put(d, "50-bad.conf", "x = ;");
        {
                _cleanup_conf_errors_ ConfErrors e = {};
                Conf *c _cleanup_(conf_freep) = NULL;
                assert_int_equal(conf_load(file, d, &c, &e), -EBADMSG);
                assert_int_equal(e.n, 2);
                assert_true(endswith(e.errors[0].file, "/40-bad.conf"));
                assert_true(endswith(e.errors[1].file, "/50-bad.conf"));
        }
        {
                _cleanup_conf_errors_ ConfErrors e = {};
                Conf *c _cleanup_(conf_freep) = NULL;
                assert_int_equal(conf_load("/nonexistent/conf", d, &c, &e), -EBADMSG);
                _cleanup_free_ char *line = conf_error_format(&e.errors[0]);
                assert_string_equal(line,
                                    "/nonexistent/conf: cannot be read: No such file or directory");
        }
        static char large[(1 << 20) + 2];
        memset(large, ' ', sizeof(large) - 1);
        put(dir, "main", large);
        {
                _cleanup_conf_errors_ ConfErrors e = {};
                Conf *c _cleanup_(conf_freep) = NULL;
                assert_int_equal(conf_load(file, "/nonexistent", &c, &e), -EBADMSG);
                assert_string_equal(e.errors[0].text,
                                    "is larger than 1 MiB; it is no configuration");
        }
        /* more drop-ins than are read */
        for (int i = 0; i < 260; i++) {
                char name[32];
                snprintf(name, sizeof(name), "x%03d.conf", i);
                put(d, name, "");
        }
        {
                _cleanup_conf_errors_ ConfErrors e = {};
                Conf *c _cleanup_(conf_freep) = NULL;
                assert_int_equal(conf_load(NULL, d, &c, &e), -EBADMSG);
                bool told = false;
                for (size_t i = 0; i < e.n; i++)
                        told = told ||
                               streq(e.errors[i].text, "holds 265 files; at most 256 are read");
                assert_true(told);
        }
        _cleanup_free_ char *rm = str_printf("rm -r '%s'", dir);
        assert_int_equal(system(rm), 0);
}

/* As in the fuzz target: libconfig loses a few bytes with each mistake of syntax. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:libconfig\n";
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_defaults), cmocka_unit_test(test_table),
                cmocka_unit_test(test_values),   cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_syntax),   cmocka_unit_test(test_types),
                cmocka_unit_test(test_words),    cmocka_unit_test(test_socket_path),
                cmocka_unit_test(test_cross),    cmocka_unit_test(test_entries),
                cmocka_unit_test(test_limits),   cmocka_unit_test(test_files),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
