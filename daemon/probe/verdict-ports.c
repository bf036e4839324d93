/* The other ports of a head whose GCS serves. */
#include <errno.h>

#include "probe/judge.h"

/* Different causes that are told apart; more than one is rare, more than these would be no verdict
 * any more. */
#define CAUSES_MAX 8

static bool is_own_icmp(const Evidence *e, const Addr *from)
{
        return !e->local.own && ((addr_is_set(&e->tcp.local) && addr_equal(from, &e->tcp.local)) ||
                                 addr_equal(from, &e->local.route.source));
}

static bool judge_rejected(const Evidence *e, const PortRange *r, Judgement *j)
{
        IcmpMeaning m = icmp_meaning(e->addr.family, &r->icmp);
        /* the head is there: what is unreachable is made so by a rule that knows ports */
        bool sure = m == ICMP_MEANS_PORT || m == ICMP_MEANS_PROHIBITED || m == ICMP_MEANS_PROTO ||
                    m == ICMP_MEANS_NET;
        ProbeConfidence c = sure ? PROBE_PROVEN : PROBE_LIKELY;

        if (is_own_icmp(e, &r->icmp.from)) {
                /* our own kernel gave up on a neighbour: the head went away meanwhile */
                if (m == ICMP_MEANS_HOST)
                        return false;
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);
        } else if (addr_equal(&r->icmp.from, &e->addr))
                say_head(e, j,
                         m == ICMP_MEANS_PORT ? VERDICT_REFUSED_BY_FIREWALL
                                              : VERDICT_REJECTED_AT_HEAD,
                         m == ICMP_MEANS_HOST ? PROBE_PROVEN : c);
        else
                say(j,
                    m == ICMP_MEANS_PORT ? VERDICT_REFUSED_BY_FIREWALL : VERDICT_REJECTED_ON_PATH,
                    c, PROBE_DIRECTION_OUT, PROBE_PLACE_ROUTER, &r->icmp.from);
        return true;
}

static void judge_silent(const Evidence *e, Judgement *j)
{
        const PortsFacts *f = e->ports;
        bool own = f->retrans_known && f->retrans > 0 && f->retrans_fail >= f->retrans;

        if (own)
                say_local(j, VERDICT_LOCAL_FIREWALL,
                          f->udp_forbidden ? PROBE_PROVEN : PROBE_LIKELY);
        else
                say_head(e, j, VERDICT_FILTERED_SILENTLY, PROBE_LIKELY);
}

bool judge_port_range(const Evidence *e, const PortRange *r, Judgement *j)
{
        const PortsFacts *f = e->ports;

        if (f->dashboard_local && r->first == f->plan.dashboard && r->last == r->first)
                return false;
        switch (r->state) {
        case PORT_REJECTED:
                return judge_rejected(e, r, j);
        case PORT_SILENT:
                judge_silent(e, j);
                return true;
        case PORT_FAILED:
                if (r->error != EPERM && r->error != EACCES)
                        return false;
                say_local(j, VERDICT_LOCAL_FIREWALL, PROBE_PROVEN);
                return true;
        default:
                return false;
        }
}

bool same_cause(const Judgement *a, const Judgement *b)
{
        return a->verdict == b->verdict && a->place == b->place && addr_equal(&a->where, &b->where);
}

const PortRange *announced_and_refused(const Evidence *e)
{
        const PortsFacts *f = e->ports;
        const uint16_t raylet[] = {f->plan.node_manager, f->plan.object_manager};

        if (!f->table)
                return NULL;
        for (size_t i = 0; i < f->n; i++)
                for (size_t k = 0; k < ELEMENTSOF(raylet); k++)
                        if (f->ranges[i].state == PORT_REFUSED && raylet[k] >= f->ranges[i].first &&
                            raylet[k] <= f->ranges[i].last)
                                return &f->ranges[i];
        return NULL;
}

/* Of several causes the one with the most ports. */
static bool judge_blocked(const Evidence *e, Judgement *j)
{
        const PortsFacts *f = e->ports;
        struct {
                Judgement j;
                size_t n;
        } causes[CAUSES_MAX];
        size_t n = 0, best = 0;

        for (size_t i = 0; i < f->n; i++) {
                Judgement one;
                size_t k = 0;
                if (!judge_port_range(e, &f->ranges[i], &one))
                        continue;
                while (k < n && !same_cause(&causes[k].j, &one))
                        k++;
                if (k == CAUSES_MAX)
                        continue;
                if (k == n)
                        causes[n++].j = one, causes[k].n = 0;
                causes[k].n += (size_t)(f->ranges[i].last - f->ranges[i].first) + 1;
                if (causes[k].n > causes[best].n)
                        best = k;
        }
        if (n > 0)
                *j = causes[best].j;
        return n > 0;
}

bool judge_ports(const Evidence *e, Judgement *j)
{
        if (!e->ports)
                return false;
        if (judge_blocked(e, j))
                return true;
        if (!announced_and_refused(e))
                return false;
        say_head(e, j, VERDICT_PORT_CLOSED, PROBE_LIKELY);
        return true;
}

bool judge_untried(const Evidence *e, Judgement *j)
{
        if (!e->all || (e->ports && e->ports->complete && !e->ports->table_silent))
                return false;
        say_open(j);
        return true;
}
