#include "probe/verdict.h"

#include <errno.h>

#define ICMP4_UNREACH  3
#define ICMP4_EXCEEDED 11
#define ICMP6_UNREACH  1
#define ICMP6_EXCEEDED 3

/* What an ICMP answer means, whatever the family. */
typedef enum IcmpMeaning {
        MEANS_UNKNOWN,
        MEANS_PORT,       /* nobody there, or a firewall that says so */
        MEANS_PROHIBITED, /* only filters say this */
        MEANS_HOST,       /* the last router, or we, got no answer from the neighbour */
        MEANS_NET,        /* no route */
        MEANS_PROTO,      /* Linux hosts speak TCP: a filter */
        MEANS_LOOP,       /* died of old age on the way */
} IcmpMeaning;

static const struct {
        int family;
        uint8_t type, code;
        IcmpMeaning meaning;
        const char *name;
} icmp_table[] = {
        {AF_INET, ICMP4_UNREACH, 0, MEANS_NET, "net-unreachable"},
        {AF_INET, ICMP4_UNREACH, 1, MEANS_HOST, "host-unreachable"},
        {AF_INET, ICMP4_UNREACH, 2, MEANS_PROTO, "protocol-unreachable"},
        {AF_INET, ICMP4_UNREACH, 3, MEANS_PORT, "port-unreachable"},
        {AF_INET, ICMP4_UNREACH, 6, MEANS_NET, "net-unknown"},
        {AF_INET, ICMP4_UNREACH, 7, MEANS_HOST, "host-unknown"},
        {AF_INET, ICMP4_UNREACH, 9, MEANS_PROHIBITED, "net-prohibited"},
        {AF_INET, ICMP4_UNREACH, 10, MEANS_PROHIBITED, "host-prohibited"},
        {AF_INET, ICMP4_UNREACH, 13, MEANS_PROHIBITED, "admin-prohibited"},
        {AF_INET, ICMP4_EXCEEDED, 0, MEANS_LOOP, "time-exceeded"},
        {AF_INET6, ICMP6_UNREACH, 0, MEANS_NET, "no-route"},
        {AF_INET6, ICMP6_UNREACH, 1, MEANS_PROHIBITED, "admin-prohibited"},
        {AF_INET6, ICMP6_UNREACH, 3, MEANS_HOST, "addr-unreachable"},
        {AF_INET6, ICMP6_UNREACH, 4, MEANS_PORT, "port-unreachable"},
        {AF_INET6, ICMP6_UNREACH, 5, MEANS_PROHIBITED, "policy-fail"},
        {AF_INET6, ICMP6_UNREACH, 6, MEANS_PROHIBITED, "reject-route"},
        {AF_INET6, ICMP6_EXCEEDED, 0, MEANS_LOOP, "time-exceeded"},
};

const char *icmp_name(int family, uint8_t type, uint8_t code)
{
        for (size_t i = 0; i < ELEMENTSOF(icmp_table); i++)
                if (icmp_table[i].family == family && icmp_table[i].type == type &&
                    icmp_table[i].code == code)
                        return icmp_table[i].name;
        return NULL;
}

static IcmpMeaning icmp_meaning(int family, const IcmpNote *n)
{
        for (size_t i = 0; i < ELEMENTSOF(icmp_table); i++)
                if (icmp_table[i].family == family && icmp_table[i].type == n->type &&
                    icmp_table[i].code == n->code)
                        return icmp_table[i].meaning;
        return MEANS_UNKNOWN;
}

static const Addr nowhere = {0};

static void say(Judgement *j, Verdict v, ProbeConfidence c, ProbeDirection d, ProbePlace p,
                const Addr *where)
{
        *j = (Judgement){
                .verdict = v, .confidence = c, .direction = d, .place = p, .where = *where};
        j->where.port = 0;
}

static void say_local(Judgement *j, Verdict v, ProbeConfidence c)
{
        say(j, v, c, PROBE_DIRECTION_LOCAL, PROBE_PLACE_HERE, &nowhere);
}

static void say_head(const Evidence *e, Judgement *j, Verdict v, ProbeConfidence c)
{
        say(j, v, c, PROBE_DIRECTION_OUT, e->local.own ? PROBE_PLACE_HERE : PROBE_PLACE_HEAD,
            &e->addr);
}

static void say_open(Judgement *j)
{
        say(j, VERDICT_INCONCLUSIVE, PROBE_INCONCLUSIVE, PROBE_DIRECTION_OUT, PROBE_PLACE_UNKNOWN,
            &nowhere);
}

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
                    &nowhere);
        else if (e->name == NAME_NO_ANSWER)
                say(j, VERDICT_DNS_UNAVAILABLE, PROBE_PROVEN, PROBE_DIRECTION_LOCAL,
                    PROBE_PLACE_DNS, &nowhere);
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
        if (m != MEANS_HOST)
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
        if (m == MEANS_PORT)
                say_head(e, j, VERDICT_REFUSED_BY_FIREWALL, PROBE_PROVEN);
        else if (m == MEANS_UNKNOWN || m == MEANS_LOOP)
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
        case MEANS_PORT:
                v = VERDICT_REFUSED_BY_FIREWALL;
                break;
        case MEANS_PROHIBITED:
        case MEANS_PROTO:
                break;
        case MEANS_NET:
                if (knows_ports(e))
                        break;
                v = VERDICT_NO_ROUTE_REMOTE;
                c = e->repeat_same ? PROBE_PROVEN : PROBE_LIKELY;
                break;
        case MEANS_LOOP:
                v = VERDICT_NO_ROUTE_REMOTE;
                c = PROBE_LIKELY;
                break;
        case MEANS_HOST:
                judge_icmp_host(e, &v, &c);
                break;
        case MEANS_UNKNOWN:
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
        else if (e->life.alive && e->tcp.took >= JUDGE_SILENCE)
                say_head(e, j, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY);
        else if (e->life.asked && e->tcp.took >= JUDGE_DEAD)
                say_head(e, j, VERDICT_HOST_SILENT, PROBE_LIKELY);
        else
                say_open(j);
        return true;
}

static bool judge_hello(const Evidence *e, Judgement *j)
{
        const HelloFacts *h = &e->hello;

        switch (h->kind) {
        case SERVICE_GRPC:
        case SERVICE_HTTP2:
                return false;
        case SERVICE_UNKNOWN:
                if (!h->asked || !h->stream_known || h->began)
                        say_open(j);
                else if (h->stream.unsent > 0 && h->stream.retransmits >= 2)
                        say(j, VERDICT_HALF_OPEN_PATH, h->second_lost ? PROBE_PROVEN : PROBE_LIKELY,
                            PROBE_DIRECTION_BOTH, PROBE_PLACE_PATH, &nowhere);
                else if (h->stream.unsent == 0 && h->took >= JUDGE_FROZEN)
                        say_head(e, j, VERDICT_SERVICE_FROZEN,
                                 h->second_silent ? PROBE_PROVEN : PROBE_LIKELY);
                else
                        say_open(j);
                return true;
        case SERVICE_CLOSED:
                if (h->tls)
                        say_head(e, j, VERDICT_TLS_REQUIRED, PROBE_PROVEN);
                else if (h->by_http == SERVICE_HTTP1)
                        say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN);
                else
                        say_head(e, j, VERDICT_CLOSED_AFTER_ACCEPT,
                                 h->again ? PROBE_PROVEN : PROBE_LIKELY);
                return true;
        case SERVICE_TLS:
                say_head(e, j, VERDICT_TLS_REQUIRED, PROBE_PROVEN);
                return true;
        case SERVICE_HTTP1:
        case SERVICE_REDIS:
        case SERVICE_SSH:
        case SERVICE_OTHER:
        default:
                say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN);
                return true;
        }
}

static bool versions_differ(const char *a, const char *b)
{
        return !isempty(a) && !isempty(b) && !streq(a, b);
}

static void judge_alive(const Evidence *e, Judgement *j)
{
        switch (e->alive.outcome) {
        case ALIVE_OK:
                if (versions_differ(e->head.ray, e->here.ray) ||
                    versions_differ(e->head.python, e->here.python))
                        say_head(e, j, VERDICT_VERSION_MISMATCH, PROBE_PROVEN);
                else
                        say_head(e, j, VERDICT_OK, PROBE_PROVEN);
                return;
        case ALIVE_NO_METHOD:
                say_head(e, j, VERDICT_NOT_RAY, PROBE_PROVEN);
                return;
        case ALIVE_TOKEN:
                say_head(e, j, e->has_token ? VERDICT_TOKEN_WRONG : VERDICT_TOKEN_REQUIRED,
                         PROBE_PROVEN);
                return;
        case ALIVE_WRONG_CLUSTER:
                say_head(e, j, VERDICT_WRONG_CLUSTER, PROBE_PROVEN);
                return;
        case ALIVE_SILENT:
                say_head(e, j, VERDICT_SERVICE_FROZEN, PROBE_LIKELY);
                return;
        case ALIVE_GARBAGE:
                say_head(e, j, VERDICT_NOT_RAY, PROBE_LIKELY);
                return;
        case ALIVE_CLOSED:
                say_head(e, j, VERDICT_CLOSED_AFTER_ACCEPT, PROBE_LIKELY);
                return;
        case ALIVE_NOT_ASKED:
        case ALIVE_OTHER:
        default:
                say_open(j);
                return;
        }
}

/* A name that means this machine here is a cause of its own, unless a GCS really is here. */
static void mend_loopback(const Evidence *e, Judgement *j)
{
        if (e->name == NAME_RESOLVED && addr_is_loopback(&e->addr) &&
            !streq(e->host, "localhost") &&
            !(e->connected && e->tcp.outcome == CONNECT_ESTABLISHED))
                say_local(j, VERDICT_NAME_IS_LOOPBACK, PROBE_PROVEN);
}

void judge(const Evidence *e, Judgement *ret)
{
        if (judge_name(e, ret) || judge_wish(e, ret))
                return;
        if (!e->connected)
                say_open(ret);
        else if (e->tcp.outcome == CONNECT_ESTABLISHED) {
                if (!judge_hello(e, ret))
                        judge_alive(e, ret);
        } else if (!judge_at_once(e, ret) && !judge_link(e, ret) && !judge_failure(e, ret) &&
                   !judge_silence(e, ret))
                say_open(ret);
        mend_loopback(e, ret);
}
