/* Remedies: the exact words for each manager, and a shell that takes every one of them. */
#include "test.h"

#include <stdio.h>
#include <sys/wait.h>

#include "base/alloc.h"
#include "base/str.h"
#include "probe/remedy.h"

static Addr A(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        a.port = 6379;
        return a;
}

/* A shell reads what stands behind the place, without running it. */
static void takes(const char *remedy)
{
        _cleanup_free_ char *copy = strdup(remedy);
        char *line = strstr(copy, ": ");
        assert_non_null(line);
        assert_null(strchr(remedy, '\n'));
        for (line += 2; line;) {
                char *next = strstr(line, ", or: ");
                if (next) {
                        *next = 0;
                        next += strlen(", or: ");
                }
                FILE *sh = popen("sh -n", "w");
                assert_non_null(sh);
                fprintf(sh, "%s\n", line);
                if (pclose(sh) != 0)
                        fail_msg("no shell takes: %s", line);
                line = next;
        }
}

/* Takes got. */
static void is(char *got, const char *expected)
{
        assert_non_null(got);
        assert_string_equal(got, expected);
        takes(got);
        free(got);
}

static void test_open_ports(void **state)
{
        is(remedy_open_ports(FIREWALL_FIREWALLD, "c4", AF_INET, "7000", REMEDY_PROFILE_NONE),
           "on c4, as root: firewall-cmd --permanent --add-port=7000/tcp && firewall-cmd --reload");
        is(remedy_open_ports(FIREWALL_FIREWALLD, "c4", AF_INET, "6379", REMEDY_PROFILE_HEAD),
           "on c4, as root: firewall-cmd --permanent --add-service=raycluster-head && firewall-cmd "
           "--reload");
        is(remedy_open_ports(FIREWALL_FIREWALLD, REMEDY_HERE, AF_INET, "6380-6385,10002-19999",
                             REMEDY_PROFILE_NONE),
           "here, as root: firewall-cmd --permanent --add-port=6380-6385/tcp "
           "--add-port=10002-19999/tcp && firewall-cmd --reload");
        is(remedy_open_ports(FIREWALL_UFW, "c4", AF_INET6, "6380-6385,7000", REMEDY_PROFILE_NONE),
           "on c4, as root: ufw allow 6380:6385,7000/tcp");
        is(remedy_open_ports(FIREWALL_UFW, REMEDY_HERE, AF_INET6, "6380", REMEDY_PROFILE_WORKER),
           "here, as root: ufw allow 'Ray worker'");
        is(remedy_open_ports(FIREWALL_NFTABLES, "c4", AF_INET, "6379", REMEDY_PROFILE_HEAD),
           "on c4, as root: nft insert rule inet filter input tcp dport 6379 accept # and in "
           "/etc/nftables.conf");
        is(remedy_open_ports(FIREWALL_NFTABLES, "c4", AF_INET, "6379,10002-19999",
                             REMEDY_PROFILE_HEAD),
           "on c4, as root: nft insert rule inet filter input tcp dport '{ 6379,10002-19999 }' "
           "accept # and in /etc/nftables.conf");
        is(remedy_open_ports(FIREWALL_IPTABLES, "c4", AF_INET6, "6379", REMEDY_PROFILE_NONE),
           "on c4, as root: ip6tables -I INPUT -p tcp --dport 6379 -j ACCEPT && "
           "netfilter-persistent save");
        is(remedy_open_ports(FIREWALL_IPTABLES, "c4", AF_UNSPEC, "6379,7000-7010",
                             REMEDY_PROFILE_NONE),
           "on c4, as root: for t in iptables ip6tables; do $t -I INPUT -p tcp -m multiport "
           "--dports 6379,7000:7010 -j ACCEPT; done && netfilter-persistent save");
        is(remedy_open_ports(FIREWALL_UNKNOWN, "c4", AF_INET, "6379", REMEDY_PROFILE_HEAD),
           "on c4, as root: firewall-cmd --permanent --add-service=raycluster-head && firewall-cmd "
           "--reload, or: ufw allow 'Ray head'");
        is(remedy_open_ports(FIREWALL_NONE, "c4", AF_INET, "6379", REMEDY_PROFILE_HEAD),
           "on c4, as root: nft list ruleset | grep -nE 'hook|drop|reject' # made by hand: no "
           "firewall manager runs there");
}

static void test_open_out(void **state)
{
        Addr four = A("10.77.2.2"), six = A("fd77:2::2");
        four.port = 6379;
        is(remedy_open_out(FIREWALL_NFTABLES, REMEDY_HERE, &four, NULL),
           "here, as root: nft insert rule inet filter output ip daddr 10.77.2.2 tcp dport 6379 "
           "accept # and in /etc/nftables.conf");
        is(remedy_open_out(FIREWALL_NFTABLES, REMEDY_HERE, &six, "6380-6388,8265"),
           "here, as root: nft insert rule inet filter output ip6 daddr fd77:2::2 tcp dport "
           "'{ 6380-6388,8265 }' accept # and in /etc/nftables.conf");
        is(remedy_open_out(FIREWALL_UFW, REMEDY_HERE, &four, "6380-6388,8265"),
           "here, as root: ufw allow out to 10.77.2.2 port 6380:6388,8265 proto tcp");
        is(remedy_open_out(FIREWALL_IPTABLES, "c4", &four, "10002-19999"),
           "on c4, as root: iptables -I OUTPUT -p tcp -d 10.77.2.2 --dport 10002:19999 -j ACCEPT "
           "&& netfilter-persistent save");
        is(remedy_open_out(FIREWALL_FIREWALLD, "c4", &six, "1,2-3"),
           "on c4, as root: firewall-cmd --permanent --direct --add-rule ipv6 filter OUTPUT 0 -p "
           "tcp -d fd77:2::2 -m multiport --dports 1,2:3 -j ACCEPT && firewall-cmd --reload");
}

static void test_every_manager(void **state)
{
        Addr four = A("10.77.2.2"), six = A("fd77:2::2");
        for (FirewallManager m = 0; m < _FIREWALL_MANAGER_MAX; m++)
                for (RemedyProfile p = 0; p < _REMEDY_PROFILE_MAX; p++) {
                        _cleanup_free_ char *a = remedy_open_ports(m, "c4", AF_INET, "1,2-3", p);
                        _cleanup_free_ char *b = remedy_open_out(m, "c4", &four, NULL);
                        _cleanup_free_ char *c = remedy_open_out(m, REMEDY_HERE, &six, NULL);
                        assert_true(a && b && c);
                        takes(a);
                        takes(b);
                        takes(c);
                }
}

static void test_others(void **state)
{
        Addr to = A("10.77.1.2"), via = A("10.77.2.1"), six = A("fd77::1");
        is(remedy_route("c4", &to, &via), "on c4, as root: ip route add 10.77.1.2 via 10.77.2.1");
        is(remedy_route(REMEDY_HERE, &six, NULL),
           "here, as root: ip -6 route add fd77::1 via ROUTER");
        is(remedy_clock(CLOCK_KEEPER_CHRONY, "c4"),
           "on c4, as root: systemctl enable --now chronyd && chronyc makestep");
        is(remedy_clock(CLOCK_KEEPER_TIMESYNCD, REMEDY_HERE),
           "here, as root: timedatectl set-ntp true && systemctl restart systemd-timesyncd");
        is(remedy_clock(CLOCK_KEEPER_UNKNOWN, REMEDY_HERE),
           "here, as root: systemctl enable --now chronyd && chronyc makestep, or: timedatectl "
           "set-ntp true && systemctl restart systemd-timesyncd");
        is(remedy_node_address(REMEDY_HERE, &to),
           "here, as root: echo 'node: { address = \"10.77.1.2\"; };' "
           ">/etc/raycluster.conf.d/address.conf && raycluster check && systemctl reload "
           "ray-worker && raycluster restart-engine");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_open_ports),
                cmocka_unit_test(test_open_out),
                cmocka_unit_test(test_every_manager),
                cmocka_unit_test(test_others),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
