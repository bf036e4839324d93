/* The command line of ray-probe: what it takes, and that every mistake is named. */
#include "test.h"

#include <getopt.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "probe-cli/args.h"

/* args_parse() with stderr caught. */
static int parse(const char *const *words, Args *ret, char *reterr, size_t size)
{
        static char *argv[16];
        int argc = 1;
        argv[0] = (char *)"ray-probe";
        for (; words[argc - 1]; argc++)
                argv[argc] = (char *)words[argc - 1];
        argv[argc] = NULL;

        _cleanup_fclose_ FILE *f = tmpfile();
        assert_non_null(f);
        fflush(stderr);
        int saved = dup(STDERR_FILENO);
        assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
        optind = 0;
        int r = args_parse(argc, argv, ret);
        fflush(stderr);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        close(saved);
        rewind(f);
        size_t n = fread(reterr, 1, size - 1, f);
        reterr[n] = 0;
        return r;
}

static void test_good(void **state)
{
        Args a;
        char err[512];

        assert_int_equal(parse((const char *[]){"compute04", NULL}, &a, err, sizeof(err)), 1);
        assert_string_equal(a.host, "compute04");
        assert_int_equal(a.port, 6379);
        assert_false(a.json);
        assert_string_equal(err, "");

        assert_int_equal(parse((const char *[]){"--json", "--from", "eth0", "--deadline=2s",
                                                "fd77::1", "7000", "--token-file", "t", NULL},
                               &a, err, sizeof(err)),
                         1);
        assert_true(a.json);
        assert_int_equal(a.port, 7000);
        assert_int_equal(a.deadline, 2 * USEC_PER_SEC);
        assert_string_equal(a.from, "eth0");
        assert_string_equal(a.token_file, "t");
        assert_false(a.tls || a.has_cluster);

        assert_int_equal(
                parse((const char *[]){"--tls", "--tls-ca", "c", "--tls-cert=n", "--tls-key", "k",
                                       "--cluster-id",
                                       "0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c",
                                       "compute04", NULL},
                      &a, err, sizeof(err)),
                1);
        assert_true(a.tls && a.has_cluster);
        assert_string_equal(a.tls_ca, "c");
        assert_string_equal(a.tls_cert, "n");
        assert_string_equal(a.tls_key, "k");
        assert_int_equal(a.cluster.b[27], 0x1c);

        assert_int_equal(a.family, AF_UNSPEC);
        assert_int_equal(
                parse((const char *[]){"-6", "--discover", "fd77::1", NULL}, &a, err, sizeof(err)),
                1);
        assert_int_equal(a.family, AF_INET6);
        assert_true(a.discover);

        assert_int_equal(parse((const char *[]){"--serve", NULL}, &a, err, sizeof(err)), 1);
        assert_true(a.serve);
        assert_int_equal(a.port, 0); /* the server chooses */
        assert_int_equal(parse((const char *[]){"--serve", "7000", NULL}, &a, err, sizeof(err)), 1);
        assert_int_equal(a.port, 7000);
}

static void test_both_sides(void **state)
{
        const ReflectCode code = {.secret = {1, 2, 3}, .port = 7000};
        char text[REFLECT_CODE_MAX], err[512];
        Args a;

        reflect_code_format(text, &code);
        assert_int_equal(
                parse((const char *[]){"--code", text, "head", NULL}, &a, err, sizeof(err)), 1);
        assert_true(a.has_code);
        assert_false(a.all || a.thorough);
        assert_memory_equal(&a.code.secret, &code.secret, sizeof(code.secret));
        assert_int_equal(a.code.port, 7000);
        reflect_code_format(text, &code);
        assert_int_equal(
                parse((const char *[]){"--all", "--thorough", "--code", text, "head", NULL}, &a,
                      err, sizeof(err)),
                1);
        assert_true(a.all && a.thorough);
        assert_int_equal(strspn(text, "x"), strlen(text)); /* nobody reads it in ps */
        assert_string_equal(a.host, "head");
        assert_int_equal(a.port, 6379);

        assert_int_equal(parse((const char *[]){"--merge", "a.json", "--json", "b.json", NULL}, &a,
                               err, sizeof(err)),
                         1);
        assert_true(a.merge && a.json);
        assert_string_equal(a.merge_files[0], "a.json");
        assert_string_equal(a.merge_files[1], "b.json");

        reflect_code_format(text, &code);
        assert_true(parse((const char *[]){"--serve", "--code", text, NULL}, &a, err, sizeof(err)) <
                    0);
}

static void test_mistakes(void **state)
{
        static const struct {
                const char *words[6];
                const char *names; /* what the line must name */
        } rows[] = {
                {{NULL}, "HOST"},
                {{"", NULL}, "HOST"},
                {{"--serve", "0", NULL}, "PORT 0"},
                {{"--serve", "head", NULL}, "PORT head"},
                {{"--serve", "1", "2", NULL}, "2"},
                {{"--serve", "--json", NULL}, "--serve"},
                {{"--serve", "--deadline", "6s", NULL}, "--serve"},
                {{"--merge", NULL}, "--merge: wants two files"},
                {{"--merge", "a.json", NULL}, "there is 1"},
                {{"--merge", "a", "b", "c", NULL}, "there are 3"},
                {{"--merge", "--watch", "a", "b", NULL}, "--merge"},
                {{"--serve", "--merge", NULL}, "--serve"},
                {{"--code", "K3TW-9QXR", "a", NULL}, "--code K3TW-9QXR"},
                {{"--code", "", "a", NULL}, "--code"},
                {{"--code", "nobody!knows", "a", NULL}, "--code nobody!knows"},
                {{"--serve", "-4", NULL}, "--serve"},
                {{"-4", "-6", "a", NULL}, "-4 and -6"},
                {{"-4", "fd77::1", NULL}, "HOST fd77::1"},
                {{"-6", "10.77.0.1", NULL}, "HOST 10.77.0.1"},
                {{"-6", "--from", "10.77.0.2", "compute04", NULL}, "--from 10.77.0.2"},
                {{"--serve", "--all", NULL}, "--serve"},
                {{"--serve", "--thorough", NULL}, "--serve"},
                {{"--thorough", "a", NULL}, "--thorough: wants --code"},
                {{"--all=yes", "a", NULL}, "--all=yes"},
                {{"0.0.0.0", NULL}, "HOST 0.0.0.0"},
                {{"ff02::1", NULL}, "HOST ff02::1"},
                {{"a", "0", NULL}, "PORT 0"},
                {{"a", "65536", NULL}, "PORT 65536"},
                {{"a", "gcs", NULL}, "PORT gcs"},
                {{"a", "1", "b", NULL}, "b"},
                {{"--deadline", "6", "a", NULL}, "--deadline 6"},
                {{"--deadline", "0s", "a", NULL}, "--deadline 0s"},
                {{"--deadline", "1d", "a", NULL}, "--deadline 1d"},
                {{"--from", "", "a", NULL}, "--from"},
                {{"--from", "10.0.0.0/8", "a", NULL}, "--from 10.0.0.0/8"},
                {{"--from", "an-interface-with-a-long-name", "a", NULL}, "an-interface"},
                {{"--from", "ff02::1", "a", NULL}, "--from ff02::1"},
                {{"--nosuch", "a", NULL}, "--nosuch"},
                {{"a", "--nosuch=b", NULL}, "--nosuch=b"},
                {{"a", "-q", NULL}, "-q"},
                {{"--from", NULL}, "--from"},
                {{"--cluster-id", "", "a", NULL}, "--cluster-id : not 56 hex digits"},
                {{"--cluster-id", "12ab", "a", NULL}, "--cluster-id 12ab: not 56 hex digits"},
                {{"--cluster-id", "g2ab00000000000000000000000000000000000000000000000000aa", "a",
                  NULL},
                 "not 56 hex digits"},
                {{"--cluster-id", "ffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "a",
                  NULL},
                 "not 56 hex digits"},
                {{"--tls-ca", NULL}, "--tls-ca"},
                {{"--serve", "--tls", NULL}, "--serve"},
                {{"--serve", "--tls-key", "k", NULL}, "--serve"},
                {{"--json=yes", "a", NULL}, "--json=yes"},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Args a;
                char err[512];
                int r = parse(rows[i].words, &a, err, sizeof(err));
                const char *end = strchr(err, '\n');
                if (r >= 0 || !strstr(err, rows[i].names) || !end || end[1])
                        fail_msg("row %zu: %d, %s", i, r, err);
        }
        Args a;
        char err[1024], name[300];
        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        assert_true(parse((const char *[]){name, NULL}, &a, err, sizeof(err)) < 0);
        assert_non_null(strstr(err, "253"));
        assert_true(parse((const char *[]){name, "x.y", "z", NULL}, &a, err, sizeof(err)) < 0);
}

static void test_hosts(void **state)
{
        static const char *const good[] = {
                "compute04",      "compute04.berkeley.edu",
                "compute04.",     "a_b-c.0x",
                "10.77.0.1",      "fd77::1",
                "[fd77::1]",      "fe80::1%lo",
                "127.1.2.3",      "127.1",
                "xn--caf-dma.fr", "fe80::1%no",
        };
        static const char *const bad[] = {
                "http://compute04:6379",
                "compute04:6379",
                "10.0.0.1:6379",
                "[fd77::1]:6379",
                "fe80::zz",
                "1:2",
                "10.0.0.300",
                "1.2.3.4.5",
                "a b",
                "a..b",
                ".a",
                "-a.b",
                "a/b",
                "caf\xc3\xa9",
                "\xff",
                "a\nb",
                "255.255.255.255",
                "a@b",
        };
        Args a;
        char err[1024];
        for (size_t i = 0; i < ELEMENTSOF(good); i++)
                if (parse((const char *[]){"--", good[i], NULL}, &a, err, sizeof(err)) != 1 || *err)
                        fail_msg("%s: %s", good[i], err);
        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                int r = parse((const char *[]){"--", bad[i], NULL}, &a, err, sizeof(err));
                const char *end = strchr(err, '\n');
                if (r != -EINVAL || !startswith(err, "ray-probe: HOST ") || !end || end[1])
                        fail_msg("%s: %d %s", bad[i], r, err);
        }
        char label[80];
        memset(label, 'x', sizeof(label));
        memcpy(label + 64, ".org", 5);
        assert_true(parse((const char *[]){label, NULL}, &a, err, sizeof(err)) < 0);
        assert_non_null(strstr(err, "63"));
        assert_int_equal(parse((const char *[]){label + 1, NULL}, &a, err, sizeof(err)), 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_both_sides),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_hosts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
