/* What the other side saw: what to do about it, and on which machine. */
#include <errno.h>
#include <stdio.h>

#include "model/way-back.h"
#include "probe/judge.h"
#include "probe/phrase.h"
#include "probe/remedy.h"

static char *hint_path(const Evidence *e, const char *name)
{
        char own[ADDR_MAX];
        return str_printf("on the firewalls and routers between: allow TCP port %u from %s to %s",
                          e->addr.port, own_name(e, own), name);
}

static char *hint_replies(const Evidence *e, const Judgement *j, const char *name)
{
        char own[ADDR_MAX];
        if (j->place == PROBE_PLACE_HERE)
                return str_printf("here, as root: nft insert rule inet filter input ct state "
                                  "established,related accept # what we began must be answered");
        return str_printf("on %s: ip route get %s; and the firewalls between must let answers from "
                          "port %u through",
                          name, own_name(e, own), e->addr.port);
}

static char *hint_loopback(const Evidence *e, const char *name)
{
        char addr[ADDR_MAX];
        addr_format(addr, &e->addr);
        return str_printf("on %s: set node.address = \"%s\" in /etc/raycluster.conf and run "
                          "raycluster restart-engine; a Ray started by hand: ray start --head "
                          "--node-ip-address=%s",
                          name, addr, addr);
}

static char *hint_other_side(const Evidence *e, const Judgement *j, const char *name)
{
        switch (j->verdict) {
        case VERDICT_FILTERED_SILENTLY:
        case VERDICT_REFUSED_BY_FIREWALL:
                if (e->tcp.icmp.seen)
                        return NULL;
                return j->place == PROBE_PLACE_PATH ? hint_path(e, name) : hint_open_head(e, name);
        case VERDICT_REJECTED_AT_HEAD:
                return hint_open_head(e, name);
        case VERDICT_REPLIES_LOST:
                return hint_replies(e, j, name);
        case VERDICT_HEAD_RPFILTER:
                return str_printf("on %s, as root: echo net.ipv4.conf.all.rp_filter=2 "
                                  ">/etc/sysctl.d/90-ray.conf && sysctl --system # or mend its "
                                  "route to this machine",
                                  name);
        case VERDICT_HEAD_NO_RETURN_ROUTE:
                return remedy_route(
                        name, addr_is_set(&e->tcp.local) ? &e->tcp.local : &e->local.route.source,
                        NULL);
        case VERDICT_HEAD_LOOPBACK_ONLY:
                return hint_loopback(e, name);
        case VERDICT_BACKLOG_FULL:
                return str_printf("on %s: ps -o pid,stat,wchan,args -C gcs_server; raycluster "
                                  "restart-engine",
                                  name);
        default:
                return NULL;
        }
}

static char *hint_blocked(const Evidence *e, const Judgement *j, const char *name)
{
        char own[ADDR_MAX], where[ADDR_MAX];
        WayBack w;
        Addr to = *announced(e);

        way_back(&e->other, announced(e), &w);
        addr_format(own, &to);
        _cleanup_free_ char *ports = back_blocked_list(&e->other, announced(e), &e->back.sampled);
        if (!ports)
                return NULL;
        if (j->place == PROBE_PLACE_ROUTER)
                return str_printf("on router %s: allow TCP %s from %s to %s",
                                  addr_format(where, &j->where), ports, name, own);
        if (j->place != PROBE_PLACE_HEAD)
                return remedy_open_ports(e->keepers.firewall, REMEDY_HERE, e->addr.family, ports,
                                         REMEDY_PROFILE_WORKER);
        if (w.impossible && !forbids_itself(w.impossible))
                return str_printf("on %s: ip route get %s", name, own);
        to.port = w.impossible ? w.impossible->addr.port : w.rejection ? w.rejection->addr.port : 0;
        return remedy_open_out(e->other.firewall, name, &to, NULL);
}

static char *hint_way_back(const Evidence *e, const Judgement *j, const char *name)
{
        char own[ADDR_MAX], local[ADDR_MAX];

        switch (j->verdict) {
        case VERDICT_WRONG_INTERFACE:
                return remedy_node_address(REMEDY_HERE, &e->other.here);
        case VERDICT_NAT_ONE_WAY:
                return remedy_node_address(REMEDY_HERE, announced(e));
        case VERDICT_NAT_NO_WAY_BACK:
                return str_printf("give both machines addresses that each of them reaches: on %s a "
                                  "route to %s, without translation on the way, or a VPN",
                                  name, addr_format(own, announced(e)));
        case VERDICT_NAT_FORWARDED:
                return remedy_node_address(REMEDY_HERE, &e->other.observed);
        case VERDICT_HEAD_BEHIND_DNAT:
                return str_printf("here: ray-probe %s %u", addr_format(local, &e->other.local),
                                  e->addr.port);
        case VERDICT_REVERSE_BLOCKED:
        case VERDICT_REVERSE_PORTS_PARTIAL:
                return hint_blocked(e, j, name);
        case VERDICT_WRONG_PEER:
                addr_format(own, announced(e));
                return str_printf("on %s, as root: ip neigh show to %s; arping -c 3 %s # who "
                                  "answers?",
                                  name, own, own);
        default:
                return NULL;
        }
}

char *hint_two_way(const Evidence *e, const Judgement *j, const char *name)
{
        if (j->verdict == VERDICT_INCONCLUSIVE && e->other.asked && e->alive.outcome == ALIVE_OK)
                return str_printf("on %s: ray-probe --serve, and here --code with what it prints",
                                  name);
        if (!e->other.answered ||
            (j->verdict == VERDICT_WRONG_INTERFACE && e->local.source != SOURCE_FREE))
                return NULL;
        char *s = hint_other_side(e, j, name);
        return s ? s : hint_way_back(e, j, name);
}
