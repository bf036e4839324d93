/* The other ports of a head whose GCS serves: blocked ranges and one cause. */
#include "test.h"

#include <errno.h>
#include <stdio.h>

#include "evidence.h"
#include "port-plan.h"

#include "base/alloc.h"
#include "probe/judge.h"

/* A head whose GCS serves a worker behind a router. */
static Evidence serving(const PortsFacts *f)
{
        Evidence e = far();
        e.all = true;
        e.ports = f;
        e.tcp.outcome = CONNECT_ESTABLISHED;
        e.tcp.local = A("10.77.1.2");
        e.hello = (HelloFacts){.asked = true, .kind = SERVICE_GRPC, .stream_known = true};
        e.alive.outcome = ALIVE_OK;
        strcpy(e.head.ray, "2.60.0");
        return e;
}

static PortRange range(uint16_t first, uint16_t last, PortState state)
{
        return (PortRange){
                .first = first,
                .last = last,
                .state = state,
                .n_tried = (unsigned)(last - first) + 1,
        };
}

static PortRange rejected(uint16_t first, uint16_t last, uint8_t code, const char *from)
{
        PortRange r = range(first, last, PORT_REJECTED);
        r.icmp = (IcmpNote){.seen = true, .type = 3, .code = code, .from = A(from)};
        r.n_told = MIN(r.n_tried, 7U);
        return r;
}

static PortsFacts facts(PortRange *ranges, size_t n)
{
        return (PortsFacts){.plan = plan, .ranges = ranges, .n = n, .complete = true};
}

static void expect(const Evidence *e, Verdict v, ProbeConfidence c, ProbePlace p)
{
        Judgement j;
        judge(e, &j);
        assert_string_equal(verdict_to_string(j.verdict), verdict_to_string(v));
        assert_int_equal(j.confidence, c);
        assert_int_equal(j.place, p);
}

static void said(const Evidence *e, const char *sentence, const char *because, const char *hint)
{
        Judgement j;
        judge(e, &j);
        _cleanup_free_ char *s = text_sentence(e, &j), *b = text_because(e, &j),
                            *h = text_hint(e, &j);
        assert_true(s && b && h);
        assert_string_equal(s, sentence);
        if (!strstr(b, because))
                assert_string_equal(b, because);
        if (!strstr(h, hint))
                assert_string_equal(h, hint);
}

static void test_good(void **state)
{
        PortRange r[] = {range(6379, 6385, PORT_OPEN), range(6386, 6388, PORT_REFUSED),
                         range(8265, 8265, PORT_REFUSED), range(10001, 10001, PORT_OPEN),
                         range(10002, 19999, PORT_REFUSED)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        f.table = true;
        expect(&e, VERDICT_OK, PROBE_PROVEN, PROBE_PLACE_HEAD);
        said(&e,
             "head compute04 (10.77.2.2) serves Ray 2.60.0 on port 6379, and the way to all 10010 "
             "ports that it uses is open",
             "of 10010 ports 8 are open; 10002 refuse (nobody listens, the way is open)", "");
}

static void test_silent(void **state)
{
        PortRange r[] = {range(6379, 6388, PORT_OPEN), range(8265, 8265, PORT_OPEN),
                         range(10001, 19999, PORT_SILENT)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        expect(&e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_PLACE_HEAD);
        said(&e,
             "head compute04 (10.77.2.2) serves, but its ports 10001-19999 stay silent: a firewall "
             "there or on the way drops what is sent to them",
             "10001-19999: silence",
             "on compute04, as root: firewall-cmd --permanent --add-service=raycluster-head");

        /* one port, by its name; not in a profile of raycluster's: the port itself is opened */
        f.plan.object_manager = 7001;
        r[0] = range(7001, 7001, PORT_SILENT);
        r[2] = range(10001, 19999, PORT_REFUSED);
        said(&e,
             "head compute04 (10.77.2.2) serves, but its port 7001 (object manager) stays silent: "
             "a firewall there or on the way drops what is sent to them",
             "7001: silence", "--add-port=7001/tcp");
}

static void test_rejected(void **state)
{
        static const struct {
                uint8_t code;
                const char *from;
                Verdict v;
                ProbeConfidence c;
                ProbePlace p;
        } rows[] = {
                {13, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN, PROBE_PLACE_HEAD},
                {10, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN, PROBE_PLACE_HEAD},
                {0, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN, PROBE_PLACE_HEAD},
                {1, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN, PROBE_PLACE_HEAD},
                {3, "10.77.2.2", VERDICT_REFUSED_BY_FIREWALL, PROBE_PROVEN, PROBE_PLACE_HEAD},
                {3, "10.77.1.1", VERDICT_REFUSED_BY_FIREWALL, PROBE_PROVEN, PROBE_PLACE_ROUTER},
                {13, "10.77.1.1", VERDICT_REJECTED_ON_PATH, PROBE_PROVEN, PROBE_PLACE_ROUTER},
                {0, "10.77.1.1", VERDICT_REJECTED_ON_PATH, PROBE_PROVEN, PROBE_PLACE_ROUTER},
                {1, "10.77.1.1", VERDICT_REJECTED_ON_PATH, PROBE_LIKELY, PROBE_PLACE_ROUTER},
                {13, "10.77.1.2", VERDICT_LOCAL_FIREWALL, PROBE_PROVEN, PROBE_PLACE_HERE},
                {3, "10.77.1.2", VERDICT_LOCAL_FIREWALL, PROBE_PROVEN, PROBE_PLACE_HERE},
                {99, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_LIKELY, PROBE_PLACE_HEAD},
                /* our own kernel found no neighbour: the head went away, no firewall did that */
                {1, "10.77.1.2", VERDICT_OK, PROBE_PROVEN, PROBE_PLACE_HEAD},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                PortRange r[] = {range(6379, 6388, PORT_OPEN),
                                 rejected(10002, 19999, rows[i].code, rows[i].from)};
                PortsFacts f = facts(r, ELEMENTSOF(r));
                Evidence e = serving(&f);
                expect(&e, rows[i].v, rows[i].c, rows[i].p);
        }
}

static void test_rejected_words(void **state)
{
        PortRange r[] = {range(6379, 6379, PORT_OPEN), rejected(6380, 6388, 13, "10.77.2.2"),
                         rejected(8265, 8265, 13, "10.77.2.2"),
                         rejected(10001, 19999, 13, "10.77.2.2")};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        said(&e,
             "head compute04 (10.77.2.2) serves, but its firewall rejects ports 6380-6388, 8265, "
             "10001-19999",
             "6380-6388, 8265, 10001-19999: ICMP admin-prohibited from 10.77.2.2, told for 15 of "
             "10009 (ICMP is rationed)",
             "ufw allow 'Ray head'");
        e.other.answered = true;
        e.other.firewall = FIREWALL_NFTABLES;
        said(&e,
             "head compute04 (10.77.2.2) serves, but its firewall rejects ports 6380-6388, 8265, "
             "10001-19999",
             "", "tcp dport '{ 6380-6388,8265,10001-19999 }' accept");

        e.other.answered = false;
        for (size_t i = 1; i < ELEMENTSOF(r); i++)
                r[i].icmp.from = A("10.77.1.1");
        said(&e,
             "head compute04 (10.77.2.2) serves, but router 10.77.1.1 forbids the way to its ports "
             "6380-6388, 8265, 10001-19999",
             "from 10.77.1.1",
             "on router 10.77.1.1: allow TCP ports 6380-6388,8265,10001-19999 to 10.77.2.2");
}

static void test_own_firewall(void **state)
{
        PortRange r[] = {range(6379, 6388, PORT_OPEN), range(10002, 19999, PORT_SILENT)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        f.retrans_known = true;
        f.retrans = 8;
        f.retrans_fail = 7; /* others' may be among them: fewer than ours is no proof */
        expect(&e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_PLACE_HEAD);
        f.retrans_fail = 8;
        expect(&e, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY, PROBE_PLACE_HERE);
        f.udp_forbidden = true;
        expect(&e, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN, PROBE_PLACE_HERE);
        e.keepers.firewall = FIREWALL_UFW;
        said(&e,
             "this machine's own firewall blocks the way to ports 10002-19999 of head compute04 "
             "(10.77.2.2)",
             "all 8 repeated SYNs failed inside this machine",
             "here, as root: ufw allow out to 10.77.2.2 port 10002:19999 proto tcp");

        r[1].state = PORT_FAILED;
        r[1].error = EPERM;
        f.retrans_known = f.udp_forbidden = false;
        expect(&e, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN, PROBE_PLACE_HERE);
        r[1].error = EHOSTUNREACH; /* says nothing of ports */
        expect(&e, VERDICT_OK, PROBE_PROVEN, PROBE_PLACE_HEAD);
}

/* Several causes: the one with the most ports; the facts have all of them. */
static void test_one_cause(void **state)
{
        PortRange r[] = {range(6379, 6379, PORT_OPEN), rejected(6380, 6388, 13, "10.77.1.1"),
                         range(8265, 8265, PORT_SILENT), rejected(10001, 19999, 3, "10.77.2.2")};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        expect(&e, VERDICT_REFUSED_BY_FIREWALL, PROBE_PROVEN, PROBE_PLACE_HEAD);
        said(&e,
             "head compute04 (10.77.2.2) serves, but a firewall at the head itself refuses its "
             "ports 10001-19999: blocked, not closed",
             "6380-6388: ICMP admin-prohibited from 10.77.1.1, told for 7 of 9 (ICMP is rationed); "
             "8265: silence; 10001-19999: ICMP port-unreachable from 10.77.2.2, told for 7 of 9999",
             "raycluster-head");
}

/* A firewall of riddles: as many causes as a list has places, and more. */
static void test_many_causes(void **state)
{
        PortRange r[40];
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);
        char from[16];

        for (unsigned i = 0; i < ELEMENTSOF(r); i++) {
                (void)snprintf(from, sizeof(from), "10.77.3.%u", i);
                r[i] = rejected((uint16_t)(10002 + 10 * i), (uint16_t)(10003 + 10 * i), 13, from);
        }
        expect(&e, VERDICT_REJECTED_ON_PATH, PROBE_PROVEN, PROBE_PLACE_ROUTER);
        Judgement j;
        judge(&e, &j);
        _cleanup_free_ char *b = text_because(&e, &j);
        assert_non_null(b);
        assert_true(strlen(b) < 1000);
}

static void test_dashboard(void **state)
{
        PortRange r[] = {range(6379, 6388, PORT_OPEN), range(8265, 8265, PORT_SILENT)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        expect(&e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_PLACE_HEAD);
        f.dashboard_local = true;
        expect(&e, VERDICT_OK, PROBE_PROVEN, PROBE_PLACE_HEAD);
}

static void test_announced_and_refused(void **state)
{
        PortRange r[] = {range(6379, 6380, PORT_OPEN), range(6381, 6388, PORT_REFUSED)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        /* of the plan alone nothing is to be expected */
        expect(&e, VERDICT_OK, PROBE_PROVEN, PROBE_PLACE_HEAD);
        f.table = true;
        expect(&e, VERDICT_PORT_CLOSED, PROBE_LIKELY, PROBE_PLACE_HEAD);
        said(&e,
             "head compute04 (10.77.2.2) announces port 6381 (object manager) and refuses it: its "
             "raylet is gone, or a firewall there answers with resets",
             "8 refuse", "on compute04: systemctl status ray-head");
        r[0].state = PORT_REFUSED;
        said(&e,
             "head compute04 (10.77.2.2) announces port 6380 (node manager) and refuses it: its "
             "raylet is gone, or a firewall there answers with resets",
             "", "");
}

static void test_incomplete(void **state)
{
        PortRange r[] = {range(6379, 6388, PORT_OPEN), range(10002, 19999, PORT_UNKNOWN)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);
        _cleanup_strv_free_ char **missing = NULL;
        Judgement j;

        f.table_silent = true; /* all of them, but are they Ray's? */
        r[1].state = PORT_REFUSED;
        expect(&e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, PROBE_PLACE_UNKNOWN);
        said(&e,
             "head compute04 (10.77.2.2) serves on port 6379, and no port of the configuration is "
             "blocked; its node table, which may say others, did not come in time",
             "", "");
        r[1].state = PORT_UNKNOWN;
        f.table_silent = false;
        f.complete = false;
        expect(&e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, PROBE_PLACE_UNKNOWN);
        said(&e,
             "head compute04 (10.77.2.2) serves on port 6379; not all of its other ports could be "
             "tried in the time allowed",
             "", "--deadline");
        judge(&e, &j);
        assert_int_equal(text_missing(&e, &j, &missing), 0);
        assert_true(strv_contains(
                missing, "whether the way to ports 10002-19999 is open: a longer deadline"));
        f.trouble = EADDRNOTAVAIL;
        said(&e,
             "head compute04 (10.77.2.2) serves on port 6379; not all of its other ports could be "
             "tried",
             "sockets ran out here", "ulimit -n");
        /* what was found blocked until then is not less blocked */
        r[0] = range(6379, 6388, PORT_SILENT);
        expect(&e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_PLACE_HEAD);
        /* asked for, and the time was over before */
        e.ports = NULL;
        expect(&e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, PROBE_PLACE_UNKNOWN);
        _cleanup_free_ char *s = text_sentence(&e, &j);
        assert_non_null(s);
        e.all = false;
        expect(&e, VERDICT_OK, PROBE_PROVEN, PROBE_PLACE_HEAD);
}

/* The GCS itself is blocked: its verdict stands, and what is blocked with it is opened with it. */
static void test_with_the_gcs(void **state)
{
        PortRange r[] = {rejected(6379, 6388, 13, "10.77.2.2"), range(8265, 8265, PORT_REFUSED),
                         rejected(30000, 39999, 13, "10.77.2.2")};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);

        e.tcp.outcome = CONNECT_FAILED;
        e.tcp.error = EHOSTUNREACH;
        e.tcp.icmp = r[0].icmp;
        e.hello = (HelloFacts){0};
        e.alive = (AliveFacts){0};
        expect(&e, VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN, PROBE_PLACE_HEAD);
        said(&e, "the firewall of head compute04 (10.77.2.2) rejects port 6379",
             "6379-6388, 30000-39999: ICMP admin-prohibited",
             "--add-port=6379-6388/tcp --add-port=30000-39999/tcp");
}

/* Blocked in both directions: the one that is proven. */
static void test_both_ways(void **state)
{
        PortRange r[] = {range(6379, 6388, PORT_OPEN), range(10002, 19999, PORT_SILENT)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);
        Reflection *o = &e.other;

        o->asked = o->answered = true;
        o->here = o->observed = A("10.77.1.2");
        o->local = o->dialled = A("10.77.2.2");
        for (o->n_back = 0; o->n_back < 6; o->n_back++) {
                BackTry *t = &o->back[o->n_back];
                *t = (BackTry){.addr = A("10.77.1.2"), .result = BACK_NONCE_OK, .ours = true};
                t->addr.port = (uint16_t)(6380 + o->n_back);
        }
        expect(&e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY, PROBE_PLACE_HEAD);
        for (size_t i = 0; i < o->n_back; i++) {
                o->back[i].result = BACK_REJECTED;
                o->back[i].icmp =
                        (IcmpNote){.seen = true, .type = 3, .code = 13, .from = A("10.77.2.1")};
        }
        expect(&e, VERDICT_REVERSE_BLOCKED, PROBE_PROVEN, PROBE_PLACE_ROUTER);
        r[1] = rejected(10002, 19999, 13, "10.77.2.2");
        expect(&e, VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN, PROBE_PLACE_HEAD);
}

static void test_facts(void **state)
{
        PortRange r[] = {range(6379, 6388, PORT_OPEN), range(8265, 8265, PORT_REFUSED),
                         range(10002, 19999, PORT_SILENT)};
        PortsFacts f = facts(r, ELEMENTSOF(r));
        Evidence e = serving(&f);
        _cleanup_strv_free_ char **l = NULL;

        f.table = true;
        assert_int_equal(text_facts(&e, &l), 0);
        assert_true(strv_contains(l, "ports_plan=node table"));
        assert_true(strv_contains(l, "ports_open=6379-6388"));
        assert_true(strv_contains(l, "ports_refused=8265"));
        assert_true(strv_contains(l, "ports_silent=10002-19999"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_good),
                cmocka_unit_test(test_silent),
                cmocka_unit_test(test_rejected),
                cmocka_unit_test(test_rejected_words),
                cmocka_unit_test(test_own_firewall),
                cmocka_unit_test(test_one_cause),
                cmocka_unit_test(test_many_causes),
                cmocka_unit_test(test_dashboard),
                cmocka_unit_test(test_announced_and_refused),
                cmocka_unit_test(test_incomplete),
                cmocka_unit_test(test_with_the_gcs),
                cmocka_unit_test(test_both_ways),
                cmocka_unit_test(test_facts),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
