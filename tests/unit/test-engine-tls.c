/* engine/tls: which files, and whether they do; the arguments that follow from them. */
#include "test.h"

#include <sys/stat.h>

#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/args.h"
#include "engine/tls.h"
#include "tls-pki.h"

static char run[] = "/tmp/test-engine-tls-XXXXXX";
static char *dir;
static Identity ca;

static int make(void **state)
{
        assert_non_null(mkdtemp(run));
        dir = path_join(run, ENGINE_TLS_NAME);
        assert_int_equal(mkdir(dir, 0700), 0);
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", run, 1), 0);
        ca = identity_new((IdentityWish){.name = "Ray's authority"});
        free(identity_file(dir, ENGINE_TLS_CA, &ca, true, false));
        return 0;
}

static int remove_all(void **state)
{
        _cleanup_free_ char *command = str_printf("rm -r %s", run);

        identity_done(&ca);
        free(dir);
        return system(command);
}

static void write_own(IdentityWish wish)
{
        wish.name = "node";
        wish.alt = "IP:10.0.0.1";
        wish.ca = &ca;
        Identity id = identity_new(wish);
        free(identity_file(dir, ENGINE_TLS_CERT, &id, true, false));
        free(identity_file(dir, ENGINE_TLS_KEY, &id, false, true));
        identity_done(&id);
}

static Settings settings(const char *tls)
{
        return (Settings){.auth_mode = (char *)"disabled",
                          .auth_tls = (char *)tls,
                          .dashboard_bind = (char *)"auto",
                          .ports = {6379, 6380, 6381, 6382, 6383, 6384, 6385, 6386, 6387, 6388,
                                    8265, 10001, 10002, 19999},
                          .engine = {.gcs_store = (char *)"memory", .temp_dir = (char *)"/tmp"},
                          .log = {.level = LOG_INFO, .ray = (char *)"journal"}};
}

static void check(const char *want)
{
        const Settings s = settings("on");
        _cleanup_engine_tls_ EngineTls t = {0};
        _cleanup_free_ char *why = NULL;

        assert_int_equal(engine_tls(&s, &t), 1);
        int r = engine_tls_check(&t, now_real(), &why);
        assert_int_equal(r, !want);
        if (want && !strstr(why, want))
                fail_msg("%s", why);
}

static void test_check(void **state)
{
        _cleanup_free_ char *key = path_join(dir, ENGINE_TLS_KEY);

        check("cert.pem: No such file or directory; the daemon gets them from the head");
        write_own((IdentityWish){0});
        check(NULL);
        write_own((IdentityWish){.from = -9999, .until = -600});
        check("is not valid any more");
        write_own((IdentityWish){.from = 600, .until = 9999});
        check("is not valid yet: set the clock");
        free(identity_file(dir, ENGINE_TLS_KEY, &ca, false, true));
        check("key.pem: does not belong to the certificate");
        assert_int_equal(unlink(key), 0);
        check("key.pem: No such file");
}

static void test_off(void **state)
{
        const Settings s = settings("off");
        _cleanup_engine_tls_ EngineTls t = {0};

        assert_int_equal(engine_tls(&s, &t), 0);
        assert_null(engine_tls_files(&t));
        assert_int_equal(engine_tls_of("", &t), 0);
        assert_int_equal(engine_tls_of("/x", &t), 1);
        assert_string_equal(engine_tls_files(&t)->key, "/x/key.pem");
}

static char *text_of(const Settings *s)
{
        const Engine engine = {.venv = (char *)"/venv"};
        Addr own;
        char *text = NULL;

        assert_int_equal(addr_parse("10.0.0.1", &own), 0);
        const EnginePlan plan = {.role = ROLE_HEAD,
                                 .settings = s,
                                 .engine = &engine,
                                 .address = &own,
                                 .node_id = "x",
                                 .node_name = ""};
        assert_int_equal(engine_args_text(&plan, NULL, &text), 0);
        return text;
}

/* A renewed certificate is seen in the arguments, so that it waits for a restart. */
static void test_args(void **state)
{
        const Settings on = settings("on"), off = settings("off");

        write_own((IdentityWish){0});
        _cleanup_free_ char *first = text_of(&on), *again = text_of(&on), *clear = text_of(&off);
        _cleanup_free_ char *want = str_printf("TLS_DIR=%s\n", dir);
        assert_non_null(strstr(first, want));
        assert_non_null(strstr(first, "TLS_SERIAL="));
        assert_string_equal(first, again);
        assert_null(strstr(clear, "TLS_"));
        write_own((IdentityWish){0});
        _cleanup_free_ char *renewed = text_of(&on);
        assert_string_not_equal(first, renewed);
}

static EngineTls in_use(void)
{
        EngineTls t = {0};
        assert_int_equal(engine_tls_of(dir, &t), 1);
        return t;
}

static EngineArgs *parse(const char *text)
{
        _cleanup_free_ char *why = NULL;
        EngineArgs *a = NULL;

        if (engine_args_parse(text, strlen(text), &a, &why) < 0)
                fail_msg("%s", why);
        return a;
}

/* Not while it is the same; with another one in the last sixth of its life, each machine at a time
 * of its own. */
static void test_restart(void **state)
{
        const Settings on = settings("on");
        _cleanup_engine_tls_ EngineTls t = in_use(), off = {0};
        usec_t first = 0, last = 0;

        write_own((IdentityWish){.from = -60, .until = 12 * 3600 - 60});
        _cleanup_free_ char *text = text_of(&on);
        _cleanup_(engine_args_freep) EngineArgs *a = parse(text);
        assert_true(a->tls_until > now_real());
        assert_int_equal(engine_tls_restart_at(&t, a), USEC_INFINITY);

        write_own((IdentityWish){.from = -60, .until = 12 * 3600 - 60});
        assert_int_equal(engine_tls_restart_at(&off, a), USEC_INFINITY);
        for (int i = 0; i < 1000; i++) {
                free(a->node_id);
                a->node_id = str_printf("%08x", (unsigned)i * 2654435761U);
                usec_t before = a->tls_until - engine_tls_restart_at(&t, a);
                assert_true(before <= 2 * 3600 * USEC_PER_SEC && before > 3600 * USEC_PER_SEC);
                first = MAX(first, before);
                last = last ? MIN(last, before) : before;
        }
        assert_true(first - last > 3000 * USEC_PER_SEC); /* they are spread */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_check),
                cmocka_unit_test(test_off),
                cmocka_unit_test(test_args),
                cmocka_unit_test(test_restart),
        };

        return cmocka_run_group_tests(tests, make, remove_all);
}
