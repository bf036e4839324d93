#include "reflect/reflector.h"

#include <stdarg.h>
#include <stdio.h>

#include "sys/netlink.h"

typedef struct PeerTest {
        Addr peer;
        usec_t last[2]; /* a list of ports; a whole range */
} PeerTest;

struct Reflector {
        sd_event *event; /* weak */
        ReflectPolicy policy;
        ReflectorOps ops;
        void *userdata;
        BackBudget budget;
        unsigned n_tests;
        PeerTest peers[REFLECT_PEERS_MAX];
        size_t n_peers;
};

struct ReflectAsker {
        Reflector *reflector; /* weak */
        ViewEnds ends;
        usec_t rtt;
        ViewCounters then; /* at BEGIN */
        uint16_t port;     /* of the latest request that named one */
        Addr claimed[CLAIMED_MAX];
        size_t n_claimed;
        Addr own[REFLECT_OWN_MAX]; /* where it may be connected back to, if that is known: */
        size_t n_own;
        bool own_known;
        Back *back;           /* the test that runs: of single ports, */
        BackRangeTest *range; /* or of a whole range */
        ReflectReply reply;   /* to it */
        reflect_reply_cb cb;
        void *userdata;
};

int reflector_new(sd_event *event, const ReflectPolicy *policy, const ReflectorOps *ops,
                  void *userdata, Reflector **ret)
{
        Reflector *r = new0(Reflector, 1);
        if (!r)
                return -ENOMEM;
        r->event = event;
        r->ops = *ops;
        r->userdata = userdata;
        reflector_set_policy(r, policy);
        *ret = r;
        return 0;
}

void reflector_set_policy(Reflector *r, const ReflectPolicy *policy)
{
        r->policy = *policy;
        if (r->policy.back.interval == 0)
                r->policy.back.interval = BACK_INTERVAL;
}

Reflector *reflector_free(Reflector *r)
{
        free(r);
        return NULL;
}

int reflect_asker_new(Reflector *r, const ViewEnds *ends, usec_t rtt, reflect_reply_cb cb,
                      void *userdata, ReflectAsker **ret)
{
        ReflectAsker *a = new0(ReflectAsker, 1);
        if (!a)
                return -ENOMEM;
        a->reflector = r;
        a->ends = *ends;
        addr_unmap(&a->ends.observed);
        addr_unmap(&a->ends.local);
        a->rtt = rtt;
        a->cb = cb;
        a->userdata = userdata;
        *ret = a;
        return 0;
}

void reflect_asker_set_own(ReflectAsker *a, const Addr *addrs, size_t n)
{
        a->n_own = MIN(n, ELEMENTSOF(a->own));
        for (size_t i = 0; i < a->n_own; i++) {
                a->own[i] = addrs[i];
                addr_unmap(&a->own[i]);
        }
        a->own_known = true;
}

bool reflect_asker_is_busy(const ReflectAsker *a)
{
        return a->back || a->range;
}

static void test_let_go(ReflectAsker *a)
{
        if (!reflect_asker_is_busy(a))
                return;
        a->back = back_free(a->back);
        a->range = back_range_free(a->range);
        a->reflector->n_tests--;
}

ReflectAsker *reflect_asker_free(ReflectAsker *a)
{
        if (!a)
                return NULL;
        test_let_go(a);
        free(a);
        return NULL;
}

/* --- refusals -----------------------------------------------------------------------------------
 */

static int refuse(ReflectReply *p, ReflectRefusal why, const char *fmt, ...) _printf_(3, 4);
static int refuse(ReflectReply *p, ReflectRefusal why, const char *fmt, ...)
{
        va_list ap;

        p->refusal = why;
        va_start(ap, fmt);
        (void)vsnprintf(p->text, sizeof(p->text), fmt, ap);
        va_end(ap);
        return 1;
}

/* The peer's entry; NULL when there is no room, because so many peers tested within the interval.
 */
static PeerTest *peer_of(Reflector *r, const Addr *peer, usec_t now)
{
        PeerTest *oldest = NULL;

        for (size_t i = 0; i < r->n_peers; i++) {
                PeerTest *t = &r->peers[i];
                if (addr_equal(&t->peer, peer))
                        return t;
                if (!oldest || MAX(t->last[0], t->last[1]) < MAX(oldest->last[0], oldest->last[1]))
                        oldest = t;
        }
        if (r->n_peers < REFLECT_PEERS_MAX)
                oldest = &r->peers[r->n_peers++];
        else if (usec_add(MAX(oldest->last[0], oldest->last[1]), r->policy.back.interval) > now)
                return NULL;
        *oldest = (PeerTest){.peer = *peer};
        return oldest;
}

/* 0: the test may begin, and is remembered. */
static int take_turn(ReflectAsker *a, bool range, ReflectReply *p)
{
        Reflector *r = a->reflector;
        usec_t now = now_mono();
        char text[DURATION_MAX];

        if (r->n_tests >= REFLECT_TESTS_MAX)
                return refuse(p, REFLECT_BUSY, "%u tests run already", r->n_tests);
        PeerTest *t = peer_of(r, &a->ends.observed, now);
        if (!t)
                return refuse(p, REFLECT_BUSY, "too many machines were tested just now");
        usec_t free_at = t->last[range] ? usec_add(t->last[range], r->policy.back.interval) : 0;
        if (free_at > now) {
                p->retry = free_at - now;
                return refuse(p, REFLECT_RATE, "the next test may begin in %s",
                              format_duration(text, p->retry));
        }
        t->last[range] = now;
        return 0;
}

/* --- connect back -------------------------------------------------------------------------------
 */

static void tell(ReflectAsker *a)
{
        const ReflectReply *p = &a->reply;
        unsigned n[_BACK_RESULT_MAX] = {0};
        char text[256];
        int k = snprintf(text, sizeof(text), "connected back:");

        if (!a->reflector->ops.on_test)
                return;
        for (size_t i = 0; i < p->n_back; i++)
                n[p->back[i].result] += p->back[i].last_port
                                                ? p->back[i].last_port - p->back[i].addr.port + 1U
                                                : 1U;
        for (BackResult i = 0; i < _BACK_RESULT_MAX; i++)
                if (n[i] > 0 && k > 0 && (size_t)k < sizeof(text))
                        k += snprintf(text + k, sizeof(text) - (size_t)k, " %u %s", n[i],
                                      back_result_to_string(i));
        a->reflector->ops.on_test(a, &a->ends.observed, text, a->reflector->userdata);
}

static void test_ended(ReflectAsker *a, const BackTry *tries, size_t n_tries)
{
        memcpy(a->reply.back, tries, n_tries * sizeof(*tries));
        a->reply.n_back = n_tries;
        tell(a);
        test_let_go(a);
        a->cb(a, &a->reply, a->userdata);
}

static void on_back(Back *b, const BackTry *tries, size_t n_tries, void *userdata)
{
        test_ended(userdata, tries, n_tries);
}

static void on_back_range(BackRangeTest *t, const BackTry *tries, size_t n_tries, void *userdata)
{
        test_ended(userdata, tries, n_tries);
}

static size_t ports_allowed(const BackPolicy *p, const ReflectRequest *q)
{
        size_t n = 0;

        for (size_t i = 0; i < q->n_back; i++)
                n += back_veto_port(p, q->back[i].port) == BACK_MAY;
        for (size_t i = 0; q->back_first > 0 && i < p->n_ports; i++)
                n += q->back_first <= p->ports[i].last && q->back_last >= p->ports[i].first;
        return n;
}

/* Which of what it asks for it may not have, "" when it may have all. */
static void first_forbidden(const BackPolicy *policy, const ReflectRequest *q, const Addr *peer,
                            char *buf, size_t size)
{
        char text[ADDR_MAX];

        buf[0] = '\0';
        for (size_t i = 0; i < q->n_claimed; i++) {
                Addr a = q->claimed[i];
                addr_unmap(&a);
                BackVeto veto = back_veto_addr(policy, peer, &a, netlink_is_own(&a) > 0);
                /* where it comes from is no word of its own */
                if (veto != BACK_MAY && !addr_equal(&a, peer)) {
                        (void)snprintf(buf, size, "%s %s", addr_format(text, &a),
                                       back_veto_to_string(veto));
                        return;
                }
        }
        for (size_t i = 0; i < q->n_back; i++)
                if (back_veto_port(policy, q->back[i].port) != BACK_MAY) {
                        (void)snprintf(buf, size, "port %u %s", q->back[i].port,
                                       back_veto_to_string(BACK_VETO_PORT));
                        return;
                }
}

static void tell_forbidden(ReflectAsker *a, const BackPolicy *policy, const ReflectRequest *q)
{
        const Reflector *r = a->reflector;
        char text[128];

        if (!r->ops.on_forbidden)
                return;
        first_forbidden(policy, q, &a->ends.observed, text, sizeof(text));
        if (!isempty(text))
                r->ops.on_forbidden(a, &a->ends.observed, text, r->userdata);
}

/* > 0: refused. */
static int check_back(const BackPolicy *policy, const ReflectRequest *q, ReflectReply *p)
{
        bool range = q->back_first > 0, nonce = false;

        for (size_t i = 0; i < q->n_back; i++)
                nonce = nonce || q->back[i].nonce;
        if ((q->n_back == 0 && !range) || (nonce && !q->has_nonce))
                return refuse(p, REFLECT_BAD, "a test wants ports, and a nonce where it listens");
        if (range && !policy->range)
                return refuse(p, REFLECT_FORBIDDEN,
                              "whole ranges are tried by ray-probe --serve only");
        if (ports_allowed(policy, q) == 0)
                return refuse(p, REFLECT_FORBIDDEN,
                              "port %u %s here; the port plans of both machines must be the same",
                              range ? q->back_first : q->back[0].port,
                              back_veto_to_string(BACK_VETO_PORT));
        return 0;
}

static int begin_back(ReflectAsker *a, const BackPolicy *policy, const ReflectRequest *q,
                      const Addr *addrs, size_t n_addrs)
{
        Reflector *r = a->reflector;

        if (q->back_first == 0)
                return back_new(r->event, policy, &r->budget, q, addrs, n_addrs, a->rtt, on_back, a,
                                &a->back);
        /* the first one that it claims, if claims count, else its own */
        const Addr *addr = &addrs[0];
        for (size_t i = 0; i < n_addrs && q->n_claimed > 0; i++)
                if (addr_equal(&addrs[i], &q->claimed[0]))
                        addr = &addrs[i];
        return back_range_new(r->event, policy, addr, q->back_first, q->back_last, a->rtt,
                              on_back_range, a, &a->range);
}

static int ask_back(ReflectAsker *a, const ReflectRequest *q, ReflectReply *p)
{
        BackPolicy policy = a->reflector->policy.back;
        Addr addrs[BACK_ADDRS_MAX];
        char text[ADDR_MAX];
        BackVeto veto;

        if (a->own_known) {
                policy.only = a->own;
                policy.n_only = a->n_own;
        }
        tell_forbidden(a, &policy, q);
        if (check_back(&policy, q, p) > 0)
                return 1;
        size_t n = back_addrs(&policy, q, &a->ends.observed, netlink_is_own, addrs, &veto);
        if (n == 0)
                return refuse(p, REFLECT_FORBIDDEN, "%s %s", addr_format(text, &a->ends.observed),
                              back_veto_to_string(veto));
        if (take_turn(a, q->back_first > 0, p) > 0)
                return 1;
        int k = begin_back(a, &policy, q, addrs, n);
        if (k < 0)
                return k;
        a->reflector->n_tests++;
        a->reply = *p;
        return 0;
}

/* --- requests -----------------------------------------------------------------------------------
 */

/* Later requests of a conversation need not repeat who asks and for what. */
static void remember(ReflectAsker *a, const ReflectRequest *q)
{
        if (q->port > 0)
                a->port = q->port;
        if (q->n_claimed > 0) {
                memcpy(a->claimed, q->claimed, sizeof(a->claimed));
                a->n_claimed = q->n_claimed;
        }
}

static void look_at_port(ReflectAsker *a, ReflectReply *p)
{
        Addr from[BACK_ADDRS_MAX] = {a->ends.observed};

        memcpy(from + 1, a->claimed, a->n_claimed * sizeof(*from));
        view_port(a->port, &a->ends, from, 1 + a->n_claimed, &p->port);
}

static int ask_begin(ReflectAsker *a, ReflectReply *p)
{
        view_counters(&a->ends, &a->then);
        view_head(&a->ends, p);
        view_route(&a->ends, p);
        look_at_port(a, p);
        p->head_node = a->reflector->policy.head_node;
        p->head = a->reflector->policy.head;
        return 1;
}

static int ask_look(ReflectAsker *a, ReflectReply *p)
{
        ViewCounters now;

        view_counters(&a->ends, &now);
        view_rise(&a->then, &now, &p->rise);
        view_route(&a->ends, p);
        look_at_port(a, p);
        return 1;
}

int reflect_asker_ask(ReflectAsker *a, const ReflectRequest *q, int64_t t2_usec, ReflectReply *ret)
{
        *ret = (ReflectReply){
                .observed = a->ends.observed, .local = a->ends.local, .t2_usec = t2_usec};

        if (q->version != REFLECT_VERSION)
                return refuse(ret, REFLECT_VERSIONS, "version %u is not spoken here, but %d",
                              q->version, REFLECT_VERSION);
        if (reflect_asker_is_busy(a))
                return refuse(ret, REFLECT_BUSY, "the test before is not through");
        remember(a, q);
        switch (q->kind) {
        case REFLECT_BEGIN:
                return ask_begin(a, ret);
        case REFLECT_LOOK:
                return ask_look(a, ret);
        case REFLECT_BACK:
                return ask_back(a, q, ret);
        case REFLECT_DOWN:
                ret->filler = MIN((size_t)q->bulk, REFLECT_BULK_MAX);
                return 1;
        case REFLECT_UP:
                ret->received = q->filler;
                return 1;
        default:
                return refuse(ret, REFLECT_BAD, "a request of an unknown kind");
        }
}
