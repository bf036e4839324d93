/* Where a member's head is: what proves it, what ends it, what is kept. */
#include "member-world.h"

#include "member/confirmed.h"

typedef struct Place {
        Authority *authority; /* of a head at 10.0.0.1 */
        char dir[32];
        Confirmed *confirmed;
} Place;

static Addr control(const char *address)
{
        Addr a = member_addr(address);

        a.port = 6388;
        return a;
}

static int setup(void **state)
{
        Place *p = new0(Place, 1);

        strcpy(p->dir, "/tmp/test-confirmed.XXXXXX");
        assert_non_null(mkdtemp(p->dir));
        p->authority = authority_at(p->dir, now_real(), "10.0.0.1");
        assert_int_equal(confirmed_new(p->dir, &p->confirmed), 0);
        *state = p;
        return 0;
}

static int teardown(void **state)
{
        Place *p = *state;
        _cleanup_free_ char *cmd = str_printf("rm -r %s", p->dir);

        confirmed_free(p->confirmed);
        authority_free(p->authority);
        assert_int_equal(system(cmd), 0);
        free(p);
        return 0;
}

static void start_again(Place *p)
{
        confirmed_free(p->confirmed);
        assert_int_equal(confirmed_new(p->dir, &p->confirmed), 0);
}

static int prove(Place *p, const char *address)
{
        Addr at = control(address);

        return confirmed_prove(p->confirmed, &at, authority_own(p->authority));
}

static bool miss(Place *p, const char *address, bool stranger)
{
        Addr at = control(address);

        return confirmed_miss(p->confirmed, &at, stranger);
}

static bool is_at(const Addr *at, const char *address)
{
        Addr want = control(address);

        return at && addr_equal(at, &want) && at->port == 6388;
}

static void test_prove(void **state)
{
        Place *p = *state;
        Addr at = control("10.0.0.1");

        assert_null(confirmed_addr(p->confirmed));
        /* an address that the certificate does not name proves nothing, and changes nothing */
        assert_int_equal(prove(p, "10.0.0.9"), 0);
        assert_null(confirmed_addr(p->confirmed));
        assert_int_equal(prove(p, "10.0.0.1"), 1);
        assert_true(is_at(confirmed_addr(p->confirmed), "10.0.0.1"));
        assert_int_equal(prove(p, "10.0.0.9"), 0);
        assert_true(is_at(confirmed_addr(p->confirmed), "10.0.0.1"));
        assert_int_equal(confirmed_prove(p->confirmed, &at, NULL), 0);
        /* nobody comes in between on the way to oneself */
        assert_int_equal(prove(p, "127.0.0.1"), 1);
        assert_true(is_at(confirmed_addr(p->confirmed), "127.0.0.1"));
}

static void test_kept(void **state)
{
        Place *p = *state;

        assert_int_equal(prove(p, "10.0.0.1"), 1);
        start_again(p);
        /* first it is asked who is there now */
        assert_null(confirmed_addr(p->confirmed));
        assert_true(is_at(confirmed_last(p->confirmed), "10.0.0.1"));
        assert_false(miss(p, "10.0.0.9", false));
        assert_null(confirmed_addr(p->confirmed));
        assert_true(miss(p, "10.0.0.1", false));
        assert_true(is_at(confirmed_addr(p->confirmed), "10.0.0.1"));
        assert_false(miss(p, "10.0.0.1", false));
}

static void test_stranger(void **state)
{
        Place *p = *state;

        assert_int_equal(prove(p, "10.0.0.1"), 1);
        assert_false(miss(p, "10.0.0.9", true));
        assert_true(miss(p, "10.0.0.1", true));
        assert_null(confirmed_addr(p->confirmed));
        start_again(p);
        assert_null(confirmed_last(p->confirmed));

        /* the same before it was asked */
        assert_int_equal(prove(p, "10.0.0.1"), 1);
        start_again(p);
        assert_false(miss(p, "10.0.0.1", true));
        assert_null(confirmed_last(p->confirmed));
        assert_false(miss(p, "10.0.0.1", false));
        assert_null(confirmed_addr(p->confirmed));
}

static void test_file(void **state)
{
        static const char *const bad[] = {"", "10.0.0.1", "nonsense\n", "10.0.0.1:0\n",
                                          "10.0.0.1:6388 and more\n"};
        Place *p = *state;
        _cleanup_free_ char *path = path_join(p->dir, "confirmed-head");

        for (size_t i = 0; i < ELEMENTSOF(bad); i++) {
                assert_int_equal(write_file_atomic(path, bad[i], strlen(bad[i]), 0600, (gid_t)-1),
                                 0);
                start_again(p);
                assert_null(confirmed_last(p->confirmed));
        }
        assert_int_equal(prove(p, "10.0.0.1"), 1);
        confirmed_forget(p->confirmed);
        assert_null(confirmed_addr(p->confirmed));
        assert_int_equal(access(path, F_OK), -1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(test_prove, setup, teardown),
                cmocka_unit_test_setup_teardown(test_kept, setup, teardown),
                cmocka_unit_test_setup_teardown(test_stranger, setup, teardown),
                cmocka_unit_test_setup_teardown(test_file, setup, teardown),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
