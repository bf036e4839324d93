/* What else the same facts allow. */
#include "probe/judge.h"

typedef struct List {
        Verdict *v;
        size_t n;
} List;

static void add(List *l, Verdict v)
{
        if (l->n < ALTERNATIVES_MAX)
                l->v[l->n++] = v;
}

/* Two readings that no proof rules out: a reset says that nobody listens, not who sent it. */
static void beside_closed(const Evidence *e, List *l)
{
        const PortView *seen = port_view(e);

        if (e->local.own)
                return;
        if (seen) {
                if (seen->listening)
                        add(l, VERDICT_REFUSED_BY_FIREWALL);
                return;
        }
        add(l, VERDICT_HEAD_LOOPBACK_ONLY);
        add(l, VERDICT_REFUSED_BY_FIREWALL);
}

static void beside_silence(const Evidence *e, const Judgement *j, List *l)
{
        if (e->other.answered) /* it would have seen the others */
                return;
        if (j->verdict == VERDICT_FILTERED_SILENTLY && e->tcp.outcome == CONNECT_ESTABLISHED) {
                add(l, VERDICT_REPLIES_LOST); /* of these ports alone */
                return;
        }
        if (j->verdict == VERDICT_FILTERED_SILENTLY) { /* others get through: it is this port */
                add(l, VERDICT_BACKLOG_FULL);
                add(l, VERDICT_REPLIES_LOST);
                add(l, VERDICT_LOCAL_FIREWALL); /* drops what comes back */
                return;
        }
        if (e->local.has_neigh && !addr_is_set(&e->local.route.gateway))
                add(l, VERDICT_NEIGHBOUR_DEAD);
        else {
                add(l, VERDICT_HEAD_NO_RETURN_ROUTE);
                add(l, VERDICT_HEAD_RPFILTER);
        }
        add(l, VERDICT_FILTERED_SILENTLY);
}

/* What a reflector made likely. The verdicts of the way back exclude one another by proof only. */
static void beside_two_way(const Judgement *j, List *l)
{
        switch (j->verdict) {
        case VERDICT_REPLIES_LOST:
        case VERDICT_HEAD_RPFILTER:
        case VERDICT_HEAD_NO_RETURN_ROUTE:
        case VERDICT_BACKLOG_FULL:
                add(l, VERDICT_FILTERED_SILENTLY);
                break;
        case VERDICT_REFUSED_BY_FIREWALL: /* a reset, and a container's kernel may have made it */
                add(l, VERDICT_PORT_CLOSED);
                break;
        case VERDICT_NAT_NO_WAY_BACK:
        case VERDICT_NAT_FORWARDED:
                add(l, VERDICT_REVERSE_BLOCKED);
                break;
        case VERDICT_REVERSE_BLOCKED:
                add(l, VERDICT_WRONG_PEER);
                break;
        case VERDICT_REVERSE_PORTS_PARTIAL:
                add(l, VERDICT_LOSSY_OR_SLOW);
                break;
        default:
                break;
        }
}

static void beside_likely(const Evidence *e, const Judgement *j, List *l)
{
        switch (j->verdict) {
        case VERDICT_LOCAL_FIREWALL:
                add(l, e->tcp.outcome == CONNECT_PENDING ? VERDICT_FILTERED_SILENTLY
                                                         : VERDICT_PORT_CLOSED);
                break;
        case VERDICT_FILTERED_SILENTLY:
        case VERDICT_HOST_SILENT:
                beside_silence(e, j, l);
                break;
        case VERDICT_NO_ROUTE_REMOTE:
                add(l, VERDICT_HOST_DOWN_REMOTE);
                add(l, VERDICT_REJECTED_ON_PATH);
                break;
        case VERDICT_HOST_DOWN_REMOTE:
                add(l, VERDICT_NO_ROUTE_REMOTE);
                add(l, VERDICT_REJECTED_ON_PATH);
                break;
        case VERDICT_REJECTED_AT_HEAD:
                add(l, VERDICT_REJECTED_ON_PATH);
                break;
        case VERDICT_SERVICE_FROZEN:
                add(l, VERDICT_MTU_HOLE_IN);
                add(l, VERDICT_LOSSY_OR_SLOW);
                break;
        case VERDICT_MTU_HOLE_IN:
                add(l, VERDICT_SERVICE_FROZEN);
                break;
        case VERDICT_HALF_OPEN_PATH:
                add(l, VERDICT_LOSSY_OR_SLOW);
                break;
        case VERDICT_CLOSED_AFTER_ACCEPT:
        case VERDICT_TLS_NOT_SPOKEN:
                add(l, VERDICT_NOT_RAY);
                break;
        case VERDICT_CLIENT_CERT_REQUIRED:
                add(l, VERDICT_CLOSED_AFTER_ACCEPT);
                break;
        default:
                beside_two_way(j, l);
                break;
        }
}

size_t judge_alternatives(const Evidence *e, const Judgement *j, Verdict ret[ALTERNATIVES_MAX])
{
        List l = {.v = ret};

        if (j->verdict == VERDICT_PORT_CLOSED)
                beside_closed(e, &l);
        else if (j->confidence == PROBE_LIKELY)
                beside_likely(e, j, &l);
        return l.n;
}
