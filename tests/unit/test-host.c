/* What a machine brings to a connection, from the kernel's texts. */
#include "test.h"

#include <string.h>

#include "probe/host.h"

#define HEAD "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt\n"

static void test_ports(void **state)
{
        uint8_t seen[8192] = {0};
        const char *text =
                HEAD "   0: 0100007F:9C40 0200004D:18EB 01 00000000:00000000 00:00000000 00000000\n"
                     "   1: 0100007F:9C41 0200004D:18EB 06 00000000:00000000 00:00000000 00000000\n"
                     "  10: 0200007F:9C40 0200004D:18EB 01 00000000:00000000 00:00000000 00000000\n"
                     "  11: 00000000:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000\n"
                     " 100: 0200007F:9C43 0200004D:18EB 01 00000000:00000000 00:00000000 00000000";
        /* one port is one port, whoever holds it, and others' ranges do not count */
        assert_int_equal(host_ports_in(text, 40000, 40002, seen), 2);
        assert_int_equal(host_ports_in(text, 40000, 40002, seen), 0);
        memset(seen, 0, sizeof(seen));
        assert_int_equal(host_ports_in(text, 40000, 40003, seen), 3);
        text = HEAD "   0: 00000000000000000000000001000000:9C42 "
                    "00000000000000000000000001000000:18EB 01 0:0\n";
        assert_int_equal(host_ports_in(text, 1, 65535, seen), 1);
        assert_int_equal(host_ports_in("", 1, 65535, seen), 0);
        assert_int_equal(host_ports_in(HEAD "nonsense\n\n   : \n", 1, 65535, seen), 0);
}

static void test_resolv_conf(void **state)
{
        char buf[HOST_SERVERS_MAX];

        host_resolv_conf("# nameserver 10.0.0.1\nsearch lab\nnameserver 10.0.0.53\n"
                         "nameserver fe80::1%eth0\noptions edns0\n",
                         buf, sizeof(buf));
        assert_string_equal(buf, "10.0.0.53, fe80::1%eth0");
        host_resolv_conf("nameserver", buf, sizeof(buf));
        assert_string_equal(buf, "");
        host_resolv_conf("nameserver 10.0.0.53\nnameserver 10.0.0.54\n", buf, 16);
        assert_string_equal(buf, "10.0.0.53"); /* what does not fit is left out whole */
}

/* This machine's own. */
static void test_here(void **state)
{
        HostFacts h = {.nss = {.answered = true}};
        host_gather(&h);
        assert_true(h.ports_known && h.files_known);
        assert_true(h.port_first <= h.port_last);
        assert_true(h.nss.answered);
        assert_false(h.ports_counted);
        host_count(&h);
        assert_true(h.ports_counted && h.files_counted);
        assert_true(h.files_open >= 3 && h.files_open <= h.files_max);
        assert_true(h.ports_used <= h.port_last - h.port_first + 1U);
        host_servers(&h, "10.0.0.53, 10.0.0.54");
        assert_string_equal(h.servers, "10.0.0.53, 10.0.0.54");
        assert_string_equal(h.upstream, "");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_ports),
                cmocka_unit_test(test_resolv_conf),
                cmocka_unit_test(test_here),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
