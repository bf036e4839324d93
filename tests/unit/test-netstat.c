/* Counters of the kernel: words of its text, and what of it tells a head's side. */
#include "test.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>

#include "sys/netstat.h"

static void test_words(void **state)
{
        uint64_t v;
        const char *text = "TcpExt: SyncookiesSent TCPRetransFail PAWSActive\nTcpExt: 1 23 4\n"
                           "IpExt: InNoRoutes\nIpExt: 5\n";
        assert_int_equal(netstat_value(text, "TcpExt:", "TCPRetransFail", &v), 0);
        assert_int_equal(v, 23);
        assert_int_equal(netstat_value(text, "IpExt:", "InNoRoutes", &v), 0);
        assert_int_equal(v, 5);
        assert_int_equal(netstat_value(text, "TcpExt:", "TCPRetrans", &v), -ENOENT);
        assert_int_equal(netstat_value(text, "Other:", "x", &v), -ENOENT);
        assert_int_equal(netstat_value("TcpExt: a b\nTcpExt: 1\n", "TcpExt:", "b", &v), -EINVAL);
        assert_int_equal(netstat_value("TcpExt: a\n", "TcpExt:", "a", &v), -EINVAL);
        assert_int_equal(netstat_value("", "TcpExt:", "a", &v), -ENOENT);

        text = "Inter-|   Receive  |  Transmit\n face |bytes packets\n"
               "    lo: 1 2 0 0 0 0 0 0 10 11 0 0 0 0 0 0\n  eth0:1 2 3 4 5 6 7 8 20 21 0 0 0 0 0 "
               "0\n";
        assert_int_equal(netdev_tx_packets(text, "eth0", &v), 0);
        assert_int_equal(v, 21);
        assert_int_equal(netdev_tx_packets(text, "lo", &v), 0);
        assert_int_equal(v, 11);
        assert_int_equal(netdev_tx_packets(text, "eth", &v), -ENOENT);
        assert_int_equal(netdev_tx_packets(" w0: 1 2 3\n", "w0", &v), -EINVAL);
        /* the kernel's own */
        assert_int_equal(netdev_read_tx_packets("lo", &v), 0);
}

static const char *const text4 =
        "TcpExt: ListenOverflows ListenDrops IPReversePathFilter\nTcpExt: 3 4 5\n"
        "IpExt: InNoRoutes InTruncatedPkts InMcastPkts\nIpExt: 7 0 40\n"
        "Ip: InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards "
        "InDelivers "
        "OutNoRoutes ReasmReqds\nIp: 1000 1 2 100 3 4 800 9 0\n"
        "Tcp: OutRsts\nTcp: 11\n";

static void test_head(void **state)
{
        NetCounters c, later;

        assert_int_equal(netstat_counters_parse(AF_INET, text4, NULL, &c), 0);
        assert_int_equal(c.listen_overflows, 3);
        assert_int_equal(c.listen_drops, 4);
        assert_int_equal(c.rp_filter, 5);
        assert_int_equal(c.no_routes, 9);
        assert_int_equal(c.resets, 11);
        assert_true(c.undelivered_known);
        assert_true(c.undelivered_most == 1000 - 1 - 2 - 100 - 3 - 4 - 800 - 5 - 7);
        assert_true(c.undelivered == c.undelivered_most - 40);

        assert_int_equal(netstat_counters_parse(AF_INET6, text4, NULL, &c), -ENOENT);
        assert_int_equal(netstat_counters_parse(AF_INET6, text4,
                                                "Ip6InReceives  \t 10\nIp6OutNoRoutes\t2\n", &c),
                         0);
        assert_int_equal(c.no_routes, 2);
        assert_false(c.undelivered_known);
        assert_int_equal(netstat_counters_parse(AF_INET, "", NULL, &c), -ENOENT);

        /* the kernel's own */
        for (int v6 = 0; v6 < 2; v6++) {
                int family = v6 ? AF_INET6 : AF_INET;
                int r = netstat_counters(family, &c);
                if (v6 && r == -ENOENT) {
                        print_message("skipped: no IPv6 in this kernel\n");
                        continue;
                }
                assert_int_equal(r, 0);
                assert_true(c.undelivered_known);
                assert_int_equal(netstat_counters(family, &later), 0);
                assert_true(later.resets >= c.resets);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),
                cmocka_unit_test(test_head),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
