/* Token and TLS files of ray-probe: of the command line, else where Ray looks; every bad file is
 * named in one line. */
#include "test.h"

#include <errno.h>
#include <sys/stat.h>

#include "base/alloc.h"
#include "base/fd.h"
#include "base/str.h"
#include "probe-cli/credentials.h"
#include "tls-pki.h"

static char dir[] = "/tmp/test-credentials-XXXXXX";
static char *ca_file, *cert_file, *key_file, *token_file, *empty_file, *home_token;

static char *write_text(const char *name, const char *text)
{
        char *path = path_join(dir, name);
        assert_non_null(path);
        FILE *f = fopen(path, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
        return path;
}

static void forget(void)
{
        static const char *const names[] = {
                "RAY_USE_TLS",   "RAY_TLS_CA_CERT", "RAY_TLS_SERVER_CERT", "RAY_TLS_SERVER_KEY",
                "RAY_AUTH_MODE", "RAY_AUTH_TOKEN",  "RAY_AUTH_TOKEN_PATH"};

        for (size_t i = 0; i < ELEMENTSOF(names); i++)
                (void)unsetenv(names[i]);
        (void)setenv("HOME", "/nonexistent", 1);
}

static int make(void **state)
{
        assert_non_null(mkdtemp(dir));
        Identity ca = identity_new((IdentityWish){.name = "CA"});
        Identity node = identity_new((IdentityWish){.name = "node", .ca = &ca});
        ca_file = identity_file(dir, "ca.pem", &ca, true, false);
        cert_file = identity_file(dir, "node.pem", &node, true, false);
        key_file = identity_file(dir, "node.key", &node, false, true);
        identity_done(&ca);
        identity_done(&node);
        token_file = write_text("token", "  secret\n");
        empty_file = write_text("empty", "\n");
        _cleanup_free_ char *ray = path_join(dir, ".ray");
        assert_int_equal(mkdir(ray, 0700), 0);
        home_token = write_text(".ray/auth_token", "of-home\n");
        return 0;
}

static int clear(void **state)
{
        char *files[] = {ca_file, cert_file, key_file, token_file, empty_file, home_token};
        for (size_t i = 0; i < ELEMENTSOF(files); i++) {
                (void)unlink(files[i]);
                free(files[i]);
        }
        _cleanup_free_ char *ray = path_join(dir, ".ray");
        (void)rmdir(ray);
        return rmdir(dir);
}

/* With stderr caught. */
static int load(const Args *a, Credentials *ret, char *reterr, size_t size)
{
        _cleanup_fclose_ FILE *f = tmpfile();
        assert_non_null(f);
        fflush(stderr);
        int saved = dup(STDERR_FILENO);
        assert_true(dup2(fileno(f), STDERR_FILENO) >= 0);
        int r = credentials_load(a, ret);
        fflush(stderr);
        assert_true(dup2(saved, STDERR_FILENO) >= 0);
        close(saved);
        rewind(f);
        reterr[fread(reterr, 1, size - 1, f)] = 0;
        return r;
}

static void check_token(const Args *a, const char *token, const char *from)
{
        Credentials c = {0};
        char err[512];

        if (load(a, &c, err, sizeof(err)) < 0)
                fail_msg("%s", err);
        if (!streq_ptr(c.token, token) || !streq_ptr(c.token_from, from))
                fail_msg("%s from %s", strna(c.token), strna(c.token_from));
        assert_null(c.tls);
        credentials_done(&c);
}

static void check_mistake(const Args *a, const char *says)
{
        Credentials c = {0};
        char err[512];

        assert_int_equal(load(a, &c, err, sizeof(err)), -EINVAL);
        if (!startswith(err, "ray-probe: ") || !strstr(err, says) ||
            strchr(err, '\n') != err + strlen(err) - 1)
                fail_msg("\"%s\" is not in: %s", says, err);
}

static void test_token(void **state)
{
        _cleanup_free_ char *option = str_printf("--token-file %s", token_file);
        _cleanup_free_ char *variable = str_printf("RAY_AUTH_TOKEN_PATH=%s", token_file);

        forget();
        check_token(&(Args){0}, NULL, NULL);
        check_token(&(Args){.token_file = token_file}, "secret", option);
        check_mistake(&(Args){.token_file = "/no/such"}, "--token-file /no/such: No such file");
        check_mistake(&(Args){.token_file = empty_file}, "is empty");
        check_mistake(&(Args){.token_file = dir}, "Is a directory");

        /* Ray's three places, in its order; without the mode none of them is looked at */
        (void)setenv("RAY_AUTH_TOKEN", "direct", 1);
        (void)setenv("RAY_AUTH_TOKEN_PATH", token_file, 1);
        (void)setenv("HOME", dir, 1);
        check_token(&(Args){0}, NULL, NULL);
        (void)setenv("RAY_AUTH_MODE", "disabled", 1);
        check_token(&(Args){0}, NULL, NULL);
        (void)setenv("RAY_AUTH_MODE", "token", 1);
        check_token(&(Args){0}, "direct", "RAY_AUTH_TOKEN");
        check_token(&(Args){.token_file = token_file}, "secret", option);
        (void)unsetenv("RAY_AUTH_TOKEN");
        check_token(&(Args){0}, "secret", variable);
        (void)setenv("RAY_AUTH_TOKEN_PATH", "/no/such", 1);
        check_mistake(&(Args){0}, "RAY_AUTH_TOKEN_PATH=/no/such: No such file");
        (void)unsetenv("RAY_AUTH_TOKEN_PATH");
        check_token(&(Args){0}, "of-home", home_token);
        (void)setenv("HOME", "/nonexistent", 1);
        check_token(&(Args){0}, NULL, NULL);
}

static void check_tls(const Args *a, bool spoken, const char *ca, const char *cert)
{
        Credentials c = {0};
        char err[512];

        if (load(a, &c, err, sizeof(err)) < 0)
                fail_msg("%s", err);
        assert_int_equal(c.tls != NULL, spoken);
        if (spoken) {
                assert_string_equal(tls_context_ca_file(c.tls), ca);
                assert_string_equal(tls_context_cert_file(c.tls), cert);
        }
        credentials_done(&c);
}

static void test_tls(void **state)
{
        forget();
        check_tls(&(Args){0}, false, NULL, NULL);
        check_tls(&(Args){.tls = true}, true, "", "");
        check_tls(&(Args){.tls_ca = ca_file}, true, ca_file, "");
        check_tls(&(Args){.tls_cert = cert_file, .tls_key = key_file}, true, "", cert_file);

        /* Ray's variables are nothing without RAY_USE_TLS or --tls */
        (void)setenv("RAY_TLS_CA_CERT", ca_file, 1);
        (void)setenv("RAY_TLS_SERVER_CERT", cert_file, 1);
        (void)setenv("RAY_TLS_SERVER_KEY", key_file, 1);
        check_tls(&(Args){0}, false, NULL, NULL);
        check_tls(&(Args){.tls = true}, true, ca_file, cert_file);
        (void)setenv("RAY_USE_TLS", "0", 1);
        check_tls(&(Args){0}, false, NULL, NULL);
        (void)setenv("RAY_USE_TLS", "True", 1);
        check_tls(&(Args){0}, true, ca_file, cert_file);
        (void)setenv("RAY_USE_TLS", "1", 1);
        check_tls(&(Args){0}, true, ca_file, cert_file);
        check_tls(&(Args){.tls_ca = cert_file}, true, cert_file, cert_file);
        /* a certificate of the command line does not go with a key of the environment */
        check_mistake(&(Args){.tls_cert = cert_file}, "has no key to go with it");
        (void)unsetenv("RAY_TLS_SERVER_KEY");
        check_mistake(&(Args){0}, "RAY_TLS_SERVER_CERT=/tmp/test-cred");
        (void)setenv("RAY_TLS_SERVER_CERT", "", 1);
        check_tls(&(Args){0}, true, ca_file, "");
}

static void test_tls_mistakes(void **state)
{
        forget();
        check_mistake(&(Args){.tls_ca = "/no/such"}, "--tls-ca /no/such: No such file");
        check_mistake(&(Args){.tls_ca = token_file}, "is not PEM: there is no certificate in it");
        check_mistake(&(Args){.tls_cert = cert_file}, "--tls-cert ");
        check_mistake(&(Args){.tls_key = key_file}, "has no certificate to go with it");
        check_mistake(&(Args){.tls_cert = cert_file, .tls_key = token_file}, "--tls-key ");
        check_mistake(&(Args){.tls_cert = token_file, .tls_key = key_file}, "--tls-cert ");
        Identity other = identity_new((IdentityWish){.name = "other"});
        _cleanup_free_ char *key = identity_file(dir, "other.key", &other, false, true);
        identity_done(&other);
        check_mistake(&(Args){.tls_cert = cert_file, .tls_key = key},
                      "does not belong to the certificate in /tmp/test-cred");
        (void)setenv("RAY_USE_TLS", "1", 1);
        (void)setenv("RAY_TLS_CA_CERT", "/no/such", 1);
        check_mistake(&(Args){0}, "RAY_TLS_CA_CERT=/no/such: No such file");
        (void)unlink(key);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_token),
                cmocka_unit_test(test_tls),
                cmocka_unit_test(test_tls_mistakes),
        };
        return cmocka_run_group_tests(tests, make, clear);
}
