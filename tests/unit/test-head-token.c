/* The head's copy of Ray's token: one that cannot be read stays, one that never could is missed. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "head/head-token.h"

static void test_token(void **state)
{
        Settings s = {.auth_mode = (char *)"auto"};
        char dir[] = "/tmp/test-head-token-XXXXXX";
        HeadToken t = {0};

        assert_non_null(mkdtemp(dir));
        _cleanup_free_ char *run = path_join(dir, "run"), *in_run = path_join(run, "ray-token");
        _cleanup_free_ char *kept = path_join(dir, "ray-token"), *aside = path_join(dir, "aside");
        assert_int_equal(mkdir(run, 0700), 0);
        assert_int_equal(setenv("RAYCLUSTER_RUN_DIR", run, 1), 0);

        assert_true(head_token_load(&t, &s, dir));
        _cleanup_free_ char *first = strdup(strempty(t.text));
        assert_true(strlen(first) > 0);
        assert_null(t.missing);
        assert_false(head_token_load(&t, &s, dir));

        /* it cannot be read while the daemon runs */
        assert_int_equal(unlink(in_run), 0);
        assert_int_equal(mkdir(in_run, 0700), 0);
        assert_false(head_token_load(&t, &s, dir));
        assert_string_equal(strempty(t.text), first);
        assert_null(t.missing);

        /* nor when it starts */
        head_token_done(&t);
        assert_false(head_token_load(&t, &s, dir));
        assert_null(t.text);
        assert_non_null(startswith(strempty(t.missing), "Ray's token cannot be had: "));
        assert_int_equal(rmdir(in_run), 0);

        /* an empty one is none */
        assert_int_equal(rename(kept, aside), 0);
        assert_int_equal(mkdir(kept, 0700), 0);
        assert_int_equal(write_file_atomic(in_run, "\n", 1, 0600, (gid_t)-1), 0);
        assert_false(head_token_load(&t, &s, dir));
        assert_null(t.text);
        assert_non_null(t.missing);
        assert_int_equal(rmdir(kept), 0);
        assert_int_equal(rename(aside, kept), 0);
        assert_true(head_token_load(&t, &s, dir));
        assert_string_equal(strempty(t.text), first);
        assert_null(t.missing);

        /* off is no failure */
        s.auth_mode = (char *)"disabled";
        assert_true(head_token_load(&t, &s, dir));
        assert_null(t.text);
        assert_null(t.missing);

        head_token_done(&t);
        assert_int_equal(unsetenv("RAYCLUSTER_RUN_DIR"), 0);
        assert_int_equal(unlink(in_run), 0);
        assert_int_equal(unlink(kept), 0);
        assert_int_equal(rmdir(run), 0);
        assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_token),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
