/* The evidence for programs. */
#include "probe/phrase.h"

static int add_addr(char ***l, const char *key, const Addr *a)
{
        char buf[ADDR_MAX];
        return addr_is_set(a) && !addr_is_any(a)
                       ? strv_extendf(l, "%s=%s", key, addr_format(buf, a))
                       : 0;
}

static int local_facts(const Evidence *e, char ***l)
{
        const LocalFacts *f = &e->local;
        int r = 0;

        if (f->route_error)
                return strv_extendf(l, "route_errno=%d", f->route_error);
        if (!isempty(f->route.ifname))
                r = strv_extendf(l, "interface=%s", f->route.ifname);
        if (r >= 0)
                r = add_addr(l, "source", &f->route.source);
        if (r >= 0)
                r = add_addr(l, "gateway", &f->route.gateway);
        if (r >= 0 && f->link_known)
                r = strv_extendf(l, "mtu=%u", f->link.mtu);
        if (r >= 0 && f->has_neigh)
                r = strv_extendf(l, "neighbour=%s", neigh_state_to_string(f->neigh));
        if (r >= 0 && f->retrans_fail_known && e->tcp.outcome == CONNECT_PENDING)
                r = strv_extendf(l, "tcp_retrans_fail=%llu", (unsigned long long)f->retrans_fail);
        return r;
}

static int tcp_facts(const Evidence *e, char ***l)
{
        const ConnectFacts *t = &e->tcp;
        int r = 0;

        if (!e->connected)
                return 0;
        if (t->error)
                r = strv_extendf(l, "errno=%d", t->error);
        if (r >= 0 && t->icmp.seen) {
                r = strv_extendf(l, "icmp=%u/%u", t->icmp.type, t->icmp.code);
                if (r >= 0)
                        r = add_addr(l, "icmp_from", &t->icmp.from);
        }
        if (r >= 0)
                r = strv_extendf(l, "connect_us=%llu", (unsigned long long)t->took);
        if (r >= 0 && t->outcome == CONNECT_PENDING)
                r = strv_extendf(l, "syns=%u", t->n_sockets + t->total_retrans);
        if (r >= 0 && e->life.asked)
                r = strv_extendf(l, "head_alive=%s", e->life.alive ? "yes" : "unknown");
        return r;
}

static int other_facts(const Evidence *e, char ***l)
{
        const Reflection *o = &e->other;

        if (!o->asked)
                return 0;
        if (!o->answered)
                return strv_extend(l, "reflector=unknown");
        int r = strv_extend(l, "reflector=yes");
        if (r >= 0)
                r = add_addr(l, "observed", &o->observed);
        if (r >= 0)
                r = add_addr(l, "head_local", &o->local);
        if (r >= 0 && o->port.known)
                r = strv_extendf(l, "head_listens=%s",
                                 !o->port.listening      ? "no"
                                 : o->port.loopback_only ? "loopback"
                                                         : "yes");
        if (r >= 0 && o->port.known)
                r = strv_extendf(l, "head_syn_recv=%u", o->port.syn_recv);
        return r;
}

/* Whose words the remedies are in. */
static int keeper_facts(const Evidence *e, char ***l)
{
        int r = 0;

        if (e->keepers.firewall != FIREWALL_UNKNOWN)
                r = strv_extendf(l, "firewall=%s", firewall_manager_to_string(e->keepers.firewall));
        if (r >= 0 && e->keepers.clock != CLOCK_KEEPER_UNKNOWN)
                r = strv_extendf(l, "clock_keeper=%s", clock_keeper_to_string(e->keepers.clock));
        if (r >= 0 && e->other.answered && e->other.firewall != FIREWALL_UNKNOWN)
                r = strv_extendf(l, "head_firewall=%s",
                                 firewall_manager_to_string(e->other.firewall));
        return r;
}

int text_facts(const Evidence *e, char ***ret)
{
        _cleanup_strv_free_ char **l = NULL;

        int r = add_addr(&l, "address", &e->addr);
        if (r >= 0)
                r = local_facts(e, &l);
        if (r >= 0)
                r = tcp_facts(e, &l);
        if (r >= 0)
                r = other_facts(e, &l);
        if (r >= 0)
                r = keeper_facts(e, &l);
        if (r >= 0)
                r = measure_facts(e, &l);
        if (r >= 0)
                r = ports_facts(e, &l);
        if (r >= 0 && e->hello.asked)
                r = strv_extendf(&l, "service=%s", service_kind_to_string(e->hello.kind));
        if (r >= 0)
                r = facts_tls(e, &l);
        if (r >= 0 && !isempty(e->alive.cluster))
                r = strv_extendf(&l, "cluster_id=%s", e->alive.cluster);
        if (r >= 0 && !isempty(e->head.ray))
                r = strv_extendf(&l, "head_ray=%s", e->head.ray);
        if (r >= 0 && !isempty(e->head.python))
                r = strv_extendf(&l, "head_python=%s", e->head.python);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(l);
        return 0;
}
