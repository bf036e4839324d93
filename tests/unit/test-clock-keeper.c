/* Who keeps the clock, told from files. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/str.h"
#include "sys/clock-keeper.h"

static char root[] = "/tmp/test-clock-keeper-XXXXXX";

static char *in_root(const char *path)
{
        char *p = str_printf("%s%s", root, path);
        assert_non_null(p);
        for (char *s = strchr(p + strlen(root) + 1, '/'); s; s = strchr(s + 1, '/')) {
                *s = 0;
                (void)mkdir(p, 0755);
                *s = '/';
        }
        return p;
}

static void runs(const char *unit)
{
        _cleanup_free_ char *path = str_printf("/run/systemd/units/invocation:%s", unit);
        _cleanup_free_ char *p = in_root(path);
        assert_int_equal(symlink("0123456789abcdef0123456789abcdef", p), 0);
}

static void installed(const char *path)
{
        _cleanup_free_ char *p = in_root(path);
        FILE *f = fopen(p, "w");
        assert_non_null(f);
        fclose(f);
}

static void test_order(void **state)
{
        assert_int_equal(clock_keeper(root), CLOCK_KEEPER_UNKNOWN);
        installed("/usr/lib/systemd/systemd-timesyncd");
        assert_int_equal(clock_keeper(root), CLOCK_KEEPER_TIMESYNCD);
        installed("/usr/sbin/chronyd"); /* who installs it wants it */
        assert_int_equal(clock_keeper(root), CLOCK_KEEPER_CHRONY);
        runs("systemd-timesyncd.service");
        assert_int_equal(clock_keeper(root), CLOCK_KEEPER_TIMESYNCD);
        runs("chronyd.service");
        assert_int_equal(clock_keeper(root), CLOCK_KEEPER_CHRONY);
        for (ClockKeeper k = 0; k < _CLOCK_KEEPER_MAX; k++)
                assert_int_equal(clock_keeper_from_string(clock_keeper_to_string(k)), k);
        (void)clock_keeper(NULL);
}

static int set_up(void **state)
{
        return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
        _cleanup_free_ char *command = str_printf("rm -rf %s", root);
        return command ? system(command) : -1;
}

int main(void)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(test_order)};
        return cmocka_run_group_tests(tests, set_up, tear_down);
}
