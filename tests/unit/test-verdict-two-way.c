/* What the other side saw, judged: the rows of probe.md 3.1 and of tables A and B that need a
 * reflector, and what looks nearly like them. */
#include "test.h"

#include <errno.h>

#include "evidence.h"

#include "model/way-back.h"
#include "probe/judge.h"

/* A worker 10.77.1.2 behind a router, a head 10.77.2.2 with a reflector, no port tried yet. */
static Evidence asked(void)
{
        Evidence e = far();
        e.tcp.local = AP("10.77.1.2", 50000);
        e.back.sampled = (PortSpan){10002, 19999};

        Reflection *o = &e.other;
        o->asked = o->answered = true;
        o->here = o->observed = AP("10.77.1.2", 50001);
        o->local = o->dialled = AP("10.77.2.2", 6388);
        o->firewall = FIREWALL_FIREWALLD;
        o->before = o->port = (PortView){.known = true, .listening = true, .room = 4096};
        o->rise = (CounterRise){.known = true, .undelivered_known = true};
        return e;
}

/* Nothing came back to four SYNs and five retransmissions. */
static Evidence silence(void)
{
        Evidence e = asked();
        silent(&e, 2500 * MS);
        e.life.alive = true;
        strcpy(e.life.how, "its reflector answers on port 6388");
        return e;
}

static Evidence reset(void)
{
        Evidence e = asked();
        e.tcp.outcome = CONNECT_FAILED;
        e.tcp.error = ECONNREFUSED;
        e.tcp.took = 200;
        e.tcp.n_sockets = e.tcp.segs_in = 1;
        e.other.rise.resets = 1;
        return e;
}

static Evidence serving(void)
{
        Evidence e = asked();
        e.tcp.outcome = CONNECT_ESTABLISHED;
        e.hello = (HelloFacts){.asked = true, .kind = SERVICE_GRPC, .stream_known = true};
        e.alive.outcome = ALIVE_OK;
        return e;
}

/* The fixed ports and some of the range, all with one result. */
static void back(Evidence *e, const char *addr, BackResult result)
{
        static const uint16_t ports[] = {6380, 6381, 6382, 6383, 10002, 12500, 17000, 19999};
        for (size_t i = 0; i < ELEMENTSOF(ports); i++)
                e->other.back[e->other.n_back++] =
                        (BackTry){.addr = AP(addr, ports[i]), .result = result, .ours = true};
}

static BackTry *try_of(Evidence *e, size_t i)
{
        assert_true(i < e->other.n_back);
        return &e->other.back[i];
}

static void rejected(Evidence *e, const char *addr, const char *from)
{
        size_t first = e->other.n_back;
        back(e, addr, BACK_REJECTED);
        for (size_t i = first; i < e->other.n_back; i++)
                try_of(e, i)->icmp =
                        (IcmpNote){.seen = true, .type = 3, .code = 13, .from = A(from)};
}

static void no_way(Evidence *e, const char *addr, int error)
{
        size_t first = e->other.n_back;
        back(e, addr, BACK_NO_WAY);
        for (size_t i = first; i < e->other.n_back; i++)
                try_of(e, i)->error = error;
}

#define CHECK(e, v, c, d, p) check(&(e), (v), (c), (d), (p), __LINE__)
static void check(const Evidence *e, Verdict v, ProbeConfidence c, ProbeDirection d, ProbePlace p,
                  int line)
{
        Judgement j = judged(e, v, c, line);
        if (j.direction != d || j.place != p)
                fail_msg("line %d: %s %s, expected %s %s", line,
                         probe_direction_to_string(j.direction), probe_place_to_string(j.place),
                         probe_direction_to_string(d), probe_place_to_string(p));
        Verdict others[ALTERNATIVES_MAX];
        size_t n = judge_alternatives(e, &j, others);
        for (size_t i = 0; i < n; i++)
                if (others[i] == v || c == PROBE_PROVEN)
                        fail_msg("line %d: and also %s", line, verdict_to_string(others[i]));
}

static void check_where(const Evidence *e, const char *where, int line)
{
        Judgement j;
        judge(e, &j);
        char buf[ADDR_MAX] = "";
        if (addr_is_set(&j.where))
                addr_format(buf, &j.where);
        if (!streq(buf, where))
                fail_msg("line %d: at %s, expected %s", line, buf, where);
}

#define PROVEN PROBE_PROVEN
#define LIKELY PROBE_LIKELY
#define OUT    PROBE_DIRECTION_OUT
#define BACK   PROBE_DIRECTION_BACK
#define LOCAL  PROBE_DIRECTION_LOCAL
#define HERE   PROBE_PLACE_HERE
#define HEAD   PROBE_PLACE_HEAD
#define PATH   PROBE_PLACE_PATH
#define ROUTER PROBE_PLACE_ROUTER

/* --- the connect fails ------------------------------------------------------------------------ */

static void test_replies_lost(void **state)
{
        Evidence e = silence(); /* B5 */
        e.other.port.syn_recv = 4;
        CHECK(e, VERDICT_REPLIES_LOST, PROVEN, BACK, PATH);
        e.local.undelivered_known = true; /* B4: this machine throws the answers away */
        e.local.undelivered = 9;
        CHECK(e, VERDICT_REPLIES_LOST, PROVEN, BACK, HERE);
        e.local.undelivered = 1; /* of something else */
        CHECK(e, VERDICT_REPLIES_LOST, PROVEN, BACK, PATH);

        e = silence(); /* one may be on its way just now */
        e.other.port.syn_recv = 1;
        CHECK(e, VERDICT_REPLIES_LOST, LIKELY, BACK, PATH);
        e.other.port.syn_recv = 4; /* a neighbour behind the same translator */
        e.other.observed = AP("10.77.2.1", 50001);
        CHECK(e, VERDICT_REPLIES_LOST, LIKELY, BACK, PATH);

        e = silence(); /* they were there before us */
        e.other.before.syn_recv = e.other.port.syn_recv = 3;
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
        e.other.before.known = false; /* or may have been */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
        e = silence(); /* the reflector is on another machine than the port, perhaps */
        e.other.port.syn_recv = 4;
        e.other.local = AP("192.168.7.2", 6388);
        CHECK(e, VERDICT_REPLIES_LOST, LIKELY, BACK, PATH);
        e = silence(); /* too early to speak of silence */
        e.other.port.syn_recv = 4;
        e.tcp.took = 2000 * MS;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        e = silence(); /* B3: ours never left */
        e.other.port.syn_recv = 4;
        e.local.retrans_fail = 5;
        CHECK(e, VERDICT_LOCAL_FIREWALL, LIKELY, LOCAL, HERE);
}

static void test_head_drops_answers(void **state)
{
        Evidence e = silence(); /* B6 */
        e.other.rise.no_routes = e.other.rise.listen_drops = 9;
        CHECK(e, VERDICT_HEAD_NO_RETURN_ROUTE, LIKELY, BACK, HEAD);
        e.other.route_known = true;
        e.other.route_error = ENETUNREACH;
        CHECK(e, VERDICT_HEAD_NO_RETURN_ROUTE, PROVEN, BACK, HEAD);
        e.other.observed = e.other.here = AP("192.168.7.9", 1); /* seen on another way */
        CHECK(e, VERDICT_HEAD_NO_RETURN_ROUTE, LIKELY, BACK, HEAD);
        e = silence(); /* somebody else's packets: the listener dropped none */
        e.other.rise.no_routes = 9;
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
        e.other.rise.no_routes = e.other.rise.listen_drops = 2; /* too few */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);

        e = silence(); /* B8 */
        e.other.rise.rp_filter = 9;
        CHECK(e, VERDICT_HEAD_RPFILTER, LIKELY, OUT, HEAD);
        e.other.rise.rp_filter = 2;
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
}

static void test_backlog(void **state)
{
        Evidence e = silence(); /* B9 */
        e.other.rise.listen_overflows = e.other.rise.listen_drops = 9;
        e.other.port.room = 16;
        e.other.port.queue = 17;
        CHECK(e, VERDICT_BACKLOG_FULL, PROVEN, OUT, HEAD);
        e.other.port.queue = 16; /* not over its room now */
        CHECK(e, VERDICT_BACKLOG_FULL, LIKELY, OUT, HEAD);
        e.other.port.queue = 17;
        e.other.rise.listen_overflows = 1; /* of somebody else, perhaps */
        CHECK(e, VERDICT_BACKLOG_FULL, LIKELY, OUT, HEAD);
        e.other.rise.listen_overflows = 0; /* full, and none of ours came that far */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
        e.other.rise.listen_overflows = 9; /* another port's */
        e.other.port.queue = 0;
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
}

static void test_filtered(void **state)
{
        Evidence e = silence(); /* B1 */
        e.other.rise.undelivered = 9;
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, HEAD);
        unsigned sent = syns_sent(&e); /* it was late, and counts the rest */
        e.syns_before = sent - 3;
        e.other.rise.undelivered = 3;
        assert_int_equal(syns_fate(&e), SYNS_AT_HEAD);
        e.syns_before = sent; /* too late */
        e.other.rise.undelivered = 0;
        assert_int_equal(syns_fate(&e), SYNS_UNKNOWN);
        e.syns_before = 0;
        e.other.rise.undelivered = 0; /* B2 */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
        e.other.rise.undelivered = 1; /* of somebody else */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, PATH);
        e.other.rise.undelivered = 2; /* B1 or B2, and some noise */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, HEAD);
        e.other.rise.undelivered_known = false;
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, HEAD);
        e.other.rise.known = e.other.port.known = false; /* it never looked */
        CHECK(e, VERDICT_FILTERED_SILENTLY, LIKELY, OUT, HEAD);
        e.other.answered = e.life.alive = false;
        strcpy(e.other.text, "no answer");
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
}

static void test_reset(void **state)
{
        Evidence e = reset(); /* A1 */
        e.other.port = (PortView){.known = true};
        CHECK(e, VERDICT_PORT_CLOSED, PROVEN, OUT, HEAD);

        e = reset(); /* 51 */
        e.other.port.loopback_only = true;
        CHECK(e, VERDICT_HEAD_LOOPBACK_ONLY, PROVEN, OUT, HEAD);
        e.other.rise.resets = 0; /* and a firewall before it */
        CHECK(e, VERDICT_HEAD_LOOPBACK_ONLY, LIKELY, OUT, HEAD);
        e.other.rise.resets = 1; /* of another machine */
        e.other.local = AP("192.168.7.2", 6388);
        CHECK(e, VERDICT_HEAD_LOOPBACK_ONLY, LIKELY, OUT, HEAD);

        e = reset(); /* it was met, and did not answer any more: what it said before is a hint */
        e.other.port.known = e.other.rise.known = false;
        CHECK(e, VERDICT_PORT_CLOSED, LIKELY, OUT, HEAD);
        e.other.before.loopback_only = true;
        CHECK(e, VERDICT_HEAD_LOOPBACK_ONLY, LIKELY, OUT, HEAD);
        e.other.before = (PortView){.known = true};
        CHECK(e, VERDICT_PORT_CLOSED, PROVEN, OUT, HEAD);

        e = reset(); /* A2 */
        e.other.rise.resets = 0;
        e.other.rise.undelivered = 1;
        CHECK(e, VERDICT_REFUSED_BY_FIREWALL, LIKELY, OUT, HEAD);
        e.syns_before = syns_sent(&e); /* it came before the counters were read */
        CHECK(e, VERDICT_PORT_CLOSED, LIKELY, OUT, HEAD);
        e.syns_before = 0;
        e.other.rise.undelivered = 0; /* A3 */
        CHECK(e, VERDICT_REFUSED_BY_FIREWALL, LIKELY, OUT, PATH);
        e.other.rise.resets = 3; /* listens, and yet its kernel refuses */
        CHECK(e, VERDICT_PORT_CLOSED, LIKELY, OUT, HEAD);
        e.local.tx_known = e.local.tx_silent = true; /* A6 */
        CHECK(e, VERDICT_LOCAL_FIREWALL, LIKELY, LOCAL, HERE);

        e = reset(); /* A4: told by ICMP already */
        e.tcp.icmp = (IcmpNote){.seen = true, .type = 3, .code = 3, .from = A("10.77.2.2")};
        CHECK(e, VERDICT_REFUSED_BY_FIREWALL, PROVEN, OUT, HEAD);
}

/* --- it serves: the rows of probe.md 3.1 --------------------------------------------------------
 */

static void test_no_nat(void **state)
{
        Evidence e = serving(); /* row 1 */
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
        try_of(&e, 0)->ours = false; /* Ray has this one already */
        try_of(&e, 0)->result = BACK_OPEN;
        try_of(&e, 1)->ours = false; /* and nobody that one */
        try_of(&e, 1)->result = BACK_REFUSED;
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);

        e = serving(); /* row 2 */
        back(&e, "10.77.1.2", BACK_SILENT);
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, PATH);
        e.back.undelivered_known = true;
        e.back.undelivered = 16;
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HERE);
        e.back.undelivered = e.other.n_back - 1; /* multicast came meanwhile */
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HERE);
        e.back.undelivered = e.other.n_back / 2; /* of something else as well */
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, PATH);
        e.back.undelivered = 16;
        e.other.n_back = 2; /* two ports may be bad luck */
        CHECK(e, VERDICT_REVERSE_BLOCKED, LIKELY, BACK, HERE);

        e = serving(); /* row 3 */
        rejected(&e, "10.77.1.2", "10.77.2.1");
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, ROUTER);
        check_where(&e, "10.77.2.1", __LINE__);
        for (size_t i = 2; i < e.other.n_back; i++)
                try_of(&e, i)->result = BACK_SILENT; /* ICMP is rationed */
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, ROUTER);

        e = serving(); /* this machine rejects */
        rejected(&e, "10.77.1.2", "10.77.1.2");
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HERE);
        e = serving(); /* the head forbids itself */
        rejected(&e, "10.77.1.2", "10.77.2.2");
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HEAD);
        e = serving();
        no_way(&e, "10.77.1.2", EPERM);
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HEAD);
        e = serving(); /* resets, although we listen: a firewall, or another machine */
        back(&e, "10.77.1.2", BACK_REFUSED);
        CHECK(e, VERDICT_REVERSE_BLOCKED, LIKELY, BACK, PATH);
}

#define BLOCKED(e, sampled, text) blocked(&(e), (sampled), (text), __LINE__)
static void blocked(const Evidence *e, const PortSpan *sampled, const char *text, int line)
{
        _cleanup_free_ char *words = back_blocked_words(&e->other, &e->other.observed, sampled);
        if (!streq_ptr(words, text))
                fail_msg("line %d: %s, expected %s", line, strna(words), text);
}

static void test_partial(void **state)
{
        Evidence e = serving();
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        for (size_t i = 4; i < 8; i++)
                try_of(&e, i)->result = BACK_SILENT;
        CHECK(e, VERDICT_REVERSE_PORTS_PARTIAL, PROVEN, BACK, PATH);
        BLOCKED(e, &e.back.sampled, "10002-19999");
        /* of a range not sampled, every port is its own */
        BLOCKED(e, NULL, "10002, 12500, 17000, 19999");
        try_of(&e, 6)->result = BACK_NONCE_OK;
        BLOCKED(e, &e.back.sampled, "10002-12500, 19999");
        try_of(&e, 0)->last_port = 6379; /* nonsense of a stranger */
        BLOCKED(e, &e.back.sampled, "10002-12500, 19999");
        e = serving(); /* a reset where we listen is none of our kernel */
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        try_of(&e, 1)->result = try_of(&e, 2)->result = BACK_REFUSED;
        CHECK(e, VERDICT_REVERSE_PORTS_PARTIAL, LIKELY, BACK, PATH);
        BLOCKED(e, &e.back.sampled, "6381-6382");
        try_of(&e, 2)->ours = false; /* and one where nobody does is */
        BLOCKED(e, &e.back.sampled, "6381");
        e = serving(); /* one port may be bad luck */
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        try_of(&e, 3)->result = BACK_SILENT;
        CHECK(e, VERDICT_REVERSE_PORTS_PARTIAL, LIKELY, BACK, PATH);
        try_of(&e, 3)->result = BACK_REJECTED; /* somebody says so */
        try_of(&e, 3)->icmp =
                (IcmpNote){.seen = true, .type = 3, .code = 13, .from = A("10.77.1.1")};
        CHECK(e, VERDICT_REVERSE_PORTS_PARTIAL, PROVEN, BACK, ROUTER);
}

static void translated(Evidence *e)
{
        e->other.observed = AP("10.77.2.1", 50001);
}

static void test_nat(void **state)
{
        Evidence e = serving(); /* row 4 */
        translated(&e);
        back(&e, "10.77.2.1", BACK_REFUSED);
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_NAT_ONE_WAY, PROVEN, BACK, PATH);
        e.other.n_back = 0; /* by both: nothing is wrong */
        back(&e, "10.77.2.1", BACK_NONCE_OK);
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);

        e = serving(); /* row 5 */
        translated(&e);
        back(&e, "10.77.2.1", BACK_REFUSED);
        no_way(&e, "10.77.1.2", ENETUNREACH);
        CHECK(e, VERDICT_NAT_NO_WAY_BACK, PROVEN, BACK, PATH);
        e.other.n_back = 0; /* row 6 */
        back(&e, "10.77.2.1", BACK_WRONG_NONCE);
        no_way(&e, "10.77.1.2", ENETUNREACH);
        CHECK(e, VERDICT_NAT_NO_WAY_BACK, PROVEN, BACK, PATH);
        e.other.n_back = 0; /* silence may be a firewall in front of a route */
        back(&e, "10.77.2.1", BACK_REFUSED);
        back(&e, "10.77.1.2", BACK_SILENT);
        CHECK(e, VERDICT_NAT_NO_WAY_BACK, LIKELY, BACK, PATH);
        e.other.n_back = 0; /* the same address in another network */
        back(&e, "10.77.2.1", BACK_REFUSED);
        back(&e, "10.77.1.2", BACK_WRONG_NONCE);
        CHECK(e, VERDICT_NAT_NO_WAY_BACK, PROVEN, BACK, PATH);

        /* a firewall stands in a way that is there: it can be opened */
        e.other.n_back = 0;
        back(&e, "10.77.2.1", BACK_REFUSED);
        rejected(&e, "10.77.1.2", "10.77.1.2");
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HERE);
        for (size_t i = 8; i < e.other.n_back; i++) /* "no route", says a router */
                try_of(&e, i)->icmp =
                        (IcmpNote){.seen = true, .type = 3, .code = 0, .from = A("10.77.2.1")};
        CHECK(e, VERDICT_NAT_NO_WAY_BACK, PROVEN, BACK, PATH);
        e.other.n_back = 0;
        back(&e, "10.77.2.1", BACK_REFUSED);
        no_way(&e, "10.77.1.2", EPERM);
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, HEAD);
        e.other.n_back = 0;
        back(&e, "10.77.2.1", BACK_REFUSED);
        back(&e, "10.77.1.2", BACK_SILENT);
        e.back.undelivered_known = true;
        e.back.undelivered = 20;
        CHECK(e, VERDICT_REVERSE_BLOCKED, LIKELY, BACK, HERE);

        e = serving(); /* row 7 */
        translated(&e);
        back(&e, "10.77.2.1", BACK_NONCE_OK);
        no_way(&e, "10.77.1.2", ENETUNREACH);
        CHECK(e, VERDICT_NAT_FORWARDED, PROVEN, BACK, PATH);
        e.other.n_back = 0; /* the other way may be a firewall's, too */
        back(&e, "10.77.2.1", BACK_NONCE_OK);
        back(&e, "10.77.1.2", BACK_SILENT);
        CHECK(e, VERDICT_NAT_FORWARDED, LIKELY, BACK, PATH);

        e = serving(); /* an open port of the translator's is no word of ours */
        translated(&e);
        back(&e, "10.77.2.1", BACK_OPEN);
        for (size_t i = 0; i < e.other.n_back; i++)
                try_of(&e, i)->ours = false;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
}

static void test_dnat(void **state)
{
        Evidence e = serving(); /* row 8 */
        e.addr = AP("10.77.1.9", 6379);
        e.other.dialled = AP("10.77.1.9", 6388);
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_HEAD_BEHIND_DNAT, PROVEN, OUT, HEAD);
        check_where(&e, "10.77.2.2", __LINE__);
        e.other.head_node = A("10.77.1.9"); /* Ray there was told the address that works */
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
        e.other.head_node = (Addr){0};
        e.other.n_back = 0; /* what is worse goes first */
        back(&e, "10.77.1.2", BACK_SILENT);
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, PATH);
        e = serving(); /* the reflector was found at another address of the head */
        e.other.dialled = AP("192.168.7.2", 6388);
        e.other.local = AP("192.168.7.3", 6388);
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
}

static void test_wrong_peer(void **state)
{
        Evidence e = serving();
        back(&e, "10.77.1.2", BACK_WRONG_NONCE);
        CHECK(e, VERDICT_WRONG_PEER, PROVEN, BACK, PATH);
        e.other.n_back = 1;
        CHECK(e, VERDICT_WRONG_PEER, LIKELY, BACK, PATH);
        e = serving(); /* some ports are ours */
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        try_of(&e, 0)->result = try_of(&e, 1)->result = BACK_WRONG_NONCE;
        CHECK(e, VERDICT_WRONG_PEER, LIKELY, BACK, PATH);
        e = serving(); /* connected and not a word: nothing is known */
        back(&e, "10.77.1.2", BACK_OPEN);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
}

static void test_node_address(void **state)
{
        Evidence e = serving(); /* probe.md 2.7 */
        e.back.node = A("192.168.50.7");
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        no_way(&e, "192.168.50.7", ENETUNREACH);
        CHECK(e, VERDICT_WRONG_INTERFACE, PROVEN, LOCAL, HERE);
        e.other.n_back = 0; /* the announced address works as well: a second interface */
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        back(&e, "192.168.50.7", BACK_NONCE_OK);
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
        e.other.n_back = 0; /* neither works: not the choice of the address */
        back(&e, "10.77.1.2", BACK_SILENT);
        back(&e, "192.168.50.7", BACK_SILENT);
        CHECK(e, VERDICT_REVERSE_BLOCKED, PROVEN, BACK, PATH);
        e.other.n_back = 0; /* not tried */
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
}

/* A question for both ways is not answered by one of them. */
static void test_half(void **state)
{
        Evidence e = serving();
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        e.other.answered = false;
        e.cut = true; /* before anything was heard */
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        e.cut = false;
        strcpy(e.other.text, "the code is another one");
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        back(&e, "10.77.1.2", BACK_NOT_TRIED);
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        e.other.answered = true;
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
        e.other.bulk_asked = e.other.bulk_known = e.other.down_known = true;
        CHECK(e, VERDICT_OK, PROBE_LIKELY, OUT, HEAD); /* no line for the other direction came up */
        e.other.up_known = true;
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
        e.other.bulk_waits = true; /* and the end came first */
        e.cut = true;
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        e.other.bulk_waits = false;
        e.other.text[0] = '\0';
        e.other.back_waits = true; /* the fixed ports are open, the range was not heard of */
        CHECK(e, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, OUT, PROBE_PLACE_UNKNOWN);
        assert_string_equal(text_other_side(&e), "the time was over before all of it was tried");
        try_of(&e, 3)->result = BACK_REJECTED; /* what is known is said all the same */
        CHECK(e, VERDICT_REVERSE_PORTS_PARTIAL, PROVEN, BACK, PATH);
        e.other = (Reflection){0}; /* nobody was to be asked */
        CHECK(e, VERDICT_OK, PROVEN, OUT, HEAD);
}

/* What is proven of the quality of the way goes before what is likely of the way back. */
static void test_quality(void **state)
{
        Evidence e = serving();
        back(&e, "10.77.1.2", BACK_NONCE_OK);
        try_of(&e, 3)->result = BACK_SILENT;
        e.large.out = LARGE_HOLE;
        CHECK(e, VERDICT_MTU_HOLE_OUT, PROVEN, OUT, PATH);
        try_of(&e, 4)->result = try_of(&e, 5)->result = BACK_SILENT; /* now both are proven */
        CHECK(e, VERDICT_REVERSE_PORTS_PARTIAL, PROVEN, BACK, PATH);
        e.other.n_back = 0; /* nothing is known of the way back */
        back(&e, "10.77.1.2", BACK_OPEN);
        CHECK(e, VERDICT_MTU_HOLE_OUT, PROVEN, OUT, PATH);
}

/* Whatever a reflector counts: without a listener's own table nothing is proven of a silent port.
 */
static void test_counters_are_never_proof(void **state)
{
        for (unsigned i = 0; i < 1U << 6; i++) {
                Evidence e = silence();
                Judgement j;
                e.other.rise.listen_overflows = i & 1 ? 9 : 0;
                e.other.rise.listen_drops = i & 2 ? 9 : 0;
                e.other.rise.rp_filter = i & 4 ? 9 : 0;
                e.other.rise.no_routes = i & 8 ? 9 : 0;
                e.other.rise.resets = i & 16 ? 9 : 0;
                e.other.rise.undelivered = i & 32 ? 9 : 0;
                judge(&e, &j);
                assert_int_not_equal(j.confidence, PROBE_PROVEN);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_replies_lost),
                cmocka_unit_test(test_head_drops_answers),
                cmocka_unit_test(test_backlog),
                cmocka_unit_test(test_filtered),
                cmocka_unit_test(test_reset),
                cmocka_unit_test(test_no_nat),
                cmocka_unit_test(test_partial),
                cmocka_unit_test(test_nat),
                cmocka_unit_test(test_dnat),
                cmocka_unit_test(test_wrong_peer),
                cmocka_unit_test(test_node_address),
                cmocka_unit_test(test_half),
                cmocka_unit_test(test_quality),
                cmocka_unit_test(test_counters_are_never_proof),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
