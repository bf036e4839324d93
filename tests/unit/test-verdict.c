/* The decision of ray-probe over the rows of probe.md tables A, B and C. */
#include "test.h"

#include <errno.h>

#include "evidence.h"

/* The same on one link. */
static Evidence near(void)
{
        Evidence e = far();
        e.addr = A("10.77.1.9");
        e.addr.port = 6379;
        e.local.route.gateway = (Addr){0};
        e.local.nexthop = A("10.77.1.9");
        return e;
}

static Evidence far6(void)
{
        Evidence e = far();
        e.addr = A("fd77:2::2");
        e.addr.port = 6379;
        e.local.route.source = A("fd77:1::2");
        e.local.route.gateway = e.local.nexthop = A("fd77:1::1");
        return e;
}

static void failed(Evidence *e, int error, usec_t took)
{
        e->tcp.outcome = CONNECT_FAILED;
        e->tcp.error = error;
        e->tcp.took = took;
        e->tcp.n_sockets = 1;
}

static void icmp(Evidence *e, int error, usec_t took, int type, int code, const char *from)
{
        failed(e, error, took);
        e->tcp.icmp = (IcmpNote){.seen = true,
                                 .type = (uint8_t)type,
                                 .code = (uint8_t)code,
                                 .error = error,
                                 .from = A(from)};
        e->icmp_own = addr_equal(&e->tcp.icmp.from, &e->local.route.source);
}

static void open_port(Evidence *e, ServiceKind kind)
{
        e->tcp = (ConnectFacts){.outcome = CONNECT_ESTABLISHED, .took = 1 * MS, .n_sockets = 1};
        e->hello = (HelloFacts){.asked = true, .kind = kind, .took = 2 * MS, .stream_known = true};
}

#define CHECK(e, v, c) judged(&(e), (v), (c), __LINE__)

static void test_names(void **state)
{
        Evidence e = {.host = "compute04", .name = NAME_NOT_THERE, .name_text = "NXDOMAIN"};
        CHECK(e, VERDICT_NAME_NOT_FOUND, PROBE_PROVEN);
        e.name = NAME_NO_ANSWER;
        CHECK(e, VERDICT_DNS_UNAVAILABLE, PROBE_PROVEN);
        e.name = NAME_UNKNOWN;
        e.cut = true;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);

        e = near();
        e.addr = A("127.0.1.1");
        e.local.own = true;
        failed(&e, ECONNREFUSED, 0);
        CHECK(e, VERDICT_NAME_IS_LOOPBACK, PROBE_PROVEN);
        /* on the head itself it serves: nothing is wrong with the name */
        open_port(&e, SERVICE_GRPC);
        e.alive.outcome = ALIVE_OK;
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        /* asked for by address, it is what was asked for */
        e = near();
        e.addr = A("127.0.0.1");
        e.name = NAME_LITERAL;
        failed(&e, ECONNREFUSED, 0);
        CHECK(e, VERDICT_PORT_CLOSED, PROBE_PROVEN);
}

static void test_local(void **state)
{
        Evidence e = far(); /* A13 */
        failed(&e, ENETUNREACH, 0);
        e.tcp.at_once = true;
        e.local.route_error = ENETUNREACH;
        CHECK(e, VERDICT_NO_ROUTE_LOCAL, PROBE_PROVEN);
        e.local.down_known = e.local.down_covers = true;
        strcpy(e.local.down.name, "w0");
        CHECK(e, VERDICT_LINK_DOWN, PROBE_PROVEN);
        e.local.down_covers = false;
        CHECK(e, VERDICT_LINK_DOWN, PROBE_LIKELY);

        static const int forbids[] = {EINVAL, EHOSTUNREACH, EACCES}; /* A14 */
        for (size_t i = 0; i < ELEMENTSOF(forbids); i++) {
                e = far();
                failed(&e, forbids[i], 0);
                e.tcp.at_once = true;
                e.local.route_error = forbids[i];
                CHECK(e, VERDICT_ROUTE_FORBIDS, PROBE_PROVEN);
        }
        e = far(); /* A19, A20 */
        failed(&e, EADDRNOTAVAIL, 0);
        e.tcp.at_once = true;
        CHECK(e, VERDICT_LOCAL_RESOURCES, PROBE_PROVEN);
        e.tcp.error = EPERM;
        CHECK(e, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);

        e = far6(); /* A21 */
        e.addr = A("fe80::1");
        failed(&e, EINVAL, 0);
        e.tcp.at_once = true;
        CHECK(e, VERDICT_SCOPE_MISSING, PROBE_PROVEN);

        e = far();
        strcpy(e.from, "eth9");
        e.local.source = SOURCE_NO_INTERFACE;
        CHECK(e, VERDICT_WRONG_INTERFACE, PROBE_PROVEN);

        e = near();
        silent(&e, 100 * MS);
        e.local.link.carrier = false;
        CHECK(e, VERDICT_LINK_DOWN, PROBE_PROVEN);
}

static void test_refusals(void **state)
{
        Evidence e = far(); /* A1 */
        failed(&e, ECONNREFUSED, 200);
        CHECK(e, VERDICT_PORT_CLOSED, PROBE_PROVEN);
        e.local.tx_known = e.local.tx_silent = true; /* A6 */
        CHECK(e, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY);

        static const struct {
                int error;
                usec_t took;
                int type, code;
                const char *from;
                Verdict verdict;
                ProbeConfidence confidence;
        } rows[] = {
                {ECONNREFUSED, 200, 3, 3, "10.77.2.2", VERDICT_REFUSED_BY_FIREWALL,
                 PROBE_PROVEN}, /* A4 */
                {ECONNREFUSED, 200, 3, 3, "10.77.1.1", VERDICT_REFUSED_BY_FIREWALL,
                 PROBE_PROVEN}, /* A5 */
                {ECONNREFUSED, 50, 3, 3, "10.77.1.2", VERDICT_LOCAL_FIREWALL,
                 PROBE_PROVEN}, /* A7 */
                {EHOSTUNREACH, 50, 3, 13, "10.77.1.2", VERDICT_LOCAL_FIREWALL, PROBE_PROVEN},
                {EHOSTUNREACH, 200, 3, 13, "10.77.2.2", VERDICT_REJECTED_AT_HEAD,
                 PROBE_PROVEN}, /* A8 */
                {EHOSTUNREACH, 200, 3, 10, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN},
                {EHOSTUNREACH, 200, 3, 13, "10.77.1.1", VERDICT_REJECTED_ON_PATH,
                 PROBE_PROVEN}, /* A9 */
                {ENETUNREACH, 200, 3, 9, "10.77.2.2", VERDICT_REJECTED_AT_HEAD,
                 PROBE_PROVEN}, /* A10 */
                {ENETUNREACH, 200, 3, 0, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN},
                {ENOPROTOOPT, 200, 3, 2, "10.77.2.2", VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN},
                {ENETUNREACH, 1 * MS, 3, 0, "10.77.1.1", VERDICT_NO_ROUTE_REMOTE,
                 PROBE_LIKELY}, /* A11 */
                {EHOSTUNREACH, 3060 * MS, 3, 1, "10.77.1.1", VERDICT_HOST_DOWN_REMOTE,
                 PROBE_PROVEN}, /* A15 */
                {EHOSTUNREACH, 500 * MS, 3, 1, "10.77.1.1", VERDICT_HOST_DOWN_REMOTE, PROBE_LIKELY},
                {EHOSTUNREACH, 1 * MS, 11, 0, "10.77.1.1", VERDICT_NO_ROUTE_REMOTE, PROBE_LIKELY},
                {EHOSTUNREACH, 1 * MS, 3, 14, "10.77.1.1", VERDICT_REJECTED_ON_PATH, PROBE_LIKELY},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                e = far();
                icmp(&e, rows[i].error, rows[i].took, rows[i].type, rows[i].code, rows[i].from);
                judged(&e, rows[i].verdict, rows[i].confidence, (int)i);
        }
        /* A12: an unreachable route says so at once, each time; a dead host only while somebody
         * else's ARP ends */
        e = far();
        icmp(&e, EHOSTUNREACH, 1 * MS, 3, 1, "10.77.1.1");
        CHECK(e, VERDICT_HOST_DOWN_REMOTE, PROBE_LIKELY);
        e.repeated = e.repeat_answered = e.repeat_same = true;
        e.repeat_took = 1 * MS;
        CHECK(e, VERDICT_NO_ROUTE_REMOTE, PROBE_LIKELY);
        e.repeat_took = 2900 * MS;
        CHECK(e, VERDICT_HOST_DOWN_REMOTE, PROBE_PROVEN);
        e.repeat_same = e.repeat_answered = false; /* nothing in a second: no proof of anything */
        e.repeat_took = 1000 * MS;
        CHECK(e, VERDICT_HOST_DOWN_REMOTE, PROBE_LIKELY);
        e.repeat_answered = true; /* another port is answered otherwise: a rule, not a route */
        e.repeat_took = 1 * MS;
        CHECK(e, VERDICT_REJECTED_ON_PATH, PROBE_PROVEN);

        /* A11, and a rule that says the same */
        icmp(&e, ENETUNREACH, 1 * MS, 3, 0, "10.77.1.1");
        CHECK(e, VERDICT_REJECTED_ON_PATH, PROBE_PROVEN);
        e.repeat_same = true;
        CHECK(e, VERDICT_NO_ROUTE_REMOTE, PROBE_PROVEN);
        e.repeat_same = e.repeat_answered = false;
        CHECK(e, VERDICT_NO_ROUTE_REMOTE, PROBE_LIKELY);
}

static void test_refusals_v6(void **state)
{
        static const struct {
                int error;
                int code;
                const char *from;
                Verdict verdict;
        } rows[] = {
                {EACCES, 1, "fd77:2::2", VERDICT_REJECTED_AT_HEAD},
                {EACCES, 5, "fd77:2::2", VERDICT_REJECTED_AT_HEAD},
                {EHOSTUNREACH, 3, "fd77:2::2", VERDICT_REJECTED_AT_HEAD},
                {EACCES, 1, "fd77:1::1", VERDICT_REJECTED_ON_PATH},
                {EACCES, 6, "fd77:1::1", VERDICT_REJECTED_ON_PATH},
                {ECONNREFUSED, 4, "fd77:2::2", VERDICT_REFUSED_BY_FIREWALL},
                {ECONNREFUSED, 4, "fd77:1::1", VERDICT_REFUSED_BY_FIREWALL},
                {EACCES, 1, "fd77:1::2", VERDICT_LOCAL_FIREWALL},
        };
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                Evidence e = far6();
                icmp(&e, rows[i].error, 200, 1, rows[i].code, rows[i].from);
                judged(&e, rows[i].verdict, PROBE_PROVEN, (int)i);
        }
        Evidence e = far6();
        icmp(&e, EHOSTUNREACH, 3060 * MS, 1, 3, "fd77:1::1");
        CHECK(e, VERDICT_HOST_DOWN_REMOTE, PROBE_PROVEN);
}

static void test_neighbours(void **state)
{
        Evidence e = near(); /* A16 */
        e.local.neigh = NEIGH_INCOMPLETE;
        silent(&e, 1000 * MS);
        e.life.asked = false;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);
        silent(&e, 1300 * MS);
        CHECK(e, VERDICT_NEIGHBOUR_DEAD, PROBE_LIKELY);
        e.local.neigh = NEIGH_FAILED;
        icmp(&e, EHOSTUNREACH, 3060 * MS, 3, 1, "10.77.1.2");
        CHECK(e, VERDICT_NEIGHBOUR_DEAD, PROBE_PROVEN);

        e = far();
        e.local.neigh = NEIGH_FAILED;
        icmp(&e, EHOSTUNREACH, 3060 * MS, 3, 1, "10.77.1.2");
        CHECK(e, VERDICT_GATEWAY_DEAD, PROBE_PROVEN);
        Judgement j;
        judge(&e, &j);
        assert_true(addr_equal(&j.where, &e.local.nexthop));

        /* a rule of our own can say "host unreachable" too: at once, with a live neighbour */
        e = near();
        icmp(&e, EHOSTUNREACH, 50, 3, 1, "10.77.1.2");
        CHECK(e, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY);
}

static void test_silence(void **state)
{
        Evidence e = far(); /* B1, B2: the head is alive otherwise */
        silent(&e, 2500 * MS);
        e.life.alive = true;
        strcpy(e.life.how, "port 22 refuses");
        CHECK(e, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY);
        silent(&e, 2000 * MS);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);

        e = far(); /* B3: own drop */
        silent(&e, 1300 * MS);
        e.local.retrans_fail = 5;
        CHECK(e, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY);
        e.local.udp_forbidden = true;
        CHECK(e, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);
        e.local.retrans_fail = 4; /* somebody else's */
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);

        e = far(); /* B6, B8, B10, B11 */
        silent(&e, 2500 * MS);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);
        silent(&e, 3600 * MS);
        CHECK(e, VERDICT_HOST_SILENT, PROBE_LIKELY);
}

/* Whatever the waiting time: silence alone proves nothing about the other side. */
static void test_silence_is_never_proof(void **state)
{
        for (usec_t t = 0; t < 10 * USEC_PER_SEC; t += 50 * MS) {
                Evidence e = far();
                Judgement j;
                silent(&e, t);
                e.life.alive = t % (100 * MS) == 0;
                judge(&e, &j);
                assert_int_not_equal(j.confidence, PROBE_PROVEN);
        }
}

static void test_service(void **state)
{
        Evidence e = far();
        open_port(&e, SERVICE_GRPC); /* C1 */
        e.alive.outcome = ALIVE_OK;
        strcpy(e.head.ray, "2.60.0");
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        strcpy(e.here.ray, "2.60.0");
        CHECK(e, VERDICT_OK, PROBE_PROVEN);
        strcpy(e.here.ray, "2.59.0");
        CHECK(e, VERDICT_VERSION_MISMATCH, PROBE_PROVEN);
        strcpy(e.here.ray, "2.60.0");
        strcpy(e.here.python, "3.11.2");
        strcpy(e.head.python, "3.12.1");
        CHECK(e, VERDICT_VERSION_MISMATCH, PROBE_PROVEN);

        e.alive.outcome = ALIVE_TOKEN; /* C13 */
        CHECK(e, VERDICT_TOKEN_REQUIRED, PROBE_PROVEN);
        e.has_token = true;
        CHECK(e, VERDICT_TOKEN_WRONG, PROBE_PROVEN);
        e.alive.outcome = ALIVE_WRONG_CLUSTER;
        CHECK(e, VERDICT_WRONG_CLUSTER, PROBE_PROVEN);
        e.alive.outcome = ALIVE_NO_METHOD; /* C14 */
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN);
        e.alive.outcome = ALIVE_SILENT;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_LIKELY);
        e.alive.outcome = ALIVE_NOT_ASKED;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);

        open_port(&e, SERVICE_UNKNOWN); /* C2 */
        e.hello.took = 2000 * MS;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_LIKELY);
        e.hello.second_silent = true;
        CHECK(e, VERDICT_SERVICE_FROZEN, PROBE_PROVEN);
        e.hello.took = 1000 * MS;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE);
        e.hello.took = 2000 * MS; /* C3 */
        e.hello.stream = (StreamFacts){.bytes_acked = 1, .unsent = 33, .retransmits = 3};
        CHECK(e, VERDICT_HALF_OPEN_PATH, PROBE_LIKELY); /* bad luck does that, too */
        e.hello.second_lost = true;
        CHECK(e, VERDICT_HALF_OPEN_PATH, PROBE_PROVEN);

        open_port(&e, SERVICE_CLOSED); /* C8, C9 */
        CHECK(e, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY);
        e.hello.again = true;
        CHECK(e, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_PROVEN);
        Evidence reset = far(); /* the reset came before we looked */
        failed(&reset, ECONNRESET, 5 * MS);
        CHECK(reset, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY);
        e.hello.tls = true;
        CHECK(e, VERDICT_TLS_REQUIRED, PROBE_PROVEN);
        e.hello.tls = false;
        e.hello.by_http = SERVICE_HTTP1;
        CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN);

        static const ServiceKind strangers[] = {SERVICE_REDIS, SERVICE_HTTP1, SERVICE_SSH,
                                                SERVICE_OTHER}; /* C15, C16 */
        for (size_t i = 0; i < ELEMENTSOF(strangers); i++) {
                open_port(&e, strangers[i]);
                CHECK(e, VERDICT_NOT_RAY, PROBE_PROVEN);
        }
}

static void test_words(void **state)
{
        Judgement j;
        Evidence e = near();
        e.addr = A("10.77.0.1");
        e.addr.port = 6379;
        failed(&e, ECONNREFUSED, 100);
        judge(&e, &j);
        _cleanup_free_ char *s = text_sentence(&e, &j);
        assert_string_equal(s,
                            "head compute04 (10.77.0.1) answers on port 6379 with a refusal: Ray "
                            "is not running there");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_names),
                cmocka_unit_test(test_local),
                cmocka_unit_test(test_refusals),
                cmocka_unit_test(test_refusals_v6),
                cmocka_unit_test(test_neighbours),
                cmocka_unit_test(test_silence),
                cmocka_unit_test(test_silence_is_never_proof),
                cmocka_unit_test(test_service),
                cmocka_unit_test(test_words),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
