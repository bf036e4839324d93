/* conf/: one configuration for the room: what a head tells, what a member takes of it, and what
 * happens to it when it is of another version, contradicts the files, or is no configuration. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/fd.h"
#include "conf/conf.h"
#include "conf/schema.h"

static char dir[] = "/tmp/raycluster-test-XXXXXX";

/* What a head with this file tells. */
static char *room_of(const char *text)
{
        _cleanup_conf_errors_ ConfErrors e = {};
        Conf *c _cleanup_(conf_freep) = NULL;

        if (conf_load_text("h.conf", text, strlen(text), &c, &e) < 0)
                fail_msg("%s: %s", e.errors[0].path, e.errors[0].text);
        return TAKE_PTR(c->room);
}

/* A member with this file that was told this. What it leaves out, as lines, goes to *ret_ignored.
 */
static Conf *member_of_sized(const char *file, const char *room, size_t size, char **ret_ignored)
{
        _cleanup_conf_errors_ ConfErrors e = {}, ignored = {};
        _cleanup_strv_free_ char **lines = NULL;
        _cleanup_free_ char *path = path_join(dir, "f");
        Conf *c = NULL;

        assert_int_equal(write_file_atomic(path, file, strlen(file), 0644, (gid_t)-1), 0);
        int r = conf_load_member(path, "/nonexistent", room, size, &c, &e, &ignored);
        if (e.n > 0)
                fail_msg("%s: %s", e.errors[0].path, e.errors[0].text);
        assert_int_equal(r, 0);
        for (size_t i = 0; i < ignored.n; i++)
                assert_int_equal(strv_consume(&lines, conf_error_format(&ignored.errors[i])), 0);
        char *all = strv_join(lines, "\n");
        *ret_ignored = all ? all : strdup("");
        return c;
}

static Conf *member_of(const char *file, const char *room, char **ret_ignored)
{
        return member_of_sized(file, room, strlen(room), ret_ignored);
}

static const ConfValue *value(const Conf *c, const char *key)
{
        for (size_t i = 0; i < c->n_values; i++)
                if (streq(c->values[i].key, key))
                        return &c->values[i];
        fail_msg("no %s", key);
        return NULL;
}

#define assert_value(c, key, want, from)                                                           \
        do {                                                                                       \
                const ConfValue *_v = value(c, key);                                               \
                assert_string_equal(_v->value, want);                                              \
                assert_string_equal(_v->origin, from);                                             \
        } while (0)

/* Only what is set, only what is the room's, and the same bytes for the same settings. */
static void test_told(void **state)
{
        _cleanup_free_ char *none = room_of(""),
                            *own = room_of(
                                    "cluster: { name = \"lab\"; head = \"h\"; };\n"
                                    "discovery: { timeout = \"2s\"; };\n"
                                    "node: { name = \"n\"; };\n"
                                    "engine: { venv = \"/opt/ray\"; temp_dir = \"/ray\"; };\n"
                                    "resources: { cpus = 0; labels = { a = \"b\"; }; };\n"
                                    "log: { level = \"debug\"; target = \"stderr\"; };");
        _cleanup_free_ char *a = room_of(
                "log: { ray = \"files\"; };\n"
                "auth: { mode = \"disabled\"; };\n"
                "engine: { drain = \"120s\"; env = { B = \"x \\\"y\\\\\"; A = 3; };\n"
                "  start_args = { spill = \"/s\"; flag = true; no = false; include-dashboard = "
                "true; }; };\n"
                "ports: { gcs = 0x1b58; workers = \"20000-20999\"; };\n");
        _cleanup_free_ char *b = room_of(
                "ports: { workers = \"20000-20999\"; gcs = 7000; };\n"
                "engine: { start_args = { include-dashboard = true; flag = true; no = false; spill "
                "= \"/s\"; }; env = [ \"A=3\", \"B=x \\\"y\\\\\" ]; drain = \"2min\"; };\n"
                "auth: { mode = \"disabled\"; }; log: { ray = \"files\"; level = \"info\"; };\n");

        assert_string_equal(none, "");
        assert_string_equal(own, "");
        assert_string_equal(a, "ports: {\n"
                               "    gcs = 7000;\n"
                               "    workers = \"20000-20999\";\n"
                               "};\n"
                               "engine: {\n"
                               "    drain = \"2min\";\n"
                               "    env = [\n"
                               "        \"A=3\",\n"
                               "        \"B=x \\\"y\\\\\"\n"
                               "    ];\n"
                               "    start_args = {\n"
                               "        flag = true;\n"
                               "        include-dashboard = \"true\";\n"
                               "        no = false;\n"
                               "        spill = \"/s\";\n"
                               "    };\n"
                               "};\n"
                               "auth: {\n"
                               "    mode = \"disabled\";\n"
                               "};\n"
                               "log: {\n"
                               "    ray = \"files\";\n"
                               "};\n");
        assert_string_equal(a, b);
}

/* The head's word counts, entry by entry in tables; what it does not say stays as it is here. */
static void test_taken(void **state)
{
        _cleanup_free_ char *ignored = NULL, *again = NULL,
                            *room = room_of(
                                    "ports: { gcs = 7000; };\n"
                                    "engine: { drain = \"5s\"; env = { A = \"h\"; B = \"h\"; };\n"
                                    "  start_args = { x = false; y = true; }; };\n"
                                    "resources: { cpus = 0; };");
        Conf *c _cleanup_(conf_freep) = member_of(
                "cluster: { name = \"lab\"; };\nports: { gcs = 6000; client = 9000; };\n"
                "engine: { env = { A = \"f\"; C = \"f\"; };\n start_args = { x = true; }; };\n"
                "resources: { cpus = 8; };",
                room, &ignored);
        _cleanup_free_ char *env = strv_join(c->settings->engine.env, " "),
                            *args = strv_join(c->settings->engine.start_args, " "),
                            *at = str_printf("%s/f:2", dir);

        assert_string_equal(ignored, "");
        assert_int_equal(c->settings->ports.gcs, 7000);
        assert_int_equal(c->settings->disco.gcs_port, 7000);
        assert_int_equal(c->settings->ports.client, 9000);
        assert_int_equal(c->settings->resources.cpus, 8);
        assert_int_equal(c->settings->engine.drain, 5 * USEC_PER_SEC);
        assert_string_equal(env, "A=h C=f B=h");
        assert_string_equal(args, "--y");
        assert_value(c, "ports.gcs", "7000", "head");
        assert_string_equal(value(c, "ports.gcs")->over, at);
        assert_value(c, "ports.client", "9000", at);
        assert_null(value(c, "ports.client")->over);
        assert_value(c, "ports.dashboard", "8265", "default");
        assert_value(c, "engine.drain", "\"5s\"", "head");
        assert_null(value(c, "engine.drain")->over);
        assert_value(c, "engine.env.A", "\"h\"", "head");
        assert_non_null(value(c, "engine.env.A")->over);
        assert_value(c, "engine.start_args.x", "false", "head");
        /* what a machine would tell is of its own files, not what it was told */
        assert_null(strstr(c->room, "drain"));
        assert_non_null(strstr(c->room, "gcs = 6000;"));

        /* no word, and an empty one: the files */
        Conf *d _cleanup_(conf_freep) = member_of("ports: { gcs = 6000; };", "", &again);
        assert_int_equal(d->settings->ports.gcs, 6000);
        assert_string_equal(again, "");
}

/* All that a file can hold arrives as it was. */
static void test_there_and_back(void **state)
{
        static const char file[] =
                "ports: { gcs = 7000; node_manager = 7001; workers = \"30000-30999\"; };\n"
                "engine: { version = \"2.60.0\"; gcs_store = \"memory\"; drain = \"1500ms\";\n"
                "  env = [ \"_UNDER=\", \"TRUE=a=b\", \"Q=\\\"\\\\ # // /* \", \"LATIN=\\xe9\", "
                "\"UTF=h\xc3\xa9\", \"INC=@include \\\"/etc/passwd\\\"\" ];\n"
                "  start_args = [ \"a=1.5\", \"empty=\", \"include-x=false\", \"true-x=1\" ]; };\n"
                "dashboard: { bind = \"::1\"; }; auth: { mode = \"token\"; }; log: { ray = "
                "\"stderr\"; };";
        _cleanup_conf_errors_ ConfErrors e = {};
        _cleanup_free_ char *ignored = NULL, *room = room_of(file);
        Conf *head _cleanup_(conf_freep) = NULL;

        assert_true(utf8_is_printable(room));
        assert_int_equal(conf_load_text("h.conf", file, strlen(file), &head, &e), 0);
        Conf *c _cleanup_(conf_freep) = member_of("", room, &ignored);
        assert_string_equal(ignored, "");
        assert_memory_equal(&c->settings->ports, &head->settings->ports, sizeof(PortPlan));
        for (size_t i = 0; i < head->n_values; i++) {
                const ConfValue *v = &head->values[i];
                assert_string_equal(value(c, v->key)->value, v->value);
        }
        _cleanup_free_ char *env = strv_join(c->settings->engine.env, "\n");
        assert_non_null(strstr(env, "LATIN=\xe9"));
        assert_non_null(strstr(env, "UTF=h\xc3\xa9"));
}

/* A head of a later version, and one that has a value this version does not take: each for itself.
 */
static void test_left_out(void **state)
{
        _cleanup_free_ char *ignored = NULL;
        Conf *c _cleanup_(conf_freep) =
                member_of("ports: { gcs = 6000; };\nengine: { env = { A = \"f\"; }; };",
                          "groups: ( { name = \"g\"; } );\n"
                          "ports: { gcs = 80; dashboard = \"x\"; client = 9000; teleport = 1; };\n"
                          "engine: { drain = \"2h\"; env = [ \"A\", \"RAY_ADDRESS=x\", \"B=1\" ];\n"
                          "  start_args = \"x\"; venv = \"/opt\"; };\n"
                          "resources: { cpus = 0; };\n"
                          "cluster: { name = \"other\"; };\n"
                          "auth: { mode = \"off\"; };\n"
                          "quantum: { x = 1; };\n",
                          &ignored);

        assert_string_equal(
                ignored,
                "head:1: groups: is not known to this version; is the head's raycluster a later "
                "one?\n"
                "head:2: ports.gcs: 80 is below 1024, where only root may listen; allowed: a "
                "number "
                "from 1024 to 65535\n"
                "head:2: ports.dashboard: \"x\" is a string; allowed: a number from 1024 to 65535\n"
                "head:2: ports.teleport: is not known to this version; is the head's raycluster a "
                "later one?\n"
                "head:3: engine.drain: \"2h\" is out of range; allowed: a duration from \"0s\" to "
                "\"1h\"\n"
                "head:3: engine.env: has an entry without \"=\"; allowed: { NAME = \"value\"; } or "
                "[ \"NAME=value\" ]\n"
                "head:3: engine.env.RAY_ADDRESS: is set by raycluster; use cluster.head\n"
                "head:4: engine.start_args: is a single value; allowed: { option = \"value\"; flag "
                "= true; } or [ \"option=value\" ]\n"
                "head:4: engine.venv: is each machine's own; the head has no say in it\n"
                "head:5: resources.cpus: is each machine's own; the head has no say in it\n"
                "head:6: cluster.name: is each machine's own; the head has no say in it\n"
                "head:7: auth.mode: \"off\" is not known; allowed: \"auto\", \"token\", "
                "\"disabled\"\n"
                "head:8: quantum: is not known to this version; is the head's raycluster a later "
                "one?");
        _cleanup_free_ char *at = str_printf("%s/f:1", dir);
        assert_value(c, "ports.gcs", "6000", at);
        assert_value(c, "ports.client", "9000", "head");
        assert_value(c, "engine.drain", "\"30s\"", "default");
        assert_value(c, "engine.env.B", "\"1\"", "head");
        assert_value(c, "cluster.name", "\"default\"", "default");
        assert_int_equal(c->settings->resources.cpus, -1);
}

/* Together with the files it makes no sense: all of it is left out, and both sides are named. */
static void test_contradiction(void **state)
{
        _cleanup_free_ char *ignored = NULL, *other = NULL;
        Conf *c _cleanup_(conf_freep) =
                member_of("ports: { node_manager = 7000; };",
                          "ports: { gcs = 7000; };\nengine: { drain = \"5s\"; };", &ignored);
        _cleanup_free_ char *want = str_printf(
                "%s/f:1: ports.node_manager: 7000: the same port as ports.gcs (the head); every "
                "port needs a number of its own\n"
                "head: what the head has set is left out as a whole: it does not go together with "
                "the files of this machine",
                dir);

        assert_string_equal(ignored, want);
        assert_int_equal(c->settings->ports.gcs, 6379);
        assert_value(c, "engine.drain", "\"30s\"", "default");
        assert_value(c, "ports.gcs", "6379", "default");

        Conf *d _cleanup_(conf_freep) =
                member_of("", "ports: { gcs = 7000; client = 7000; };", &other);
        assert_int_equal(d->settings->ports.client, 10001);
        assert_non_null(strstr(other, "head: ports.client: 7000: the same port as ports.gcs (the "
                                      "head); every port needs a number of its own\n"));
}

/* The other way round too: a wrong file is a wrong file, whatever the head says. */
static void test_files_first(void **state)
{
        static const char file[] = "ports: { gcs = 6380; };", room[] = "ports: { gcs = 7000; };";
        _cleanup_conf_errors_ ConfErrors e = {}, ignored = {};
        _cleanup_free_ char *path = path_join(dir, "f");
        Conf *c = NULL;

        assert_int_equal(write_file_atomic(path, file, strlen(file), 0644, (gid_t)-1), 0);
        assert_int_equal(
                conf_load_member(path, "/nonexistent", room, strlen(room), &c, &e, &ignored),
                -EBADMSG);
        assert_int_equal(e.n, 1);
        assert_int_equal(ignored.n, 0);
        assert_null(c);
}

/* What a machine has of its own that a key of the room would contradict. */
static void test_own(void **state)
{
        static const char room[] =
                "engine: { version = \"2.60.0\"; };\nports: { control = 7000; };";
        _cleanup_free_ char *none = NULL, *ignored = NULL;
        Conf *c _cleanup_(conf_freep) =
                member_of("engine: { venv = \"/opt/ray\"; };", room, &ignored);

        assert_string_equal(ignored, "");
        assert_string_equal(c->settings->engine.version, "auto");
        assert_string_equal(c->settings->engine.venv, "/opt/ray");
        /* where to look for the head: as it said itself, unless a file of this machine says so */
        assert_int_equal(c->settings->ports.control, 7000);
        assert_int_equal(c->settings->disco.control_port, 7000);
        Conf *d _cleanup_(conf_freep) = member_of("ports: { control = 7001; };", room, &none);
        assert_int_equal(d->settings->ports.control, 7000);
        assert_int_equal(d->settings->disco.control_port, 7001);
        assert_string_equal(d->settings->engine.version, "2.60.0");
}

/* No configuration at all: the files count, and why is said. */
static void test_damaged(void **state)
{
        static char large[CONF_ROOM_MAX + 1], deep[64];
        static const struct {
                const char *text, *why;
        } cases[] = {
                {"ports: { gcs = 7000; };\nengine: { drain = ",
                 "head:2: syntax error; look here and at the end of the line before for a missing "
                 "\";\", quote or bracket"},
                {"ports: { gcs = 7000; gcs = 7001; };", "head:1: the same key stands twice"},
                {"ports: { gcs = 7000; };\n  @include \"/etc/passwd\"\n",
                 "head:2: @include is refused"},
                {"ports: { gcs = 99999999999; };", "head:1: 99999999999 is too large"},
                {"ports: { gcs = 7000; };\x01", "head: has bytes in it that are no text"},
                {"ports: { gcs = 7000; }; # \xff", "head: has bytes in it that are no text"},
                {deep, "head:1: is nested deeper than any setting goes"},
                {large, "head: is larger than 16 KiB"},
        };

        memset(large, '\n', sizeof(large) - 1);
        snprintf(deep, sizeof(deep), "a = ((((((((((((((((( 1 )))))))))))))))));");
        for (size_t i = 0; i < ELEMENTSOF(cases); i++) {
                _cleanup_free_ char *ignored = NULL;
                Conf *c _cleanup_(conf_freep) =
                        member_of("ports: { gcs = 6000; };", cases[i].text, &ignored);
                assert_int_equal(c->settings->ports.gcs, 6000);
                if (!startswith(ignored, cases[i].why))
                        fail_msg("%zu: %s", i, ignored);
                assert_true(endswith(ignored, "\nhead: what the head has set is left out as a "
                                              "whole: it cannot be read"));
        }
        _cleanup_free_ char *ignored = NULL;
        Conf *c _cleanup_(conf_freep) =
                member_of_sized("", "ports: { gcs = 7000; };\0x", 25, &ignored);
        assert_int_equal(c->settings->ports.gcs, 6379);
        assert_true(startswith(ignored, "head: has a NUL byte in it"));
}

/* What a head says to one member alone: its token's group, whatever the files have; it is not told
 * on, and the rest of `node` is the machine's. */
static void test_group(void **state)
{
        _cleanup_free_ char *ignored = NULL;
        Conf *c _cleanup_(conf_freep) =
                member_of("node: { group = \"cpu\"; };",
                          "node: { group = \"gpu\"; name = \"other\"; };", &ignored);

        assert_string_equal(ignored,
                            "head:1: node.name: is each machine's own; the head has no say in it");
        assert_string_equal(c->settings->node.group, "gpu");
        assert_value(c, "node.group", "\"gpu\"", "head");
        assert_null(strstr(c->room, "node"));
}

/* Sixteen levels are read, and 16 KiB. */
static void test_limits(void **state)
{
        static char text[3 * CONF_ROOM_MAX];
        _cleanup_conf_errors_ ConfErrors e = {};
        _cleanup_free_ char *ignored = NULL, *large = NULL, *full = NULL;
        Conf *none = NULL;
        char *p = text;

        Conf *c _cleanup_(conf_freep) = member_of(
                "", "ports: { gcs = 7000; };\na = (((((((((((((((( 1 ))))))))))))))));", &ignored);
        assert_int_equal(c->settings->ports.gcs, 7000);
        memset(text, ' ', CONF_ROOM_MAX - 1);
        memcpy(text, "ports: { gcs = 7001; };", 23);
        Conf *d _cleanup_(conf_freep) = member_of("", text, &large);
        assert_string_equal(large, "");
        assert_int_equal(d->settings->ports.gcs, 7001);

        /* a head that has more to say than fits does not start, and says at which line */
        p += sprintf(p, "engine: { env = {\n");
        for (int i = 0; i < 200; i++)
                p += sprintf(p, "V%03d = \"%050d\";\n", i, i);
        sprintf(p, "}; };\n");
        full = room_of(text);
        assert_true(strlen(full) < CONF_ROOM_MAX);
        for (int i = 200; i < 300; i++)
                p += sprintf(p, "V%03d = \"%050d\";\n", i, i);
        sprintf(p, "}; };\n");
        assert_int_equal(conf_load_text("h.conf", text, strlen(text), &none, &e), -EBADMSG);
        assert_int_equal(e.n, 1);
        assert_string_equal(e.errors[0].path, "engine.env");
        size_t begin = strlen("engine: {\n    env = [\n"),
               one = strlen("        \"V000=\",\n") + 50;
        assert_int_equal(e.errors[0].line, 2 + (CONF_ROOM_MAX - CONF_ROOM_EACH - 1 - begin) / one);
        assert_string_equal(e.errors[0].text, "is more than fits: what a head tells its workers is "
                                              "at most 15 KiB");
}

/* Ports, tokens and logs are one thing for all; a machine's name and hardware are its own. */
static void test_keys(void **state)
{
        for (size_t i = 0; i < CONF_KEYS_N; i++) {
                const ConfKey *k = &conf_keys[i];
                if (startswith(k->path, "ports.") || startswith(k->path, "auth."))
                        assert_int_equal(k->room, !streq(k->path, "auth.enrol"));
                if (startswith(k->path, "node.") || startswith(k->path, "cluster.") ||
                    startswith(k->path, "discovery.") || startswith(k->path, "resources."))
                        assert_false(k->room);
        }
        assert_false(conf_key_find("engine.venv")->room);
        assert_true(conf_key_find("log.ray")->room);
}

static int make_dir(void **state)
{
        return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
        _cleanup_free_ char *path = path_join(dir, "f");

        (void)unlink(path);
        return rmdir(dir);
}

/* As in test-conf: libconfig loses a few bytes with each mistake of syntax. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
        return "leak:libconfig\n";
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_told),
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_there_and_back),
                cmocka_unit_test(test_left_out),
                cmocka_unit_test(test_contradiction),
                cmocka_unit_test(test_files_first),
                cmocka_unit_test(test_own),
                cmocka_unit_test(test_damaged),
                cmocka_unit_test(test_group),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_keys),
        };
        return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
