/* Which firewall manager runs, told from files; and the kernel's own rules, seen as root. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/firewall.h"

static char root[] = "/tmp/test-firewall-XXXXXX";

static void put(const char *path, const char *text)
{
        _cleanup_free_ char *full = path_join(root, path);
        FILE *f = fopen(full, "we");
        assert_non_null(f);
        assert_true(fputs(text, f) >= 0);
        assert_int_equal(fclose(f), 0);
}

static void drop(const char *path)
{
        _cleanup_free_ char *full = path_join(root, path);
        assert_int_equal(unlink(full), 0);
}

static void unit(const char *name, bool active)
{
        _cleanup_free_ char *path = str_printf("%s/run/systemd/units/invocation:%s", root, name);
        if (active)
                assert_int_equal(symlink("0123456789abcdef0123456789abcdef", path), 0);
        else
                assert_int_equal(unlink(path), 0);
}

static int setup(void **state)
{
        static const char *const folders[] = {"run", "run/systemd", "run/systemd/units",
                                              "etc", "etc/ufw",     "proc"};
        if (!mkdtemp(root))
                return -1;
        for (size_t i = 0; i < ELEMENTSOF(folders); i++) {
                _cleanup_free_ char *path = path_join(root, folders[i]);
                if (mkdir(path, 0755) < 0)
                        return -1;
        }
        return 0;
}

static int teardown(void **state)
{
        _cleanup_free_ char *command = str_printf("rm -r %s", root);
        return system(command);
}

static void test_managers(void **state)
{
        /* a machine without anything that tells */
        assert_int_equal(firewall_manager(root), FIREWALL_UNKNOWN);
        put("proc/modules", "");
        assert_int_equal(firewall_manager(root), FIREWALL_UNKNOWN);
        put("proc/modules", "veth 16384 0 - Live 0x0\nnf_tables_x 4 0 - Live 0x0\n");
        assert_int_equal(firewall_manager(root), FIREWALL_NONE);
        put("proc/modules", "veth 16384 0 - Live 0x0\nnf_tables 311296 0 - Live 0x0\n");
        assert_int_equal(firewall_manager(root), FIREWALL_UNKNOWN);
        put("proc/modules", "nf_tables 311296 0 - Live 0x0\niptable_filter 16384 1 - Live 0x0\n");
        assert_int_equal(firewall_manager(root), FIREWALL_IPTABLES);

        put("proc/modules", "nf_tables 311296 0 - Live 0x0\n");
        unit("netfilter-persistent.service", true);
        assert_int_equal(firewall_manager(root), FIREWALL_IPTABLES);
        unit("nftables.service", true);
        assert_int_equal(firewall_manager(root), FIREWALL_NFTABLES);
        put("etc/ufw/ufw.conf", "# set to yes to start on boot\n  Enabled=\"YES\"\nLOGLEVEL=low\n");
        assert_int_equal(firewall_manager(root), FIREWALL_UFW);
        unit("firewalld.service", true);
        assert_int_equal(firewall_manager(root), FIREWALL_FIREWALLD);

        /* stopped again */
        unit("firewalld.service", false);
        put("etc/ufw/ufw.conf", "# ENABLED=yes\nENABLED=no\n");
        assert_int_equal(firewall_manager(root), FIREWALL_NFTABLES);
        unit("nftables.service", false);
        unit("netfilter-persistent.service", false);
        assert_int_equal(firewall_manager(root), FIREWALL_UNKNOWN);
        drop("etc/ufw/ufw.conf");
        drop("proc/modules");
}

static void test_words(void **state)
{
        for (FirewallManager m = 0; m < _FIREWALL_MANAGER_MAX; m++)
                assert_int_equal(firewall_manager_from_string(firewall_manager_to_string(m)), m);
}

/* In a network of its own, a child asks the kernel about rules that nft has made. */
static FirewallManager seen_with(const char *rules)
{
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
                if (unshare(CLONE_NEWNET) < 0 || (*rules && system(rules) != 0))
                        _exit(100);
                _exit((int)firewall_manager(NULL));
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        return WEXITSTATUS(status);
}

static void test_kernel(void **state)
{
        if (geteuid() != 0 || access("/usr/sbin/nft", X_OK) < 0 ||
            access("/proc/modules", R_OK) == 0) {
                print_message("skipped: needs root, nft, and a kernel with nf_tables built in\n");
                skip();
        }
        int r = seen_with("");
        if (r == 100) {
                print_message("skipped: no network namespace may be made here\n");
                skip();
        }
        assert_int_equal(r, FIREWALL_NONE);
        assert_int_equal(seen_with("nft 'add table inet t; add chain inet t c; add chain inet t o "
                                   "{ type filter hook output priority 0; }'"),
                         FIREWALL_NONE);
        assert_int_equal(seen_with("nft 'add table inet t; add chain inet t i "
                                   "{ type filter hook input priority 0; }'"),
                         FIREWALL_NFTABLES);
        assert_int_equal(seen_with("nft 'add table ip filter; add chain ip filter INPUT "
                                   "{ type filter hook input priority 0; }'"),
                         FIREWALL_IPTABLES);
}

/* Without privilege the kernel does not say. */
static void test_unprivileged(void **state)
{
        if (geteuid() != 0 || access("/proc/modules", R_OK) == 0) {
                print_message("skipped: needs root to become nobody, and modules built in\n");
                skip();
        }
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0)
                _exit(setuid(65534) < 0 ? 100 : (int)firewall_manager(NULL));
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), FIREWALL_UNKNOWN);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_managers),
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_kernel),
                cmocka_unit_test(test_unprivileged),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
