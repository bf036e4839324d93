/* Who may still try a proof: by source, and all together. */
#include "test.h"

#include <stdio.h>

#include "model/guard.h"

#define SEC USEC_PER_SEC

static Addr A(const char *s)
{
        Addr a;
        assert_int_equal(addr_parse(s, &a), 0);
        return a;
}

static void test_pause_doubles(void **state)
{
        static Guard g;
        Addr a = A("10.0.0.1"), b = A("10.0.0.2");
        usec_t now = 1000 * SEC, pause = GUARD_PAUSE;

        for (unsigned i = 1; i < GUARD_FREE; i++)
                assert_true(guard_wrong(&g, &a, now) == 0);
        assert_true(guard_wait(&g, &a, now) == 0);
        for (unsigned i = 0; i < 12; i++) {
                assert_true(guard_wrong(&g, &a, now) == pause);
                assert_true(guard_wait(&g, &a, now + SEC) == pause - SEC);
                assert_true(guard_wait(&g, &b, now) == 0);
                now += pause;
                assert_true(guard_wait(&g, &a, now) == 0);
                pause = MIN(2 * pause, GUARD_LONGEST);
        }
        assert_true(pause == GUARD_LONGEST);
        guard_right(&g, &a);
        guard_right(&g, &b);
        assert_true(guard_wrong(&g, &a, now) == 0);
}

static void test_sources(void **state)
{
        static Guard g;
        Addr a = A("2001:db8:1::1"), same = A("2001:db8:1::ffff"), other = A("2001:db8:1:1::1");

        for (unsigned i = 0; i < GUARD_FREE; i++)
                (void)guard_wrong(&g, &a, SEC);
        assert_true(guard_wait(&g, &same, SEC) == GUARD_PAUSE);
        assert_true(guard_wait(&g, &other, SEC) == 0);
}

/* Many addresses: nothing grows, and the flood as a whole is slowed down. */
static void test_flood(void **state)
{
        static Guard g;
        Addr quiet = A("10.9.9.9"), locked = A("10.8.8.8");
        char text[ADDR_MAX];
        usec_t now = 1000 * SEC;

        for (unsigned i = 0; i < GUARD_FREE; i++)
                (void)guard_wrong(&g, &locked, now);
        for (unsigned i = 0; i < GUARD_ALL - GUARD_FREE; i++) {
                (void)snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, i % 250);
                Addr a = A(text);
                assert_true(guard_wait(&g, &a, now) == 0);
                (void)guard_wrong(&g, &a, now);
        }
        assert_true(guard_wait(&g, &quiet, now) == USEC_PER_MIN);
        assert_true(guard_wait(&g, &quiet, now + USEC_PER_MIN) == 0);
        now += USEC_PER_MIN; /* and the next minute counts anew */
        assert_true(guard_wrong(&g, &quiet, now) == 0);
        assert_true(guard_wait(&g, &quiet, now) == 0);
        for (unsigned i = 0; i < 2 * GUARD_SOURCES; i++) {
                (void)snprintf(text, sizeof(text), "10.2.%u.%u", i / 250, i % 250);
                Addr a = A(text);
                (void)guard_wrong(&g, &a, now + i);
        }
        /* whoever was forgotten for them gains nothing by it */
        assert_true(guard_wait(&g, &locked, now + 600) > 0);
        assert_true(guard_wait(&g, &quiet, now + 600) > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pause_doubles),
                cmocka_unit_test(test_sources),
                cmocka_unit_test(test_flood),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
