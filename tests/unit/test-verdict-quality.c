/* What works badly, judged on recorded evidence: probe.md 5.2, 80 to 84; and what the way's own
 * details add to a connect that fails: hops, source addresses, this machine's limits. */
#include "test.h"

#include <errno.h>

#include "evidence.h"

/* A worker 10.77.1.2 behind router 10.77.1.1, and a head 10.77.2.2 whose GCS serves. */
static Evidence serving(void)
{
        Evidence e = far();
        e.tcp = (ConnectFacts){
                .outcome = CONNECT_ESTABLISHED, .took = MS, .rtt = 200, .n_sockets = 1};
        e.hello =
                (HelloFacts){.asked = true, .kind = SERVICE_GRPC, .took = MS, .stream_known = true};
        e.alive.outcome = ALIVE_OK;
        strcpy(e.head.ray, "2.60.0");
        e.large = (LargeFacts){.asked = true,
                               .out = LARGE_ARRIVED,
                               .in = LARGE_ARRIVED,
                               .tried = 1500,
                               .pmtu = 1500};
        return e;
}

static Evidence silence(usec_t took)
{
        Evidence e = far();
        silent(&e, took);
        return e;
}

#define CHECK(e, v, c) judged(&(e), (v), (c), __LINE__)

static void has_fact(const Evidence *e, const char *want)
{
        _cleanup_strv_free_ char **f = NULL;
        assert_int_equal(text_facts(e, &f), 0);
        if (!strv_contains(f, want))
                fail_msg("no fact %s", want);
}

static void test_mtu(void **state)
{
        Evidence e = serving();
        CHECK(e, VERDICT_OK, PROBE_PROVEN);

        e.large = (LargeFacts){
                .asked = true, .out = LARGE_HOLE, .tried = 1500, .fits = 1400, .pmtu = 1500};
        Judgement j = CHECK(e, VERDICT_MTU_HOLE_OUT, PROBE_PROVEN); /* C4 */
        assert_int_equal(j.direction, PROBE_DIRECTION_OUT);
        says(&e, SENTENCE, "none of 1500 bytes arrives, those of 1400 do");
        says(&e, HINT, "ip link set dev w0 mtu 1400");
        has_fact(&e, "large_out=hole");
        has_fact(&e, "packet_fits=1400");
        e.large.fits = 576; /* no link can be that narrow */
        says(&e, HINT, "ip route replace 10.77.2.2 via 10.77.1.1 dev w0 mtu lock 576 advmss 536");
        e.large.fits = 1400;
        e.host_facts.mtu_probing_known = true; /* C7 */
        says(&e, HINT, "tcp_mtu_probing=1");
        e.host_facts.mtu_probing = 1;
        says(&e, BECAUSE, "tcp_mtu_probing is on");

        e = serving();
        e.large.in = LARGE_HOLE;
        e.large.fits = 1280;
        j = CHECK(e, VERDICT_MTU_HOLE_IN, PROBE_PROVEN); /* C5 */
        assert_int_equal(j.direction, PROBE_DIRECTION_BACK);
        /* an answer to CheckAlive that was too large is no frozen service */
        e.alive.outcome = ALIVE_SILENT;
        CHECK(e, VERDICT_MTU_HOLE_IN, PROBE_PROVEN);
        e.large.in = LARGE_ARRIVED;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_LIKELY);

        e = serving(); /* lost in every size: a hole explains nothing */
        e.large.out = LARGE_LOST;
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        /* but that all is well is not proven then, unless a reflector's transfers came through */
        e.large.in_vain = true;
        j = CHECK(e, VERDICT_OK, PROBE_LIKELY);
        e.other = (Reflection){.bulk_asked = true, .down_known = true, .up_known = true};
        CHECK(e, VERDICT_OK, PROBE_PROVEN);

        e = serving(); /* C6: smaller, and it works */
        e.large.pmtu = 1400;
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        says(&e, BECAUSE, "the way takes packets of 1400 bytes, w0 of 1500");
        has_fact(&e, "pmtu=1400");

        e = serving(); /* by the head's own transfer of 64 KiB */
        e.other.bulk_known = e.other.down_stalled = true;
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        e.other.down_small = true;
        CHECK(e, VERDICT_MTU_HOLE_IN, PROBE_PROVEN);
        e.other.up_stalled = e.other.up_small = true;
        CHECK(e, VERDICT_MTU_HOLE_OUT, PROBE_PROVEN);
}

static void test_clock(void **state)
{
        static const struct {
                int64_t offset;
                usec_t error;
                Verdict verdict;
                ProbeConfidence confidence;
        } rows[] = {
                {0, 100, VERDICT_OK, PROBE_PROVEN},
                {1000000, 100, VERDICT_OK, PROBE_PROVEN},
                {-1000000, 100, VERDICT_OK, PROBE_PROVEN},
                {1000050, 100, VERDICT_CLOCK_SKEW, PROBE_LIKELY}, /* within the error */
                {1000200, 100, VERDICT_CLOCK_SKEW, PROBE_PROVEN},
                {-3600000000, 1000, VERDICT_CLOCK_SKEW, PROBE_PROVEN},
        };
        Evidence e;
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                e = serving();
                e.other.clock_known = true;
                e.other.clock_offset_usec = rows[i].offset;
                e.other.clock_error = rows[i].error;
                judged(&e, rows[i].verdict, rows[i].confidence, (int)i);
        }
        says(&e, SENTENCE, "the clock of this machine is 1h ahead of that of head compute04");
        e.clock = (ClockFacts){.known = true, .synced = true};
        e.other.clock_sync = CLOCK_SYNC_NO;
        Judgement j = CHECK(e, VERDICT_CLOCK_SKEW, PROBE_PROVEN);
        assert_int_equal(j.place, PROBE_PLACE_HEAD);
        says(&e, SENTENCE, "the clock of head compute04 (10.77.2.2) is 1h behind this machine's");
        says(&e, HINT, "on compute04");
        e.clock.synced = false;
        e.other.clock_sync = CLOCK_SYNC_YES;
        e.keepers.clock = CLOCK_KEEPER_CHRONY;
        j = CHECK(e, VERDICT_CLOCK_SKEW, PROBE_PROVEN);
        assert_int_equal(j.place, PROBE_PLACE_HERE);
        says(&e, HINT, "here, as root: systemctl enable --now chronyd && chronyc makestep");
        /* without a reflector nothing is known of the other clock */
        e.other.clock_known = false;
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
}

static void test_samples(void **state)
{
        static const struct {
                unsigned sent, lost;
                usec_t rtt;
                Verdict verdict;
                ProbeConfidence confidence;
        } rows[] = {
                {8, 0, 200, VERDICT_OK, PROBE_PROVEN},
                {8, 1, 200, VERDICT_OK, PROBE_PROVEN},
                {16, 3, 200, VERDICT_OK, PROBE_PROVEN},
                {16, 4, 200, VERDICT_LOSSY_OR_SLOW, PROBE_LIKELY},
                {16, 8, 200, VERDICT_LOSSY_OR_SLOW, PROBE_PROVEN},
                {8, 0, 50 * MS, VERDICT_OK, PROBE_PROVEN},
                {8, 0, 51 * MS, VERDICT_LOSSY_OR_SLOW, PROBE_PROVEN},
                {16, 16, 0, VERDICT_LOSSY_OR_SLOW, PROBE_PROVEN},
                {5, 5, 0, VERDICT_OK, PROBE_PROVEN}, /* cut short: too few to say */
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Evidence e = serving();
                e.samples = (SampleFacts){.asked = true,
                                          .sent = rows[i].sent,
                                          .lost = rows[i].lost,
                                          .rtt = rows[i].rtt};
                judged(&e, rows[i].verdict, rows[i].confidence, (int)i);
        }
}

static void test_hearing(void **state)
{
        Evidence e = serving();
        e.hear.asked = true;
        CHECK(e, VERDICT_OK, PROBE_PROVEN); /* it never came to an end */
        e.hear.ended = true;
        CHECK(e, VERDICT_DISCOVERY_BLIND, PROBE_LIKELY);
        says(&e, SENTENCE, "does not cross routers");
        e.local.route.gateway = (Addr){0};
        says(&e, SENTENCE, "a firewall blocks UDP port 5353");
        says(&e, BECAUSE, "nothing heard in two seconds");
        e.hear.others = 2;
        strcpy(e.hear.text, "lab1 head on node7");
        says(&e, BECAUSE, "2 other heads heard (\"lab1 head on node7\")");
        e.hear.heard = true;
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        e.hear = (HearFacts){.asked = true, .ended = true, .deaf = true};
        strcpy(e.hear.text, "avahi-daemon is not running");
        CHECK(e, VERDICT_DISCOVERY_BLIND, PROBE_PROVEN);
        says(&e, SENTENCE, "cannot hear it by mDNS: avahi-daemon is not running");
}

/* What is known goes first; what was not found out in time is no OK. */
static void test_unmeasured(void **state)
{
        Evidence e = serving();
        e.cut = e.unmeasured = true;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);
        says(&e, SENTENCE, "serves on port 6379; how well the way there works was not found out");
        says(&e, HINT, "--deadline");
        e.large.out = LARGE_HOLE;
        CHECK(e, VERDICT_MTU_HOLE_OUT, PROBE_PROVEN);
        e.alive.outcome = ALIVE_TOKEN;
        CHECK(e, VERDICT_TOKEN_REQUIRED, PROBE_PROVEN);
}

/* The gravest first, and never anything about quality where the service itself is the trouble. */
static void test_order(void **state)
{
        Evidence e = serving();
        e.hear = (HearFacts){.asked = true, .ended = true};
        e.samples = (SampleFacts){.asked = true, .sent = 16, .lost = 9};
        e.other.clock_known = true;
        e.other.clock_offset_usec = 5000000;
        e.large.in = LARGE_HOLE;
        e.large.out = LARGE_HOLE;
        CHECK(e, VERDICT_MTU_HOLE_OUT, PROBE_PROVEN);
        e.large.out = LARGE_ARRIVED;
        CHECK(e, VERDICT_MTU_HOLE_IN, PROBE_PROVEN);
        e.large.in = LARGE_UNKNOWN;
        CHECK(e, VERDICT_CLOCK_SKEW, PROBE_PROVEN);
        e.other.clock_known = false;
        CHECK(e, VERDICT_LOSSY_OR_SLOW, PROBE_PROVEN);
        e.samples.asked = false;
        CHECK(e, VERDICT_DISCOVERY_BLIND, PROBE_LIKELY);
        e.large.out = LARGE_HOLE;
        e.alive.outcome = ALIVE_TOKEN;
        CHECK(e, VERDICT_TOKEN_REQUIRED, PROBE_PROVEN);
        e.alive.outcome = ALIVE_OK;
        strcpy(e.here.ray, "2.59.0");
        CHECK(e, VERDICT_VERSION_MISMATCH, PROBE_PROVEN);
}

static void test_ladder(void **state)
{
        Evidence e = silence(2500 * MS);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE); /* the router may still speak */
        e.ladder = (LadderFacts){.asked = true, .ended = true, .n_hops = 2};
        e.ladder.hops[1] = A("10.9.0.1");
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);
        e.tcp.took = 3250 * MS;
        CHECK(e, VERDICT_HOST_SILENT, PROBE_LIKELY);
        says(&e, SENTENCE, "the last hop that answers is 10.9.0.1");
        says(&e, BECAUSE, "the last hop that answers is 10.9.0.1 (hop 2)");
        has_fact(&e, "hop1=unknown");
        has_fact(&e, "last_hop=10.9.0.1");
        e.life.alive = true;
        strcpy(e.life.how, "port 22 refuses");
        CHECK(e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY);
        says(&e, SENTENCE, "on the way behind hop 10.9.0.1 drops it");

        /* B10: no router speaks at all, so none will say after three seconds that the host is dead
         */
        e = silence(2500 * MS);
        e.ladder = (LadderFacts){.asked = true, .ended = true};
        CHECK(e, VERDICT_HOST_SILENT, PROBE_LIKELY);
        says(&e, BECAUSE, "not even gateway 10.77.1.1");

        /* A18: on one link with a neighbour that is known */
        e = silence(2500 * MS);
        e.addr = e.local.nexthop = A("10.77.1.9");
        e.local.route.gateway = (Addr){0};
        CHECK(e, VERDICT_HOST_SILENT, PROBE_LIKELY);
}

static void test_source(void **state)
{
        Evidence e = silence(1000 * MS); /* B7 */
        e.local.source_strange = true;
        e.local.route.source = A("10.99.0.1");
        e.local.source_usual = A("10.77.1.2");
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);
        e.local.usual_answered = true;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE); /* bad luck, so far */
        e.tcp.took = 1400 * MS;
        CHECK(e, VERDICT_WRONG_INTERFACE, PROBE_PROVEN);
        says(&e, SENTENCE, "does not know the way back to 10.99.0.1");
        says(&e, HINT,
             "here, as root: ip route replace 10.77.2.2 via 10.77.1.1 dev w0 src 10.77.1.2");
        strcpy(e.from, "10.99.0.1");
        says(&e, HINT, "--from 10.77.1.2");
        e.tcp.took = 3300 * MS; /* neither is answered: the source is not what decides */
        e.local.usual_answered = false;
        CHECK(e, VERDICT_HOST_SILENT, PROBE_LIKELY);
}

static void test_own_filter(void **state)
{
        Evidence e = silence(2500 * MS);
        e.local.rp_filter_known = true;
        e.local.rp_filter = 3;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE); /* somebody else's */
        e.local.rp_filter = 9;
        Judgement j = CHECK(e, VERDICT_REPLIES_LOST, PROBE_LIKELY);
        assert_int_equal(j.place, PROBE_PLACE_HERE);
        assert_int_equal(j.direction, PROBE_DIRECTION_BACK);
        says(&e, SENTENCE, "this machine throws away what head compute04");
        says(&e, HINT, "rp_filter=2");
}

static void test_resources(void **state)
{
        Evidence e = serving();
        e.tcp = (ConnectFacts){
                .outcome = CONNECT_FAILED, .error = EADDRNOTAVAIL, .at_once = true, .n_sockets = 1};
        e.hello = (HelloFacts){0};
        e.alive = (AliveFacts){0};
        e.host_facts = (HostFacts){.ports_known = true,
                                   .port_first = 32768,
                                   .port_last = 60999,
                                   .ports_counted = true,
                                   .ports_used = 28230,
                                   .files_known = true,
                                   .files_max = 1024,
                                   .files_counted = true,
                                   .files_open = 1023};
        CHECK(e, VERDICT_LOCAL_RESOURCES, PROBE_PROVEN); /* A19 */
        says(&e, BECAUSE, "28230 of 28232 local ports (32768 to 60999) are in use");
        has_fact(&e, "local_ports=32768-60999");
        e.tcp.error = EMFILE;
        CHECK(e, VERDICT_LOCAL_RESOURCES, PROBE_PROVEN);
        says(&e, BECAUSE, "1023 of 1024 descriptors are open");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_mtu),        cmocka_unit_test(test_clock),
                cmocka_unit_test(test_samples),    cmocka_unit_test(test_hearing),
                cmocka_unit_test(test_order),      cmocka_unit_test(test_unmeasured),
                cmocka_unit_test(test_ladder),     cmocka_unit_test(test_source),
                cmocka_unit_test(test_own_filter), cmocka_unit_test(test_resources),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
