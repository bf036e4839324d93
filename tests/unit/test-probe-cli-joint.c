/* Two one-sided reports taken together: every pair of ends, and what is said of it. */
#include "test.h"

#include <stdio.h>
#include <stdlib.h>

#include "addr.h"

#include "base/str.h"
#include "probe-cli/joint.h"

static ProbeJson out(Verdict v, ProbeConfidence c, ProbePlace p)
{
        return (ProbeJson){
                .verdict = v,
                .confidence = c,
                .direction = PROBE_DIRECTION_OUT,
                .place = p,
                .where = p == PROBE_PLACE_ROUTER ? A("10.77.1.1")
                         : p == PROBE_PLACE_HEAD ? A("10.77.2.2")
                                                 : (Addr){0},
                .address = A("10.77.2.2"),
                .port = 6379,
                .source = A("10.77.1.2"),
                .at = "2026-11-23T14:03:22.123Z",
                .sentence = (char *)"what the probe said",
        };
}

static ProbeJson back(Verdict v, ProbeConfidence c, ProbePlace p)
{
        ProbeJson b = out(v, c, p);
        b.where = p == PROBE_PLACE_ROUTER ? A("10.77.2.1")
                  : p == PROBE_PLACE_HEAD ? A("10.77.1.2")
                                          : (Addr){0};
        b.address = A("10.77.1.2");
        b.source = A("10.77.2.2");
        b.port = 6380;
        return b;
}

#define PROVEN PROBE_PROVEN
#define LIKELY PROBE_LIKELY
#define OPEN   PROBE_INCONCLUSIVE
#define HEAD   PROBE_PLACE_HEAD
#define HERE   PROBE_PLACE_HERE
#define ROUTER PROBE_PLACE_ROUTER
#define PATH   PROBE_PLACE_PATH

static void test_pairs(void **state)
{
        static const struct {
                Verdict out;
                ProbeConfidence out_c;
                ProbePlace out_p;
                Verdict back;
                ProbeConfidence back_c;
                ProbePlace back_p;
                Verdict verdict;
                ProbeConfidence confidence;
                ProbeDirection direction;
                ProbePlace place;
                const char *sentence, *hint; /* parts; NULL: none is to be there */
        } rows[] = {
                /* both are open: what serves there is not asked of a worker's port */
                {VERDICT_OK, PROVEN, HEAD, VERDICT_NOT_RAY, PROVEN, HEAD, VERDICT_OK, PROVEN,
                 PROBE_DIRECTION_OUT, HEAD, "reach each other", NULL},
                /* a reset may be a firewall's */
                {VERDICT_OK, PROVEN, HEAD, VERDICT_PORT_CLOSED, PROVEN, HEAD, VERDICT_OK, LIKELY,
                 PROBE_DIRECTION_OUT, HEAD, "reach each other", NULL},
                {VERDICT_TOKEN_WRONG, PROVEN, HEAD, VERDICT_NOT_RAY, PROVEN, HEAD,
                 VERDICT_TOKEN_WRONG, PROVEN, PROBE_DIRECTION_OUT, HEAD, "but: what the probe said",
                 NULL},
                {VERDICT_PORT_CLOSED, PROVEN, HEAD, VERDICT_PORT_CLOSED, PROVEN, HEAD,
                 VERDICT_PORT_CLOSED, PROVEN, PROBE_DIRECTION_OUT, HEAD, "reach each other, but",
                 "systemctl status ray-head"},
                /* only the way back is blocked; its "head" is the worker */
                {VERDICT_OK, PROVEN, HEAD, VERDICT_REJECTED_AT_HEAD, PROVEN, HEAD,
                 VERDICT_REVERSE_BLOCKED, PROVEN, PROBE_DIRECTION_BACK, HERE,
                 "the head does not reach the worker", "on 10.77.1.2, as root: firewall-cmd"},
                {VERDICT_OK, PROVEN, HEAD, VERDICT_REJECTED_ON_PATH, PROVEN, ROUTER,
                 VERDICT_REVERSE_BLOCKED, PROVEN, PROBE_DIRECTION_BACK, ROUTER,
                 "the head does not reach the worker",
                 "on router 10.77.2.1: allow TCP port 6380 from 10.77.2.2 to 10.77.1.2"},
                {VERDICT_OK, PROVEN, HEAD, VERDICT_LOCAL_FIREWALL, PROVEN, HERE,
                 VERDICT_REVERSE_BLOCKED, PROVEN, PROBE_DIRECTION_BACK, HEAD,
                 "the head does not reach the worker", "on 10.77.2.2, as root: nft"},
                {VERDICT_OK, PROVEN, HEAD, VERDICT_HOST_SILENT, LIKELY, HEAD,
                 VERDICT_REVERSE_BLOCKED, LIKELY, PROBE_DIRECTION_BACK, HERE,
                 "the head does not reach the worker", "on 10.77.1.2, as root: "},
                {VERDICT_OK, PROVEN, HEAD, VERDICT_NO_ROUTE_LOCAL, PROVEN, HERE,
                 VERDICT_NAT_NO_WAY_BACK, LIKELY, PROBE_DIRECTION_BACK, PATH,
                 "the head does not reach the worker", "on 10.77.2.2, as root: ip route add"},
                {VERDICT_OK, PROVEN, HEAD, VERDICT_LINK_DOWN, PROVEN, HERE, VERDICT_INCONCLUSIVE,
                 OPEN, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN, "contradict each other", "on "},
                /* only the way out is */
                {VERDICT_FILTERED_SILENTLY, LIKELY, HEAD, VERDICT_NOT_RAY, PROVEN, HEAD,
                 VERDICT_FILTERED_SILENTLY, LIKELY, PROBE_DIRECTION_OUT, HEAD,
                 "the worker does not reach the head", "--add-service=raycluster-head"},
                {VERDICT_REJECTED_ON_PATH, PROVEN, ROUTER, VERDICT_PORT_CLOSED, PROVEN, HEAD,
                 VERDICT_REJECTED_ON_PATH, PROVEN, PROBE_DIRECTION_OUT, ROUTER,
                 "the worker does not reach the head", "on router 10.77.1.1: "},
                {VERDICT_LOCAL_FIREWALL, LIKELY, HERE, VERDICT_NOT_RAY, PROVEN, HEAD,
                 VERDICT_LOCAL_FIREWALL, LIKELY, PROBE_DIRECTION_OUT, HERE,
                 "the worker does not reach the head", "on 10.77.1.2, as root: "},
                /* the head answers, so it is not dead */
                {VERDICT_HOST_SILENT, LIKELY, HEAD, VERDICT_NOT_RAY, PROVEN, HEAD,
                 VERDICT_FILTERED_SILENTLY, LIKELY, PROBE_DIRECTION_OUT, HEAD,
                 "the worker does not reach the head", "on 10.77.2.2"},
                {VERDICT_HOST_DOWN_REMOTE, PROVEN, ROUTER, VERDICT_NOT_RAY, PROVEN, HEAD,
                 VERDICT_INCONCLUSIVE, OPEN, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN,
                 "contradict each other", "on "},
                /* neither: what is proven goes first */
                {VERDICT_FILTERED_SILENTLY, LIKELY, HEAD, VERDICT_FILTERED_SILENTLY, LIKELY, HEAD,
                 VERDICT_FILTERED_SILENTLY, LIKELY, PROBE_DIRECTION_BOTH, HEAD, "neither does",
                 "; and on 10.77.1.2"},
                {VERDICT_FILTERED_SILENTLY, LIKELY, HEAD, VERDICT_REJECTED_ON_PATH, PROVEN, ROUTER,
                 VERDICT_REVERSE_BLOCKED, PROVEN, PROBE_DIRECTION_BOTH, ROUTER, "neither does",
                 "; and on router 10.77.2.1"},
                {VERDICT_REJECTED_ON_PATH, PROVEN, ROUTER, VERDICT_HOST_SILENT, LIKELY, HEAD,
                 VERDICT_REJECTED_ON_PATH, PROVEN, PROBE_DIRECTION_BOTH, ROUTER, "neither does",
                 "on router 10.77.1.1: "},
                /* one was not found out */
                {VERDICT_OK, PROVEN, HEAD, VERDICT_INCONCLUSIVE, OPEN, PROBE_PLACE_UNKNOWN,
                 VERDICT_INCONCLUSIVE, OPEN, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN,
                 "do not decide", NULL},
                {VERDICT_INCONCLUSIVE, OPEN, PROBE_PLACE_UNKNOWN, VERDICT_NOT_RAY, PROVEN, HEAD,
                 VERDICT_INCONCLUSIVE, OPEN, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN,
                 "do not decide", NULL},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                ProbeJson a = out(rows[i].out, rows[i].out_c, rows[i].out_p);
                ProbeJson b = back(rows[i].back, rows[i].back_c, rows[i].back_p);
                _cleanup_joint_ Joint j = {0};
                assert_null(joint_mistake(&a, &b));
                assert_int_equal(joint_make(&a, &b, &j), 0);
                const ProbeReport *r = &j.report;
                if (getenv("V"))
                        print_message("%s %s: %s\n  %s\n  %s\n", verdict_to_string(r->verdict),
                                      probe_confidence_to_string(r->confidence), r->sentence,
                                      r->because, r->hint);
                if (r->verdict != rows[i].verdict || r->confidence != rows[i].confidence ||
                    r->direction != rows[i].direction || r->place != rows[i].place)
                        fail_msg("row %zu: %s %s %s %s", i, verdict_to_string(r->verdict),
                                 probe_confidence_to_string(r->confidence),
                                 probe_direction_to_string(r->direction),
                                 probe_place_to_string(r->place));
                if (!strstr(r->sentence, rows[i].sentence) ||
                    (rows[i].hint ? !strstr(r->hint, rows[i].hint) : !isempty(r->hint)))
                        fail_msg("row %zu: %s / %s", i, r->sentence, r->hint);
                assert_non_null(strstr(r->because, "from the worker 10.77.1.2 to 10.77.2.2"));
                assert_non_null(strstr(r->because, "from the head 10.77.2.2 to 10.77.1.2"));
        }
}

/* Whatever two reports say: nothing is proven that neither of them has proven. */
static void test_nothing_out_of_nothing(void **state)
{
        for (Verdict v = 0; v < _VERDICT_MAX; v++)
                for (Verdict w = 0; w < _VERDICT_MAX; w++) {
                        ProbeConfidence c = v == VERDICT_INCONCLUSIVE ? OPEN : LIKELY;
                        ProbeConfidence d = w == VERDICT_INCONCLUSIVE ? OPEN : LIKELY;
                        ProbeJson a = out(v, c, HEAD), b = back(w, d, HEAD);
                        _cleanup_joint_ Joint j = {0};
                        assert_int_equal(joint_make(&a, &b, &j), 0);
                        if (j.report.confidence == PROVEN ||
                            (j.report.confidence == OPEN) !=
                                    (j.report.verdict == VERDICT_INCONCLUSIVE) ||
                            strstr(j.report.sentence, "(null)") || isempty(j.report.because))
                                fail_msg("%s and %s: %s, %s", verdict_to_string(v),
                                         verdict_to_string(w), verdict_to_string(j.report.verdict),
                                         j.report.sentence);
                }
}

static void test_mistakes(void **state)
{
        ProbeJson a = out(VERDICT_OK, PROVEN, HEAD), b = back(VERDICT_OK, PROVEN, HEAD);
        b.address = a.address;
        assert_non_null(strstr(joint_mistake(&a, &b), "one machine"));
        b.address = A("fd77::1");
        assert_non_null(strstr(joint_mistake(&a, &b), "IPv6"));
        b.address = (Addr){0};
        assert_non_null(strstr(joint_mistake(&a, &b), "address"));
}

/* A machine that is tried by another address than the one it sends from. */
static void test_other_address(void **state)
{
        ProbeJson a = out(VERDICT_OK, PROVEN, HEAD), b = back(VERDICT_NOT_RAY, PROVEN, HEAD);
        _cleanup_joint_ Joint j = {0};
        b.source = A("192.168.7.2");
        assert_int_equal(joint_make(&a, &b, &j), 0);
        assert_non_null(strstr(j.report.because,
                               "the head sends from 192.168.7.2 and was tried by 10.77.2.2"));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_pairs),
                cmocka_unit_test(test_nothing_out_of_nothing),
                cmocka_unit_test(test_mistakes),
                cmocka_unit_test(test_other_address),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
