#include "probe/judge.h"

#include <errno.h>
#include <stdlib.h>

#include "base/alloc.h"

static bool neigh_owes(NeighState s)
{
        return s == NEIGH_INCOMPLETE || s == NEIGH_FAILED || s == NEIGH_PROBE;
}

/* The next machine on the way does not answer ARP or ND: the head itself, or the gateway. */
static void say_neighbour(const Evidence *e, Judgement *j, ProbeConfidence c)
{
        if (addr_is_set(&e->local.route.gateway))
                say(j, VERDICT_GATEWAY_DEAD, c, PROBE_DIRECTION_OUT, PROBE_PLACE_ROUTER,
                    &e->local.route.gateway);
        else
                say(j, VERDICT_NEIGHBOUR_DEAD, c, PROBE_DIRECTION_OUT, PROBE_PLACE_HEAD, &e->addr);
}

static bool judge_name(const Evidence *e, Judgement *j)
{
        if (e->name == NAME_NOT_THERE)
                say(j, VERDICT_NAME_NOT_FOUND, PROBE_PROVEN, PROBE_DIRECTION_LOCAL, PROBE_PLACE_DNS,
                    NULL);
        else if (e->name == NAME_NO_ANSWER)
                say(j, VERDICT_DNS_UNAVAILABLE, PROBE_PROVEN, PROBE_DIRECTION_LOCAL,
                    PROBE_PLACE_DNS, NULL);
        else if (e->name == NAME_UNKNOWN || !addr_is_set(&e->addr))
                say_open(j);
        else
                return false;
        return true;
}

/* What was asked for cannot be sent at all, whoever listens. */
static bool judge_wish(const Evidence *e, Judgement *j)
{
        if (addr_is_link_local(&e->addr) && e->addr.family == AF_INET6 && e->addr.scope == 0)
                say_local(j, VERDICT_SCOPE_MISSING, PROBE_PROVEN);
        else if (e->local.source != SOURCE_FREE)
                say_local(j, VERDICT_WRONG_INTERFACE, PROBE_PROVEN);
        else
                return false;
        return true;
}

static void say_no_route(const Evidence *e, Judgement *j)
{
        if (e->local.down_known)
                say_local(j, VERDICT_LINK_DOWN, e->local.down_covers ? PROBE_PROVEN : PROBE_LIKELY);
        else
                say_local(j, VERDICT_NO_ROUTE_LOCAL, PROBE_PROVEN);
}

/* connect() failed before anything was sent. */
static bool judge_at_once(const Evidence *e, Judgement *j)
{
        if (!e->connected || e->tcp.outcome != CONNECT_FAILED || !e->tcp.at_once ||
            e->tcp.icmp.seen)
                return false;
        switch (e->tcp.error) {
        case ENETUNREACH:
                say_no_route(e, j);
                return true;
        case EPERM:
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);
                return true;
        case EADDRNOTAVAIL:
        case EADDRINUSE:
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
                say_local(j, VERDICT_LOCAL_RESOURCES, PROBE_PROVEN);
                return true;
        case EINVAL:
        case EHOSTUNREACH:
        case EACCES:
                /* the route look-up says the same, or something else forbids it */
                say_local(j, VERDICT_ROUTE_FORBIDS,
                          e->local.route_error == e->tcp.error ? PROBE_PROVEN : PROBE_LIKELY);
                return true;
        default:
                say_open(j);
                return true;
        }
}

static bool judge_link(const Evidence *e, Judgement *j)
{
        bool answered = e->tcp.outcome == CONNECT_FAILED && !e->tcp.at_once && !e->icmp_own;
        if (!e->local.link_known || e->local.link.loopback || answered ||
            (e->local.link.up && e->local.link.carrier))
                return false;
        say_local(j, VERDICT_LINK_DOWN, PROBE_PROVEN);
        return true;
}

/* Our own kernel made the ICMP: it gave up on the neighbour, or a rule of ours refused. */
static void judge_icmp_own(const Evidence *e, IcmpMeaning m, Judgement *j)
{
        if (m != ICMP_MEANS_HOST)
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);
        else if (e->local.has_neigh && neigh_owes(e->local.neigh))
                say_neighbour(e, j, PROBE_PROVEN);
        else if (e->tcp.took < JUDGE_AT_ONCE)
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY);
        else
                say_neighbour(e, j, PROBE_LIKELY);
}

static void judge_icmp_head(const Evidence *e, IcmpMeaning m, Judgement *j)
{
        /* a host that can send this is not itself unreachable: any code but "port" is a filter's */
        if (m == ICMP_MEANS_PORT)
                say_head(e, j, VERDICT_REFUSED_BY_FIREWALL, PROBE_PROVEN);
        else if (m == ICMP_MEANS_UNKNOWN || m == ICMP_MEANS_LOOP)
                say_head(e, j, VERDICT_REJECTED_AT_HEAD, PROBE_LIKELY);
        else
                say_head(e, j, VERDICT_REJECTED_AT_HEAD, PROBE_PROVEN);
}

/* A router that refuses one port and not another has a route: a rule of it says "unreachable". */
static bool knows_ports(const Evidence *e)
{
        return e->repeated && e->repeat_answered && !e->repeat_same;
}

/* "Host unreachable": the router got no answer to its ARP, or has a route that says so. An ARP that
 * it began for somebody else may end just while we ask; two quick refusals in a row show that it
 * does not ask at all. */
static void judge_icmp_host(const Evidence *e, Verdict *v, ProbeConfidence *c)
{
        bool quick = e->tcp.took < JUDGE_AT_ONCE;
        *v = VERDICT_HOST_DOWN_REMOTE;
        *c = PROBE_PROVEN;
        if (e->tcp.took >= JUDGE_SILENCE)
                return;
        if (knows_ports(e) && quick && e->repeat_took < JUDGE_AT_ONCE)
                *v = VERDICT_REJECTED_ON_PATH;
        else if (e->repeat_same && quick && e->repeat_took < JUDGE_AT_ONCE) {
                *v = VERDICT_NO_ROUTE_REMOTE;
                *c = PROBE_LIKELY; /* a rule for all ports looks the same */
        } else if (!e->repeat_same || e->repeat_took < JUDGE_AT_ONCE)
                *c = PROBE_LIKELY;
}

static void judge_icmp_router(const Evidence *e, IcmpMeaning m, Judgement *j)
{
        Verdict v = VERDICT_REJECTED_ON_PATH;
        ProbeConfidence c = PROBE_PROVEN;

        switch (m) {
        case ICMP_MEANS_PORT:
                v = VERDICT_REFUSED_BY_FIREWALL;
                break;
        case ICMP_MEANS_PROHIBITED:
        case ICMP_MEANS_PROTO:
                break;
        case ICMP_MEANS_NET:
                if (knows_ports(e))
                        break;
                v = VERDICT_NO_ROUTE_REMOTE;
                c = e->repeat_same ? PROBE_PROVEN : PROBE_LIKELY;
                break;
        case ICMP_MEANS_LOOP:
                v = VERDICT_NO_ROUTE_REMOTE;
                c = PROBE_LIKELY;
                break;
        case ICMP_MEANS_HOST:
                judge_icmp_host(e, &v, &c);
                break;
        case ICMP_MEANS_UNKNOWN:
        default:
                c = PROBE_LIKELY;
                break;
        }
        say(j, v, c, PROBE_DIRECTION_OUT, PROBE_PLACE_ROUTER, &e->tcp.icmp.from);
}

static bool judge_failure(const Evidence *e, Judgement *j)
{
        if (!e->connected || e->tcp.outcome != CONNECT_FAILED)
                return false;
        if (e->tcp.icmp.seen && addr_is_set(&e->tcp.icmp.from)) {
                IcmpMeaning m = icmp_meaning(e->addr.family, &e->tcp.icmp);
                if (e->icmp_own && !e->local.own)
                        judge_icmp_own(e, m, j);
                else if (addr_equal(&e->tcp.icmp.from, &e->addr))
                        judge_icmp_head(e, m, j);
                else
                        judge_icmp_router(e, m, j);
                return true;
        }
        if (e->tcp.error == ECONNREFUSED) {
                if (e->local.tx_known && e->local.tx_silent)
                        /* a reset came, yet nothing was sent: a rule of ours made it */
                        say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY);
                else
                        say_head(e, j, VERDICT_PORT_CLOSED, PROBE_PROVEN);
        } else if (e->tcp.error == ECONNRESET || e->tcp.error == EPIPE)
                /* a SYN that is refused gives ECONNREFUSED: this one was accepted first */
                say_head(e, j, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY);
        else if (e->tcp.error == EPERM)
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);
        else if (e->tcp.error == EHOSTUNREACH && e->local.has_neigh && neigh_owes(e->local.neigh))
                say_neighbour(e, j, PROBE_LIKELY);
        else
                say_open(j);
        return true;
}

/* Nothing came back, and nobody is left who would still say why: a neighbour that is known is not
 * asked for again, and a way on which no router speaks has none that tells of a dead host. */
static usec_t dead_after(const Evidence *e)
{
        bool near = e->local.has_neigh && !addr_is_set(&e->local.route.gateway);
        return near || (e->ladder.ended && e->ladder.n_hops == 0) ? JUDGE_SILENCE : JUDGE_DEAD;
}

/* One at least for each SYN. */
bool answers_filtered(const Evidence *e)
{
        const LocalFacts *l = &e->local;
        return e->addr.family == AF_INET && l->rp_filter_known && e->tcp.n_sockets >= 3 &&
               l->rp_filter >= e->tcp.n_sockets;
}

/* Nothing came back. From here a filter at the head, one on the way, a lost answer and a full queue
 * all look the same: never more than likely. */
static bool judge_silence(const Evidence *e, Judgement *j)
{
        if (!e->connected || e->tcp.outcome != CONNECT_PENDING)
                return false;
        const LocalFacts *l = &e->local;
        bool own_drop = l->retrans_fail_known && e->tcp.total_retrans > 0 &&
                        l->retrans_fail >= e->tcp.total_retrans;
        if (own_drop)
                say_local(j, VERDICT_LOCAL_FIREWALL,
                          l->udp_forbidden ? PROBE_PROVEN : PROBE_LIKELY);
        else if (l->udp_forbidden && e->tcp.segs_in == 0 && e->tcp.took >= JUDGE_SILENCE)
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_LIKELY);
        else if (l->has_neigh && l->neigh == NEIGH_FAILED)
                say_neighbour(e, j, PROBE_PROVEN);
        else if (l->has_neigh && neigh_owes(l->neigh) && e->tcp.took >= JUDGE_NEIGH)
                say_neighbour(e, j, PROBE_LIKELY);
        else if (l->usual_answered && e->tcp.took >= JUDGE_USUAL)
                say_local(j, VERDICT_WRONG_INTERFACE, PROBE_PROVEN);
        else if (answers_filtered(e) && e->tcp.took >= JUDGE_SILENCE)
                say(j, VERDICT_REPLIES_LOST, PROBE_LIKELY, PROBE_DIRECTION_BACK, PROBE_PLACE_HERE,
                    NULL);
        else if (e->life.alive && e->tcp.took >= JUDGE_SILENCE)
                say_filtered(e, j);
        else if (e->life.asked && e->tcp.took >= dead_after(e))
                say_head(e, j, VERDICT_HOST_SILENT, PROBE_LIKELY);
        else
                say_open(j);
        return true;
}

/* A name that means this machine here is a cause of its own, unless a GCS really is here. */
static void mend_loopback(const Evidence *e, Judgement *j)
{
        if (e->name == NAME_RESOLVED && addr_is_loopback(&e->addr) &&
            !streq(e->host, "localhost") &&
            !(e->connected && e->tcp.outcome == CONNECT_ESTABLISHED))
                say_local(j, VERDICT_NAME_IS_LOOPBACK, PROBE_PROVEN);
}

/* Ray is served: its other ports, the way back, and how well. A proof goes before a guess; but what
 * works badly is said of what works. */
static bool judge_ways(const Evidence *e, Judgement *j)
{
        Judgement back, quality;

        if (judge_ports(e, j)) {
                if (j->confidence != PROBE_PROVEN && judge_way_back(e, &back) &&
                    back.confidence == PROBE_PROVEN)
                        *j = back;
                return true;
        }
        if (!judge_way_back(e, j))
                return judge_quality(e, j);
        if (j->confidence != PROBE_PROVEN && judge_quality(e, &quality) &&
            quality.confidence < j->confidence)
                *j = quality;
        return true;
}

/* There is a connection: the service, then who we are to it, then its other ports, the way
 * back, and how well. */
static void judge_connection(const Evidence *e, Judgement *j)
{
        if (!judge_tls(e, j) && !judge_hello(e, j) && !judge_alive(e, j) && !judge_ways(e, j) &&
            !judge_untried(e, j) && !judge_half(e, j) && !judge_unmeasured(e, j))
                say_head(e, j, VERDICT_OK, large_is_unknown(e) ? PROBE_LIKELY : PROBE_PROVEN);
}

/* There is none: what this machine knows, what the other side saw, what came back, what did not. */
static void judge_attempt(const Evidence *e, Judgement *j)
{
        if (!judge_at_once(e, j) && !judge_link(e, j) && !judge_other_side(e, j) &&
            !judge_failure(e, j) && !judge_silence(e, j))
                say_open(j);
}

void judge(const Evidence *e, Judgement *ret)
{
        if (judge_name(e, ret) || judge_wish(e, ret))
                return;
        if (!e->connected)
                say_open(ret);
        else if (e->tcp.outcome == CONNECT_ESTABLISHED)
                judge_connection(e, ret);
        else
                judge_attempt(e, ret);
        mend_loopback(e, ret);
}

Verdict judge_from_here(const Evidence *e)
{
        Judgement j = {.verdict = VERDICT_INCONCLUSIVE};
        Evidence *here = new0(Evidence, 1);
        if (!here)
                return j.verdict;
        *here = *e;
        here->other = (Reflection){0};
        here->ports = NULL;
        here->all = false;
        judge(here, &j);
        free(here);
        return j.verdict;
}
