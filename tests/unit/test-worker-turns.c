/* Whose turn it is of the addresses where the head may be. */
#include "test.h"

#include "worker/head-turns.h"

static Addr at(const char *s)
{
        Addr a;

        assert_int_equal(addr_parse_port(s, &a), 0);
        return a;
}

static bool is_now(const HeadTurns *t, const char *s)
{
        Addr a = at(s);
        return head_turns_now(t) && addr_port_equal(head_turns_now(t), &a);
}

static void test_rounds(void **state)
{
        Addr three[] = {at("10.0.0.1:6388"), at("10.0.0.2:6388"), at("10.0.0.2:6389")};
        HeadTurns t = {0};

        assert_null(head_turns_now(&t));
        assert_int_equal(head_turns_set(&t, three, 3, false), HEAD_TURNS_NEW);
        assert_true(is_now(&t, "10.0.0.1:6388"));
        for (unsigned round = 0; round < 2; round++) {
                assert_true(head_turns_next(&t));
                assert_true(is_now(&t, "10.0.0.2:6388"));
                assert_true(head_turns_next(&t));
                assert_true(is_now(&t, "10.0.0.2:6389"));
                assert_false(head_turns_next(&t));
                assert_true(is_now(&t, "10.0.0.1:6388"));
        }
        /* where the head surely was, a round begins; where it may have been, none does */
        assert_true(head_turns_next(&t));
        head_turns_found(&t, false);
        assert_true(head_turns_next(&t));
        head_turns_found(&t, true);
        assert_true(head_turns_next(&t));
        assert_true(head_turns_next(&t));
        assert_false(head_turns_next(&t));
        assert_true(is_now(&t, "10.0.0.2:6389"));
}

static void test_one_alone(void **state)
{
        HeadTurns t = {0};
        Addr a = at("[2001:db8::1]:6388");

        head_turns_only(&t, &a);
        assert_true(is_now(&t, "[2001:db8::1]:6388"));
        assert_false(head_turns_next(&t));
        assert_true(is_now(&t, "[2001:db8::1]:6388"));
        assert_int_equal(head_turns_set(&t, &a, 1, false), HEAD_TURNS_SAME);
}

static void test_others(void **state)
{
        Addr three[] = {at("10.0.0.1:6388"), at("10.0.0.2:6388"), at("10.0.0.3:6388")};
        Addr turned[] = {three[2], three[1], three[0]};
        Addr other = at("10.0.0.4:6388");
        HeadTurns t = {0};

        (void)head_turns_set(&t, three, 3, false);
        (void)head_turns_next(&t);
        /* nothing new: as before, in whatever order, and for none */
        assert_int_equal(head_turns_set(&t, turned, 3, false), HEAD_TURNS_SAME);
        assert_int_equal(head_turns_set(&t, NULL, 0, true), HEAD_TURNS_SAME);
        assert_true(is_now(&t, "10.0.0.2:6388"));
        /* whose turn it is, keeps it; that is no round of the old ones any more */
        assert_int_equal(head_turns_set(&t, turned, 2, false), HEAD_TURNS_FEWER);
        assert_true(is_now(&t, "10.0.0.2:6388"));
        assert_true(head_turns_next(&t));
        assert_false(head_turns_next(&t));
        /* ... unless it is gone */
        assert_int_equal(head_turns_set(&t, turned, 1, false), HEAD_TURNS_FEWER);
        assert_true(is_now(&t, "10.0.0.3:6388"));
        assert_int_equal(head_turns_set(&t, &other, 1, false), HEAD_TURNS_NEW);
        assert_true(is_now(&t, "10.0.0.4:6388"));
}

static void test_where_it_was(void **state)
{
        Addr was = at("10.0.0.1:6388"), is = at("10.0.0.2:6388");
        Addr both[] = {is, was};
        HeadTurns t = {0};

        (void)head_turns_set(&t, &was, 1, false);
        head_turns_found(&t, true);
        assert_int_equal(head_turns_set(&t, &is, 1, false), HEAD_TURNS_NEW);
        assert_true(is_now(&t, "10.0.0.1:6388"));
        assert_true(head_turns_next(&t));
        assert_true(is_now(&t, "10.0.0.2:6388"));
        /* it is there without being named: nothing is new */
        assert_int_equal(head_turns_set(&t, &is, 1, false), HEAD_TURNS_SAME);
        assert_int_equal(head_turns_set(&t, both, 2, false), HEAD_TURNS_SAME);
        assert_int_equal(head_turns_set(&t, &is, 1, true), HEAD_TURNS_FEWER);
        assert_true(is_now(&t, "10.0.0.2:6388"));
        assert_false(head_turns_next(&t));
}

static void test_too_many(void **state)
{
        Addr many[HEAD_TURNS_MAX + 2], was = at("10.1.0.1:6388");
        HeadTurns t = {0};

        for (size_t i = 0; i < ELEMENTSOF(many); i++) {
                many[i] = at("10.0.0.1:1");
                many[i].port = (uint16_t)(i + 1);
        }
        head_turns_only(&t, &was);
        assert_int_equal(head_turns_set(&t, many, ELEMENTSOF(many), false), HEAD_TURNS_NEW);
        assert_int_equal(t.n, HEAD_TURNS_MAX + 1);
        assert_true(is_now(&t, "10.1.0.1:6388"));
        assert_false(addr_port_in(t.addrs, t.n, &many[HEAD_TURNS_MAX]));
        assert_true(addr_port_in(t.addrs, t.n, &many[HEAD_TURNS_MAX - 1]));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_rounds),   cmocka_unit_test(test_one_alone),
                cmocka_unit_test(test_others),   cmocka_unit_test(test_where_it_was),
                cmocka_unit_test(test_too_many),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
