/* What a resolver's answer means for the examination. */
#include "test.h"

#include <string.h>

#include "addr.h"

#include "probe/name.h"

static Evidence asked(const char *host)
{
        Evidence e = {.addr.port = 6379};
        strcpy(e.host, host);
        return e;
}

static void test_outcomes(void **state)
{
        static const NameOutcome want[_RESOLVE_RESULT_MAX] = {
                [RESOLVE_OK] = NAME_RESOLVED,         [RESOLVE_NXDOMAIN] = NAME_NOT_THERE,
                [RESOLVE_NODATA] = NAME_NOT_THERE,    [RESOLVE_BAD_NAME] = NAME_NOT_THERE,
                [RESOLVE_SERVFAIL] = NAME_NO_ANSWER,  [RESOLVE_REFUSED] = NAME_NO_ANSWER,
                [RESOLVE_TIMEOUT] = NAME_NO_ANSWER,   [RESOLVE_NO_SERVER] = NAME_NO_ANSWER,
                [RESOLVE_BAD_REPLY] = NAME_NO_ANSWER, [RESOLVE_INTERNAL] = NAME_UNKNOWN,
        };
        const Addr one = A("10.77.2.2");
        for (ResolveResult r = 0; r < _RESOLVE_RESULT_MAX; r++) {
                Evidence e = asked("compute04");
                ResolveAnswer a = {.result = r, .text = "words", .addrs = &one, .n_addrs = 1};
                assert_int_equal(name_answer(&e, &a, AF_UNSPEC, NULL, 0), 0);
                assert_int_equal(e.name, want[r]);
                assert_int_equal(addr_is_set(&e.addr), r == RESOLVE_OK);
                assert_int_equal(e.addr.port, 6379);
                assert_string_equal(e.name_text, "words");
                assert_string_equal(e.host_facts.dns, resolve_result_to_string(r));
        }
}

static void test_choice(void **state)
{
        const Addr list[] = {A("127.0.1.1"), A("10.77.2.2"), A("10.77.2.3"), A("::1"),
                             A("fd77:2::2")};
        ResolveAnswer a = {.text = "", .addrs = list, .n_addrs = ELEMENTSOF(list)};
        Addr others[3];

        Evidence e = asked("compute04");
        assert_int_equal(name_answer(&e, &a, AF_UNSPEC, others, 3), 2);
        assert_true(addr_equal(&e.addr, &list[1]));
        assert_true(addr_equal(&others[0], &list[2]) && addr_equal(&others[1], &list[4]));
        assert_non_null(strstr(e.name_text, "5 addresses"));
        e = asked("compute04");
        assert_int_equal(name_answer(&e, &a, AF_UNSPEC, others, 1), 1); /* no more than fit */
        e = asked("compute04");
        assert_int_equal(name_answer(&e, &a, AF_INET6, others, 3), 0);
        assert_true(addr_equal(&e.addr, &list[4]));
        e = asked("compute04");
        assert_int_equal(name_answer(&e, &a, AF_INET, others, 3), 1);
        assert_true(addr_equal(&e.addr, &list[1]));

        a.n_addrs = 1; /* what cannot be another machine is better than nothing */
        e = asked("compute04");
        assert_int_equal(name_answer(&e, &a, AF_INET, others, 3), 0);
        assert_true(addr_equal(&e.addr, &list[0]));
        e = asked("compute04");
        assert_int_equal(name_answer(&e, &a, AF_INET6, others, 3), 0);
        assert_int_equal(e.name, NAME_NOT_THERE);
        assert_string_equal(e.name_text, "compute04 has no IPv6 address");
}

static void test_literal(void **state)
{
        Evidence e = asked("10.77.2.2");
        assert_int_equal(name_literal(&e), 0);
        assert_int_equal(e.name, NAME_LITERAL);
        assert_int_equal(e.addr.port, 6379);
        e = asked("compute04");
        assert_true(name_literal(&e) < 0);
        e = asked("fe80::1%nosuch0");
        assert_int_equal(name_literal(&e), 0);
        assert_string_equal(e.from, "nosuch0");
        assert_int_equal(e.addr.scope, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_outcomes),
                cmocka_unit_test(test_choice),
                cmocka_unit_test(test_literal),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
