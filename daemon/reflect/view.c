#include "reflect/view.h"

#include <limits.h>
#include <unistd.h>

#include "sys/clock.h"
#include "sys/firewall.h"
#include "sys/inet-diag.h"
#include "sys/netlink.h"

void view_counters(const ViewEnds *ends, ViewCounters *ret)
{
        *ret = (ViewCounters){0};
        ret->known = netstat_counters(ends->observed.family, &ret->now) >= 0;
}

/* A counter that fell was reset, or of another namespace: no rise is known then. */
static uint64_t rise(uint64_t then, uint64_t now)
{
        return now > then ? now - then : 0;
}

static uint64_t rise_of_level(int64_t then, int64_t now)
{
        return now > then ? (uint64_t)now - (uint64_t)then : 0;
}

void view_rise(const ViewCounters *then, const ViewCounters *now, CounterRise *ret)
{
        const NetCounters *a = &then->now, *b = &now->now;

        *ret = (CounterRise){0};
        if (!then->known || !now->known)
                return;
        *ret = (CounterRise){
                .known = true,
                .listen_overflows = rise(a->listen_overflows, b->listen_overflows),
                .listen_drops = rise(a->listen_drops, b->listen_drops),
                .rp_filter = rise(a->rp_filter, b->rp_filter),
                .no_routes = rise(a->no_routes, b->no_routes),
                .resets = rise(a->resets, b->resets),
                .undelivered_known = a->undelivered_known && b->undelivered_known,
        };
        if (!ret->undelivered_known)
                return;
        ret->undelivered = rise_of_level(a->undelivered, b->undelivered);
        ret->undelivered_most = rise_of_level(a->undelivered_most, b->undelivered_most);
}

static bool covers(const DiagListener *l, const Addr *local)
{
        if (addr_is_any(&l->addr))
                return l->addr.family == local->family ||
                       (l->addr.family == AF_INET6 && !l->v6only);
        return addr_equal(&l->addr, local);
}

void view_port(uint16_t port, const ViewEnds *ends, const Addr *from, size_t n_from, PortView *ret)
{
        DiagListener l[DIAG_LISTENERS_MAX];
        const DiagListener *best = NULL;
        size_t n;

        *ret = (PortView){0};
        if (port == 0 || inet_diag_listeners(port, l, &n) < 0 ||
            inet_diag_syn_recv(port, from, n_from, &ret->syn_recv) < 0)
                return;
        ret->known = true;
        ret->listening = n > 0;
        ret->loopback_only = n > 0;
        for (size_t i = 0; i < n; i++) {
                ret->loopback_only = ret->loopback_only && addr_is_loopback(&l[i].addr);
                if (!best || (covers(&l[i], &ends->local) && !covers(best, &ends->local)))
                        best = &l[i];
        }
        if (!best)
                return;
        ret->queue = best->queue;
        ret->room = best->room;
        if (!covers(best, &ends->local)) {
                ret->bound = best->addr;
                ret->bound.port = 0;
        }
}

void view_route(const ViewEnds *ends, ReflectReply *p)
{
        NetRoute route, chosen;
        NetLink link;

        /* from where it arrived, as the SYN-ACK is sent */
        int r = netlink_route(&ends->observed, &ends->local, 0, &route);
        if (r == -ENOMEM || r == -EAFNOSUPPORT)
                return;
        p->route_known = true;
        if (r < 0) {
                p->route_error = -r;
                return;
        }
        str_copy(p->route_dev, sizeof(p->route_dev), route.ifname);
        p->route_mtu = route.mtu;
        if (p->route_mtu == 0 && netlink_link_by_index(route.ifindex, &link) >= 0)
                p->route_mtu = link.mtu;
        /* and from where this machine itself would connect */
        if (netlink_route(&ends->observed, NULL, 0, &chosen) >= 0)
                p->route_source = chosen.source;
}

void view_head(const ViewEnds *ends, ReflectReply *p)
{
        p->observed = ends->observed;
        p->local = ends->local;
        char name[HOST_NAME_MAX + 1];
        if (gethostname(name, sizeof(name)) == 0)
                str_copy(p->hostname, sizeof(p->hostname), name);
        p->firewall = firewall_manager(NULL);
        int r = clock_is_synced();
        p->clock_sync = r < 0 ? CLOCK_SYNC_UNKNOWN : r > 0 ? CLOCK_SYNC_YES : CLOCK_SYNC_NO;
}
