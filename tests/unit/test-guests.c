/* Who is at a gate: strangers counted, members found, and all of it as it should be when they leave
 * in any order. */
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "member/guests.h"

#define MANY 3000

typedef struct Someone {
        char node[16];
        Guest guest;
} Someone;

static Addr addr(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

static void test_strangers(void **state)
{
        Addr here = addr("10.0.0.1"), there = addr("fd00::1"), nobody = addr("10.0.0.2");
        Guests g = {0};
        Guest a, b, c;

        Addr again = here;
        here.port = 4000;
        again.port = 4001; /* one machine, whatever the port */
        guests_add(&g, &a, &here);
        guests_add(&g, &b, &again);
        guests_add(&g, &c, &there);
        assert_int_equal(guests_from(&g, &here), 2);
        assert_int_equal(guests_from(&g, &there), 1);
        assert_int_equal(guests_from(&g, &nobody), 0);
        assert_int_equal(g.n_strangers, 3);
        Addr neighbour = addr("fd00::2"), stranger = addr("fd00:0:0:1::1");
        assert_int_equal(guests_from(&g, &neighbour), 0);
        assert_int_equal(guests_of_source(&g, &neighbour), 1);
        assert_int_equal(guests_of_source(&g, &stranger), 0);
        assert_int_equal(guests_of_source(&g, &here), 2);
        assert_int_equal(guests_of_source(&g, &nobody), 0);
        assert_null(guests_find(&g, "n1"));
        /* a member is no stranger any more */
        assert_int_equal(guests_know(&g, &b, "n1"), 0);
        assert_int_equal(guests_from(&g, &here), 1);
        assert_int_equal(g.n_strangers, 2);
        assert_int_equal(g.n_members, 1);
        assert_ptr_equal(guests_find(&g, "n1"), &b);
        guests_remove(&g, &a);
        guests_remove(&g, &b);
        guests_remove(&g, &c);
        assert_null(g.strangers);
        assert_null(g.members);
        assert_null(g.by_node);
}

/* Nothing is changed by one that has another's node id. */
static void test_taken(void **state)
{
        Addr here = addr("10.0.0.1");
        Guests g = {0};
        Guest a, b;

        guests_add(&g, &a, &here);
        guests_add(&g, &b, &here);
        assert_int_equal(guests_know(&g, &a, "n1"), 0);
        assert_int_equal(guests_know(&g, &b, "n1"), -EEXIST);
        assert_ptr_equal(guests_find(&g, "n1"), &a);
        assert_int_equal(g.n_strangers, 1);
        guests_remove(&g, &b);
        assert_ptr_equal(guests_find(&g, "n1"), &a);
        guests_remove(&g, &a);
        assert_null(guests_find(&g, "n1"));
        assert_int_equal(g.n_strangers + g.n_members, 0);
}

static void test_many(void **state)
{
        _cleanup_free_ Someone *all = new0(Someone, MANY);
        Addr here = addr("10.0.0.1");
        Guests g = {0};

        assert_non_null(all);
        for (size_t i = 0; i < MANY; i++) {
                /* neither in order nor in its reverse; 7919 is prime */
                (void)snprintf(all[i].node, sizeof(all[i].node), "n%zu", i * 7919 % MANY);
                guests_add(&g, &all[i].guest, &here);
                assert_int_equal(guests_know(&g, &all[i].guest, all[i].node), 0);
        }
        assert_int_equal(g.n_members, MANY);
        for (size_t i = 0; i < MANY; i += 2)
                guests_remove(&g, &all[i].guest);
        for (size_t i = 0; i < MANY; i++)
                assert_ptr_equal(guests_find(&g, all[i].node), i % 2 ? &all[i].guest : NULL);
        size_t n = 0;
        for (const Guest *x = g.members; x; x = x->next)
                n++;
        assert_int_equal(n, MANY / 2);
        assert_int_equal(g.n_members, MANY / 2);
        while (g.members)
                guests_remove(&g, g.members);
        assert_null(g.by_node);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_strangers),
                cmocka_unit_test(test_taken),
                cmocka_unit_test(test_many),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
