/* Scans of pretended heads: what is dropped, refused, rejected with rationed ICMP, and lost. */
#include "test.h"

#include <errno.h>

#include "addr.h"

#include "base/alloc.h"
#include "base/time.h"
#include "model/port-rounds.h"

static const PortSpan plan[] = {{6380, 6388}, {8265, 8265}, {10001, 19999}};

/* A head and the way to it. */
typedef struct World {
        PortState (*behaves)(uint16_t port);
        unsigned loss;    /* per cent of SYNs, and of answers */
        size_t overwhelm; /* SYNs of a round beyond this get no answer */
        bool unrationed;
        uint64_t random;
        /* Linux: six answers at once, then one a second */
        double tokens, now;
        size_t n_tries, n_rounds, n_calm;
} World;

static bool lost(World *w)
{
        w->random = w->random * 6364136223846793005 + 1442695040888963407;
        return (w->random >> 33) % 100 < w->loss;
}

static void pass(World *w, double seconds)
{
        w->now += seconds;
        w->tokens = MIN(w->tokens + seconds, 6.0);
}

static void try_port(World *w, PortRounds *p, uint32_t i, bool calm, bool overwhelmed)
{
        IcmpNote icmp = {.seen = true, .type = 3, .code = 13, .from = A("10.77.2.2")};
        PortState s = w->behaves(p->results[i].port);

        w->n_tries++;
        bool answered = false;
        /* who is tried alone is sent four SYNs in two seconds */
        for (int syn = 0; syn < (calm ? 4 : 1) && !answered; syn++) {
                if (syn > 0)
                        pass(w, 0.6);
                answered = s != PORT_SILENT && !overwhelmed && !lost(w);
                if (answered && s == PORT_REJECTED && !w->unrationed) {
                        answered = w->tokens >= 1;
                        w->tokens -= answered ? 1 : 0;
                }
                answered = answered && !lost(w);
        }
        if (!answered)
                port_rounds_silence(p, i, calm);
        else
                port_rounds_answer(p, i, s, 0, &icmp);
}

/* The whole scan; caller frees the ranges. */
static size_t scan(World *w, const PortSpan *spans, size_t n_spans, PortRange **ret)
{
        _cleanup_port_rounds_ PortRounds p = {0};
        assert_int_equal(port_rounds_init(&p, spans, n_spans), 0);
        _cleanup_free_ uint32_t *targets = new0(uint32_t, p.n);
        size_t n, n_ranges;

        w->tokens = 6;
        for (PortMove m; (m = port_rounds_next(&p, targets, &n)) != PORT_MOVE_END;) {
                assert_in_range(n, 1, p.n);
                if (m == PORT_MOVE_CALM)
                        pass(w, 1.1);
                for (size_t i = 0; i < n; i++)
                        try_port(w, &p, targets[i], m == PORT_MOVE_CALM,
                                 w->overwhelm > 0 && i >= w->overwhelm && !p.flooded);
                pass(w, 0.3);
                *(m == PORT_MOVE_CALM ? &w->n_calm : &w->n_rounds) += 1;
                assert_true(w->n_rounds <= PORT_ROUNDS_MAX && w->n_calm <= PORT_CALM_TRIES_MAX);
        }
        assert_true(port_rounds_settle(&p, false));
        assert_int_equal(port_ranges_fold(p.results, p.n, NULL, ret, &n_ranges), 0);
        return n_ranges;
}

static void assert_ranges(const PortRange *r, size_t n, PortState state, const char *words)
{
        _cleanup_free_ char *s = port_ranges_format(r, n, PORT_MASK(state));
        assert_string_equal(s, words);
}

static PortState all_dropped(uint16_t port)
{
        return PORT_SILENT;
}

static PortState all_closed(uint16_t port)
{
        return PORT_REFUSED;
}

static PortState all_rejected(uint16_t port)
{
        return PORT_REJECTED;
}

static PortState workers_dropped(uint16_t port)
{
        return port >= 10002 ? PORT_SILENT : port == 10001 ? PORT_REFUSED : PORT_OPEN;
}

static PortState workers_rejected(uint16_t port)
{
        return port >= 10002 ? PORT_REJECTED : port == 8265 ? PORT_REFUSED : PORT_OPEN;
}

static PortState one_dropped(uint16_t port)
{
        return port == 6382 ? PORT_SILENT : PORT_REFUSED;
}

static PortState one_open(uint16_t port)
{
        return port == 6381 || port == 12345 ? PORT_OPEN : PORT_REFUSED;
}

static PortState dashboard_dropped_rest_rejected(uint16_t port)
{
        return port == 8265 ? PORT_SILENT : PORT_REJECTED;
}

static PortState half_rejected(uint16_t port)
{
        return port < 10001 ? PORT_OPEN : port < 15000 ? PORT_REJECTED : PORT_SILENT;
}

static PortState odd_rejected(uint16_t port)
{
        return port >= 10001 && port % 2 ? PORT_REJECTED : PORT_REFUSED;
}

static void test_dropped(void **state)
{
        World w = {.behaves = all_dropped};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_int_equal(n, 3);
        assert_ranges(r, n, PORT_SILENT, "6380-6388, 8265, 10001-19999");
        assert_int_equal(w.n_calm, 0);
        assert_in_range(w.n_rounds, 4, 4);
        /* a long run costs a sample, not ten thousand tries a round */
        assert_true(w.n_tries < 10009 + 3 * 64);
}

static void test_closed(void **state)
{
        World w = {.behaves = all_closed};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_ranges(r, n, PORT_REFUSED, "6380-6388, 8265, 10001-19999");
        assert_int_equal(w.n_tries, 10009);
        assert_int_equal(w.n_rounds, 1);
}

static void test_workers_dropped(void **state)
{
        for (unsigned seed = 0; seed < 20; seed++)
                for (unsigned loss = 0; loss <= 5; loss += 5) {
                        World w = {.behaves = workers_dropped, .loss = loss, .random = seed};
                        _cleanup_free_ PortRange *r = NULL;
                        size_t n = scan(&w, plan, 3, &r);

                        assert_ranges(r, n, PORT_SILENT, "10002-19999");
                        assert_ranges(r, n, PORT_OPEN, "6380-6388, 8265");
                        assert_ranges(r, n, PORT_REFUSED, "10001");
                }
}

/* Nothing that is only lost is called blocked. */
static void test_loss(void **state)
{
        for (unsigned seed = 0; seed < 20; seed++)
                for (unsigned loss = 5; loss <= 20; loss += 15) {
                        World w = {.behaves = all_closed, .loss = loss, .random = seed};
                        _cleanup_free_ PortRange *r = NULL;
                        size_t n = scan(&w, plan, 3, &r);

                        if (loss > 5)
                                assert_true(port_ranges_count(r, n, PORT_MASK_BLOCKED) <= 1);
                        else
                                assert_ranges(r, n, PORT_SILENT, "");
                }
}

static void test_one_of_many(void **state)
{
        for (unsigned seed = 0; seed < 20; seed++) {
                World w = {.behaves = one_dropped, .loss = 5, .random = seed};
                _cleanup_free_ PortRange *r = NULL;
                size_t n = scan(&w, plan, 3, &r);
                assert_ranges(r, n, PORT_SILENT, "6382");
        }
        World w = {.behaves = one_open};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);
        assert_ranges(r, n, PORT_OPEN, "6381, 12345");
        assert_ranges(r, n, PORT_SILENT, "");
}

/* The head can answer six ports of ten thousand: all of them are rejected, no mix (probe.md 5.3.7).
 */
static void test_rejected_is_no_mix(void **state)
{
        static PortState (*const heads[])(uint16_t) = {all_rejected, workers_rejected};
        static const char *const words[] = {"6380-6388, 8265, 10001-19999", "10002-19999"};

        for (size_t h = 0; h < ELEMENTSOF(heads); h++)
                for (unsigned seed = 0; seed < 20; seed++)
                        for (unsigned loss = 0; loss <= 5; loss += 5) {
                                World w = {.behaves = heads[h], .loss = loss, .random = seed};
                                _cleanup_free_ PortRange *r = NULL;
                                size_t n = scan(&w, plan, 3, &r);

                                assert_ranges(r, n, PORT_REJECTED, words[h]);
                                assert_ranges(r, n, PORT_SILENT, "");
                                assert_int_equal(r[n - 1].icmp.code, 13);
                                assert_true(r[n - 1].n_told >= 1);
                                assert_true(r[n - 1].n_told <= 20);
                        }
}

static void test_rejected_without_ration(void **state)
{
        World w = {.behaves = workers_rejected, .unrationed = true};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_ranges(r, n, PORT_REJECTED, "10002-19999");
        assert_int_equal(r[n - 1].n_told, 9998);
        assert_int_equal(w.n_rounds, 1);
        assert_int_equal(w.n_calm, 0);
}

/* Silence that is not rationed ICMP is heard in a calm. */
static void test_dropped_beside_rejected(void **state)
{
        World w = {.behaves = dashboard_dropped_rest_rejected};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_ranges(r, n, PORT_SILENT, "8265");
        assert_ranges(r, n, PORT_REJECTED, "6380-6388, 10001-19999");
        assert_int_equal(w.n_calm, 1);
}

static void test_two_kinds_in_one_span(void **state)
{
        World w = {.behaves = half_rejected};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_int_equal(r[n - 1].state, PORT_SILENT);
        assert_int_equal(r[n - 1].last, 19999);
        assert_int_equal(r[n - 2].state, PORT_REJECTED);
        assert_int_equal(r[n - 2].first, 10001);
        /* where one ends and the other begins is known roughly */
        assert_in_range(r[n - 1].first, 14001, 16999);
}

static void test_odd_ports_rejected(void **state)
{
        World w = {.behaves = odd_rejected};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_ranges(r, n, PORT_SILENT, "");
        assert_int_equal(port_ranges_count(r, n, PORT_MASK(PORT_REJECTED)), 5000);
}

/* A burst that is too much for the head or its connection tracking is no firewall. */
static void test_overwhelmed(void **state)
{
        World w = {.behaves = all_closed, .overwhelm = 3000};
        _cleanup_free_ PortRange *r = NULL;
        size_t n = scan(&w, plan, 3, &r);

        assert_ranges(r, n, PORT_SILENT, "");
        assert_int_equal(port_ranges_count(r, n, PORT_MASK(PORT_REFUSED)), 10009);
}

/* Ended too soon: one lost SYN is no firewall, a thousand are. */
static void test_cut(void **state)
{
        _cleanup_port_rounds_ PortRounds p = {0};
        assert_int_equal(port_rounds_init(&p, plan, 3), 0);
        _cleanup_free_ uint32_t *targets = new0(uint32_t, p.n);
        size_t n;

        assert_int_equal(port_rounds_next(&p, targets, &n), PORT_MOVE_ROUND);
        for (size_t i = 0; i < n; i++) {
                uint16_t port = p.results[targets[i]].port;
                if (port == 8265 || (port > 12000 && port < 15000))
                        port_rounds_silence(&p, targets[i], false);
                else if (port <= 18000)
                        port_rounds_answer(&p, targets[i], PORT_REFUSED, 0, NULL);
        }
        assert_false(port_rounds_settle(&p, true));
        _cleanup_free_ PortRange *r = NULL;
        assert_int_equal(port_ranges_fold(p.results, p.n, NULL, &r, &n), 0);
        assert_ranges(r, n, PORT_SILENT, "12001-14999");
        assert_ranges(r, n, PORT_UNKNOWN, "8265, 18001-19999");
}

/* The first ports tried are those that say most: the ends, then far apart. */
static void test_first_round(void **state)
{
        _cleanup_port_rounds_ PortRounds p = {0};
        assert_int_equal(port_rounds_init(&p, plan, 3), 0);
        _cleanup_free_ uint32_t *targets = new0(uint32_t, p.n);
        _cleanup_free_ bool *seen = new0(bool, p.n);
        static const uint16_t first[] = {6380, 8265, 10001, 6388, 19999};
        size_t n;

        assert_int_equal(port_rounds_next(&p, targets, &n), PORT_MOVE_ROUND);
        assert_int_equal(n, p.n);
        for (size_t i = 0; i < ELEMENTSOF(first); i++)
                assert_int_equal(p.results[targets[i]].port, first[i]);
        for (size_t i = 0; i < n; i++) {
                assert_false(seen[targets[i]]);
                seen[targets[i]] = true;
        }
}

static void test_bad_spans(void **state)
{
        PortRounds p = {0};
        assert_int_equal(port_rounds_init(&p, NULL, 0), -EINVAL);
        assert_int_equal(port_rounds_init(&p, &(PortSpan){0, 5}, 1), -EINVAL);
        assert_int_equal(port_rounds_init(&p, &(PortSpan){6, 5}, 1), -EINVAL);
        assert_int_equal(port_rounds_init(&p, (PortSpan[]){{5, 9}, {9, 10}}, 2), -EINVAL);
        assert_int_equal(port_rounds_init(&p, &(PortSpan){1, 65535}, 1), 0);
        assert_int_equal(p.n, 65535);
        port_rounds_done(&p);
}

/* All ports there are, every second one rejected: bounded time. */
static void test_all_ports(void **state)
{
        World w = {.behaves = odd_rejected};
        _cleanup_free_ PortRange *r = NULL;
        usec_t begin = now_mono();
        (void)scan(&w, &(PortSpan){1, 65535}, 1, &r);
        assert_true(usec_sub(now_mono(), begin) < 5 * USEC_PER_SEC);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_dropped),
                cmocka_unit_test(test_closed),
                cmocka_unit_test(test_workers_dropped),
                cmocka_unit_test(test_loss),
                cmocka_unit_test(test_one_of_many),
                cmocka_unit_test(test_rejected_is_no_mix),
                cmocka_unit_test(test_rejected_without_ration),
                cmocka_unit_test(test_dropped_beside_rejected),
                cmocka_unit_test(test_two_kinds_in_one_span),
                cmocka_unit_test(test_odd_ports_rejected),
                cmocka_unit_test(test_overwhelmed),
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_first_round),
                cmocka_unit_test(test_bad_spans),
                cmocka_unit_test(test_all_ports),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
