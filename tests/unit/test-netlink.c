/* sys/netlink against the kernel of this machine: the loopback is always there. */
#include "test.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/str.h"
#include "sys/netlink.h"

static void test_links(void **state)
{
        _cleanup_free_ NetLink *links = NULL;
        size_t n;
        NetLink lo;

        assert_int_equal(netlink_links(&links, &n), 0);
        assert_true(n >= 1);
        assert_int_equal(netlink_link_by_name("lo", &lo), 0);
        assert_true(lo.loopback);
        assert_int_equal(netlink_link_by_index(lo.ifindex, &lo), 0);
        assert_string_equal(lo.name, "lo");
        assert_int_equal(netlink_link_by_name("nonesuch0", &lo), -ENODEV);
        assert_int_equal(netlink_link_by_index(0x7ffffff0, &lo), -ENODEV);
}

static void test_addrs(void **state)
{
        _cleanup_free_ NetAddr *addrs = NULL;
        size_t n;
        bool seen = false;

        assert_int_equal(netlink_addrs(AF_UNSPEC, &addrs, &n), 0);
        for (size_t i = 0; i < n; i++) {
                char buf[ADDR_MAX];
                assert_true(addr_is_set(&addrs[i].addr));
                if (streq(addr_format(buf, &addrs[i].addr), "127.0.0.1")) {
                        seen = true;
                        assert_string_equal(addrs[i].ifname, "lo");
                        assert_int_equal(addrs[i].prefix_len, 8);
                        assert_false(addrs[i].global);
                }
                if (i > 0)
                        assert_true(addrs[i - 1].addr.family <= addrs[i].addr.family);
        }
        assert_true(seen);
}

static void test_route(void **state)
{
        Addr dst;
        NetRoute route;
        char buf[ADDR_MAX];

        assert_int_equal(addr_parse("127.0.0.5", &dst), 0);
        assert_int_equal(netlink_route(&dst, NULL, 0, &route), 0);
        assert_true(route.local);
        assert_string_equal(route.ifname, "lo");
        assert_string_equal(addr_format(buf, &route.source), "127.0.0.1");
        assert_false(addr_is_set(&route.gateway));
        assert_int_equal(netlink_is_own(&dst), 1);

        /* Reserved for ever (240/4): the kernel itself refuses, whatever routes there are. */
        assert_int_equal(addr_parse("0.0.0.1", &dst), 0);
        assert_true(netlink_is_own(&dst) <= 0);
        assert_int_equal(netlink_route(&(Addr){0}, NULL, 0, &route), -EAFNOSUPPORT);
}

static void test_neigh(void **state)
{
        Addr a;
        NetLink lo;
        NeighState s = _NEIGH_STATE_INVALID;

        assert_int_equal(netlink_link_by_name("lo", &lo), 0);
        assert_int_equal(addr_parse("192.0.2.77", &a), 0);
        assert_int_equal(netlink_neigh(&a, lo.ifindex, &s), 0);
        assert_int_equal(s, NEIGH_NONE);
        for (NeighState i = 0; i < _NEIGH_STATE_MAX; i++)
                assert_non_null(neigh_state_to_string(i));
        assert_null(neigh_state_to_string(_NEIGH_STATE_MAX));
}

static void on_change(NetMonitor *m, unsigned changed, void *userdata)
{
        assert_true(changed != 0);
        net_monitor_free(m);
        *(NetMonitor **)userdata = NULL;
}

static void test_monitor(void **state)
{
        sd_event *event = NULL;
        NetMonitor *m = NULL;

        assert_int_equal(sd_event_new(&event), 0);
        assert_int_equal(net_monitor_new(event, on_change, &m, &m), 0);
        assert_int_equal(sd_event_run(event, 0), 0);
        net_monitor_free(m);
        sd_event_unref(event);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_links),   cmocka_unit_test(test_addrs),
                cmocka_unit_test(test_route),   cmocka_unit_test(test_neigh),
                cmocka_unit_test(test_monitor),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
