/* Ports folded into ranges, and which of them are tried. */
#include "test.h"

#include "addr.h"
#include "port-plan.h"

#include "base/alloc.h"

static PortResult result(uint16_t port, PortState state)
{
        return (PortResult){.port = port, .state = state};
}

static PortResult rejected(uint16_t port, uint8_t code, const char *from, bool told)
{
        return (PortResult){.port = port,
                            .state = PORT_REJECTED,
                            .icmp = {.seen = true, .type = 3, .code = code, .from = A(from)},
                            .told = told};
}

static void assert_words(const PortRange *r, size_t n, unsigned mask, const char *words)
{
        _cleanup_free_ char *s = port_ranges_format(r, n, mask);
        assert_non_null(s);
        assert_string_equal(s, words);
}

static void assert_list(const PortRange *r, size_t n, unsigned mask, const char *words)
{
        _cleanup_free_ char *s = port_ranges_list(r, n, mask);
        assert_non_null(s);
        assert_string_equal(s, words);
}

static void test_fold(void **state)
{
        PortResult r[] = {
                result(10003, PORT_SILENT),  result(6379, PORT_OPEN),
                result(6381, PORT_REFUSED),  result(10002, PORT_SILENT),
                result(6380, PORT_OPEN),     result(10004, PORT_REFUSED),
                result(10004, PORT_REFUSED), result(65535, PORT_SILENT),
        };
        _cleanup_free_ PortRange *f = NULL;
        size_t n;

        assert_int_equal(port_ranges_fold(r, ELEMENTSOF(r), NULL, &f, &n), 0);
        assert_int_equal(n, 5);
        assert_int_equal(f[0].first, 6379);
        assert_int_equal(f[0].last, 6380);
        assert_int_equal(f[0].state, PORT_OPEN);
        assert_int_equal(f[0].n_tried, 2);
        assert_words(f, n, PORT_MASK_BLOCKED, "10002-10003, 65535");
        assert_words(f, n, PORT_MASK(PORT_REFUSED), "6381, 10004");
        assert_words(f, n, PORT_MASK(PORT_REFUSED) | PORT_MASK(PORT_OPEN), "6379-6381, 10004");
        assert_words(f, n, PORT_MASK(PORT_FAILED), "");
        assert_list(f, n, PORT_MASK_BLOCKED, "10002-10003,65535");
        assert_int_equal(port_ranges_count(f, n, PORT_MASK_BLOCKED), 3);
}

static void test_fold_nothing(void **state)
{
        PortRange *f = (PortRange *)1;
        size_t n = 9;

        assert_int_equal(port_ranges_fold(NULL, 0, NULL, &f, &n), 0);
        assert_null(f);
        assert_int_equal(n, 0);
        assert_words(NULL, 0, PORT_MASK_BLOCKED, "");
        assert_list(NULL, 0, PORT_MASK_BLOCKED, "");
}

/* One range for each sender, each code, each errno; but not for each port that was answered. */
static void test_fold_tells_apart(void **state)
{
        PortResult r[] = {
                rejected(1, 13, "10.77.2.2", true),
                rejected(2, 13, "10.77.2.2", false),
                rejected(3, 13, "10.77.2.2", true),
                rejected(4, 3, "10.77.2.2", true),
                rejected(5, 3, "10.77.1.1", true),
                {.port = 6, .state = PORT_FAILED, .error = 1},
                {.port = 7, .state = PORT_FAILED, .error = 13},
        };
        _cleanup_free_ PortRange *f = NULL;
        size_t n;

        assert_int_equal(port_ranges_fold(r, ELEMENTSOF(r), NULL, &f, &n), 0);
        assert_int_equal(n, 5);
        assert_int_equal(f[0].last, 3);
        assert_int_equal(f[0].n_tried, 3);
        assert_int_equal(f[0].n_told, 2);
        assert_int_equal(f[1].icmp.code, 3);
        assert_true(f[1].icmp.seen);
        assert_int_equal(f[3].error, 1);
        assert_words(f, n, PORT_MASK_BLOCKED, "1-7");
}

static void test_fold_sample(void **state)
{
        const PortSpan workers = {10002, 19999};
        PortResult r[] = {
                result(6385, PORT_SILENT),   result(10002, PORT_SILENT),
                result(12000, PORT_SILENT),  result(15000, PORT_SILENT),
                result(18000, PORT_REFUSED), result(19999, PORT_REFUSED),
        };
        _cleanup_free_ PortRange *f = NULL;
        size_t n;

        assert_int_equal(port_ranges_fold(r, ELEMENTSOF(r), &workers, &f, &n), 0);
        assert_int_equal(n, 3);
        assert_words(f, n, PORT_MASK_BLOCKED, "6385, 10002-15000");
        assert_int_equal(f[1].n_tried, 3);
        assert_int_equal(f[2].first, 18000);
        assert_int_equal(f[2].last, 19999);
}

/* Every second port blocked: the text stays short, the list stays what a firewall takes. */
static void test_words_are_bounded(void **state)
{
        PortResult r[5000];
        _cleanup_free_ PortRange *f = NULL;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                r[i] = result((uint16_t)(10000 + i), i % 2 ? PORT_REFUSED : PORT_SILENT);
        assert_int_equal(port_ranges_fold(r, ELEMENTSOF(r), NULL, &f, &n), 0);
        assert_int_equal(n, 5000);
        assert_words(f, n, PORT_MASK_BLOCKED,
                     "10000, 10002, 10004, 10006, 10008, 10010 and 2494 more");
        _cleanup_free_ char *list = port_ranges_list(f, n, PORT_MASK_BLOCKED);
        assert_non_null(list);
        size_t members = 1;
        for (const char *p = list; *p; p++)
                members += *p == ',';
        assert_int_equal(members, PORT_LIST_MAX);
        assert_memory_equal(list, "10000", 5);
        assert_non_null(strstr(list, "14998"));
}

/* What has the least between it is joined first. */
static void test_list_joins_the_nearest(void **state)
{
        PortResult r[PORT_LIST_MAX + 1];
        _cleanup_free_ PortRange *f = NULL;
        size_t n;

        for (size_t i = 0; i < ELEMENTSOF(r); i++)
                r[i] = result((uint16_t)(1000 + 100 * i), PORT_SILENT);
        r[7].port = 1602;
        assert_int_equal(port_ranges_fold(r, ELEMENTSOF(r), NULL, &f, &n), 0);
        assert_list(f, n, PORT_MASK_BLOCKED,
                    "1000,1100,1200,1300,1400,1500,1600-1602,1800,1900,2000,2100,2200,2300,2400");
}

static void test_back(void **state)
{
        static const struct {
                BackResult result;
                PortState state;
        } rows[] = {
                {BACK_NONCE_OK, PORT_OPEN},     {BACK_WRONG_NONCE, PORT_OPEN},
                {BACK_OPEN, PORT_OPEN},         {BACK_REFUSED, PORT_REFUSED},
                {BACK_REJECTED, PORT_REJECTED}, {BACK_SILENT, PORT_SILENT},
                {BACK_NO_WAY, PORT_FAILED},
        };
        assert_int_equal(ELEMENTSOF(rows), _BACK_RESULT_MAX - 1);
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Reflection r = {.n_back = 2};
                r.back[0] = (BackTry){.addr = A("10.77.1.2"), .result = rows[i].result};
                r.back[0].addr.port = 6380;
                r.back[1] = (BackTry){.addr = A("10.77.3.2"), .result = BACK_SILENT};
                r.back[1].addr.port = 6380;
                Addr to = A("10.77.1.2");
                _cleanup_free_ PortRange *f = NULL;
                size_t n;

                assert_int_equal(port_ranges_of_back(&r, &to, NULL, &f, &n), 0);
                assert_int_equal(n, 1);
                assert_int_equal(f[0].state, rows[i].state);
                assert_int_equal(f[0].first, 6380);
        }
}

static void test_back_ranges(void **state)
{
        const PortSpan workers = {10002, 19999};
        Addr to = A("10.77.1.2");
        Reflection r = {.n_back = 3};
        _cleanup_free_ PortRange *f = NULL;
        size_t n;

        r.back[0] = (BackTry){.addr = to, .result = BACK_REFUSED, .last_port = 19999};
        r.back[0].addr.port = 15000;
        r.back[1] = (BackTry){.addr = to, .result = BACK_SILENT, .last_port = 14999};
        r.back[1].addr.port = 10002;
        r.back[2] = (BackTry){.addr = to, .result = BACK_SILENT};
        r.back[2].addr.port = 6380;
        assert_int_equal(port_ranges_of_back(&r, &to, &workers, &f, &n), 0);
        assert_int_equal(n, 3);
        assert_words(f, n, PORT_MASK_BLOCKED, "6380, 10002-14999");
        assert_int_equal(f[1].last, 14999);

        Addr other = A("10.77.9.9");
        PortRange *none = NULL;
        assert_int_equal(port_ranges_of_back(&r, &other, NULL, &none, &n), 0);
        assert_null(none);
}

static void test_plan_spans(void **state)
{
        PortSpan s[PORT_PLAN_SPANS_MAX];
        size_t n = port_plan_spans(&plan, ROLE_HEAD, s);

        assert_int_equal(n, 3);
        assert_int_equal(s[0].first, 6379);
        assert_int_equal(s[0].last, 6388);
        assert_int_equal(s[1].first, 8265);
        assert_int_equal(s[2].first, 10001);
        assert_int_equal(s[2].last, 19999);
        assert_int_equal(port_spans_count(s, n), 10 + 1 + 9999);

        n = port_plan_spans(&plan, ROLE_WORKER, s);
        assert_int_equal(n, 2);
        assert_int_equal(s[0].first, 6380);
        assert_int_equal(s[0].last, 6385);
        assert_int_equal(s[1].first, 10002);

        PortPlan odd = {.gcs = 6379, .node_manager = 6379, .worker_first = 1, .worker_last = 65535};
        n = port_plan_spans(&odd, ROLE_HEAD, s);
        assert_int_equal(n, 1);
        assert_int_equal(port_spans_count(s, n), 65535);
}

static void test_plan_use(void **state)
{
        assert_string_equal(port_plan_use(&plan, 6379), "GCS");
        assert_string_equal(port_plan_use(&plan, 6381), "object manager");
        assert_string_equal(port_plan_use(&plan, 10001), "Ray Client");
        assert_string_equal(port_plan_use(&plan, 10002), "worker processes");
        assert_string_equal(port_plan_use(&plan, 19999), "worker processes");
        assert_null(port_plan_use(&plan, 20000));
        assert_null(port_plan_use(&(PortPlan){0}, 0));
}

static void test_plan_back(void **state)
{
        uint16_t a[BACK_PORTS_MAX], b[BACK_PORTS_MAX];
        size_t n = plan_back_ports(&plan, 1, a);

        assert_int_equal(n, 6 + BACK_SAMPLE);
        for (size_t i = 0; i < 6; i++)
                assert_int_equal(a[i], 6380 + i);
        assert_int_equal(a[6], 10002);
        assert_int_equal(a[n - 1], 19999);
        for (size_t i = 1; i < n; i++)
                assert_true(a[i] > a[i - 1]);
        /* no part of the range is left out */
        for (size_t i = 7; i < n; i++)
                assert_true(a[i] - a[i - 1] <= 2 * 9998 / BACK_SAMPLE + 1);
        assert_int_equal(plan_back_ports(&plan, 1, b), n);
        assert_memory_equal(a, b, n * sizeof(*a));
        assert_int_equal(plan_back_ports(&plan, 2, b), n);
        assert_memory_not_equal(a, b, n * sizeof(*a));

        PortPlan few = {.node_manager = 7, .worker_first = 5, .worker_last = 9};
        n = plan_back_ports(&few, 3, a);
        assert_int_equal(n, 5);
        for (size_t i = 0; i < n; i++)
                assert_int_equal(a[i], 5 + i);

        PortPlan one = {.worker_first = 65535, .worker_last = 65535};
        assert_int_equal(plan_back_ports(&one, 3, a), 1);
        assert_int_equal(a[0], 65535);
        assert_int_equal(plan_back_ports(&(PortPlan){0}, 3, a), 0);
}

static void test_names(void **state)
{
        for (PortState s = 0; s < _PORT_STATE_MAX; s++) {
                assert_non_null(port_state_to_string(s));
                assert_int_equal(port_state_from_string(port_state_to_string(s)), s);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_fold),
                cmocka_unit_test(test_fold_nothing),
                cmocka_unit_test(test_fold_tells_apart),
                cmocka_unit_test(test_fold_sample),
                cmocka_unit_test(test_words_are_bounded),
                cmocka_unit_test(test_list_joins_the_nearest),
                cmocka_unit_test(test_back),
                cmocka_unit_test(test_back_ranges),
                cmocka_unit_test(test_plan_spans),
                cmocka_unit_test(test_plan_use),
                cmocka_unit_test(test_plan_back),
                cmocka_unit_test(test_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
