/* The addresses of one name, tried in turn. */
#include "test.h"

#include <errno.h>

#include "evidence.h"

#include "probe/addresses.h"

static Addresses others(void)
{
        return (Addresses){.others = {A("10.77.2.3"), A("10.77.2.4")}, .n_others = 2};
}

static void refused(Evidence *e)
{
        e->connected = true;
        e->tcp = (ConnectFacts){
                .outcome = CONNECT_FAILED, .error = ECONNREFUSED, .took = 200, .n_sockets = 1};
}

static void test_whether(void **state)
{
        Addresses a = others();
        Evidence e = far();

        refused(&e);
        assert_true(addresses_may_help(&a, &e));
        e.tcp = (ConnectFacts){.outcome = CONNECT_ESTABLISHED}; /* who is there is the trouble */
        e.hello = (HelloFacts){.asked = true, .kind = SERVICE_HTTP1};
        assert_false(addresses_may_help(&a, &e));
        e = far(); /* no address has a way without sockets here */
        e.tcp = (ConnectFacts){.outcome = CONNECT_FAILED, .error = EMFILE};
        assert_false(addresses_may_help(&a, &e));
        refused(&e);
        a.next = a.n_others;
        assert_false(addresses_may_help(&a, &e));
        assert_false(addresses_failed(&a, &e)); /* there was but one */
}

static void test_in_vain(void **state)
{
        Addresses a = others();
        Evidence e = far();
        const Addr first = e.addr;

        refused(&e);
        for (size_t i = 0; i < a.n_others; i++) {
                assert_int_equal(addresses_next(&a, &e), 0);
                assert_true(addr_equal(&e.addr, &a.others[i]));
                assert_int_equal(e.addr.port, 6379);
                assert_false(e.connected || e.tcp.error || e.local.link_known);
                refused(&e);
        }
        assert_false(addresses_may_help(&a, &e));
        assert_true(addresses_failed(&a, &e));
        e.cut = true;
        addresses_choose(&a, &e);
        assert_true(addr_equal(&e.addr, &first));
        assert_false(e.cut);
        addresses_done(&a);
}

static void test_reached(void **state)
{
        Addresses a = others();
        Evidence e = far();

        addresses_choose(&a, &e); /* nothing to choose from */
        assert_true(isempty(e.name_text));
        e.n_addrs = 3;
        refused(&e);
        assert_int_equal(addresses_next(&a, &e), 0);
        e.tcp.outcome = CONNECT_ESTABLISHED;
        assert_false(addresses_failed(&a, &e));
        addresses_choose(&a, &e);
        assert_true(addr_equal(&e.addr, &a.others[0]));
        assert_string_equal(e.name_text, "compute04 has 3 addresses, and 10.77.2.2 is PORT_CLOSED");
        addresses_done(&a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whether),
                cmocka_unit_test(test_in_vain),
                cmocka_unit_test(test_reached),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
