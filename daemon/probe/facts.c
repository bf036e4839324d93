#include "probe/facts.h"

#include <stdio.h>

#include <stdlib.h>

#include "base/alloc.h"
#include "sys/clock-keeper.h"
#include "sys/clock.h"
#include "sys/firewall.h"
#include "sys/netstat.h"

static bool prefix_covers(const NetAddr *a, const Addr *dst)
{
        if (a->addr.family != dst->family)
                return false;
        const uint8_t *x = a->addr.family == AF_INET ? (const uint8_t *)&a->addr.in
                                                     : (const uint8_t *)&a->addr.in6;
        const uint8_t *y =
                dst->family == AF_INET ? (const uint8_t *)&dst->in : (const uint8_t *)&dst->in6;
        unsigned bits = a->prefix_len;
        if (memcmp(x, y, bits / 8) != 0)
                return false;
        return bits % 8 == 0 || ((x[bits / 8] ^ y[bits / 8]) >> (8 - bits % 8)) == 0;
}

/* No route: is a link down that would have carried it? */
static int find_down_link(Evidence *e)
{
        _cleanup_free_ NetLink *links = NULL;
        _cleanup_free_ NetAddr *addrs = NULL;
        size_t n_links, n_addrs, n_up = 0;
        LocalFacts *l = &e->local;
        int r = netlink_links(&links, &n_links);
        if (r >= 0)
                r = netlink_addrs(AF_UNSPEC, &addrs, &n_addrs);
        if (r < 0)
                return r == -ENOMEM ? r : 0;

        for (size_t i = 0; i < n_links; i++) {
                const NetLink *k = &links[i];
                if (k->loopback)
                        continue;
                if (k->up && k->carrier) {
                        n_up++;
                        continue;
                }
                bool has_addr = false, covers = false;
                for (size_t a = 0; a < n_addrs; a++)
                        if (addrs[a].ifindex == k->ifindex) {
                                has_addr = has_addr || addrs[a].global;
                                covers = covers || prefix_covers(&addrs[a], &e->addr);
                        }
                /* a link never set up (no address) explains nothing, unless nothing else is there
                 */
                if (covers || (has_addr && !l->down_covers) || !l->down_known) {
                        l->down_known = l->down_known || has_addr || covers;
                        l->down_covers = l->down_covers || covers;
                        l->down = *k;
                }
        }
        if (n_up == 0 && l->down.ifindex > 0)
                l->down_known = l->down_covers = true;
        return 0;
}

static int gather_source(Evidence *e, Addr *ret_from, int *ret_ifindex)
{
        LocalFacts *l = &e->local;
        *ret_from = (Addr){0};
        *ret_ifindex = 0;
        if (isempty(e->from))
                return 0;
        if (addr_parse(e->from, ret_from) >= 0) {
                int r = netlink_is_own(ret_from);
                if (r == 0 || ret_from->family != e->addr.family)
                        l->source = SOURCE_NOT_OWN;
                return r == -ENOMEM ? r : 0;
        }
        NetLink link;
        int r = netlink_link_by_name(e->from, &link);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                l->source = SOURCE_NO_INTERFACE;
                return 0;
        }
        *ret_ifindex = link.ifindex;
        l->link = link;
        l->link_known = true;
        _cleanup_free_ NetAddr *addrs = NULL;
        size_t n;
        r = netlink_addrs(e->addr.family, &addrs, &n);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n; i++)
                if (addrs[i].ifindex == link.ifindex)
                        return 0;
        /* an IPv6 link that is down has no addresses: that is then the cause, not the choice */
        if (link.up && link.carrier)
                l->source = SOURCE_NO_ADDRESS;
        return 0;
}

/* A level, not a count: only the difference of two means something. */
static int read_undelivered(const Evidence *e, int64_t *ret)
{
        NetCounters c;
        int r = netstat_counters(e->addr.family, &c);
        if (r < 0 || !c.undelivered_known)
                return r < 0 ? r : -ENOENT;
        *ret = c.undelivered;
        return 0;
}

/* A source address that is none of the interface's own: the head may not know the way back to it,
 * while it knows the interface's network. */
static int gather_strange(Evidence *e)
{
        _cleanup_free_ NetAddr *addrs = NULL;
        size_t n;
        LocalFacts *l = &e->local;
        if (!addr_is_set(&l->route.source) || l->own || addr_is_link_local(&e->addr))
                return 0;
        int r = netlink_addrs(e->addr.family, &addrs, &n);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n; i++) {
                if (addrs[i].ifindex != l->route.ifindex || !addrs[i].global || !addrs[i].usable)
                        continue;
                if (addr_equal(&addrs[i].addr, &l->route.source))
                        return 0;
                if (!addr_is_set(&l->source_usual) || prefix_covers(&addrs[i], &l->nexthop))
                        l->source_usual = addrs[i].addr;
        }
        l->source_strange = addr_is_set(&l->source_usual);
        return 0;
}

/* A link-local address is on one of the links that are up; where it is a neighbour already, on that
 * one. */
static int gather_scopes(Evidence *e)
{
        _cleanup_free_ NetLink *links = NULL;
        LocalFacts *l = &e->local;
        size_t n, len = 0;

        int r = netlink_links(&links, &n);
        if (r < 0)
                return r == -ENOMEM ? r : 0;
        for (size_t i = 0; i < n && !l->scope_known; i++) {
                NeighState state = NEIGH_NONE;
                Addr a = e->addr;
                a.scope = (uint32_t)links[i].ifindex;
                if (links[i].loopback || !links[i].up || !links[i].carrier)
                        continue;
                (void)netlink_neigh(&a, links[i].ifindex, &state);
                l->scope_known = state != NEIGH_NONE && state != NEIGH_FAILED;
                if (l->scope_known)
                        len = 0;
                if (len + strlen(links[i].name) + 2 < sizeof(l->scopes))
                        len += (size_t)snprintf(l->scopes + len, sizeof(l->scopes) - len, "%s%s",
                                                len ? " " : "", links[i].name);
        }
        return 0;
}

static void gather_base(FactsBase *b)
{
        b->known = netstat_read_value("TcpExt:", "TCPRetransFail", &b->retrans_fail) >= 0;
        b->rp_filter_known =
                netstat_read_value("TcpExt:", "IPReversePathFilter", &b->rp_filter) >= 0;
}

int facts_gather(Evidence *e, FactsBase *ret)
{
        LocalFacts *l = &e->local;
        Addr from;
        int ifindex;

        *l = (LocalFacts){0};
        *ret = (FactsBase){0};
        int r = gather_source(e, &from, &ifindex);
        if (r >= 0 && addr_is_link_local(&e->addr) && e->addr.family == AF_INET6 &&
            e->addr.scope == 0 && ifindex == 0)
                r = gather_scopes(e);
        if (r < 0)
                return r;
        r = netlink_route(&e->addr, addr_is_set(&from) ? &from : NULL, ifindex, &l->route);
        if (r == -ENOMEM)
                return r;
        if (r < 0) {
                l->route_error = -r;
                if (r == -ENETUNREACH)
                        r = find_down_link(e);
                if (r == -ENOMEM)
                        return r;
        } else {
                NetLink link;
                if (netlink_link_by_index(l->route.ifindex, &link) >= 0) {
                        l->link = link;
                        l->link_known = true;
                }
                l->own = l->route.local;
                l->nexthop = addr_is_set(&l->route.gateway) ? l->route.gateway : e->addr;
                l->nexthop.port = 0;
                if (!l->own && netlink_neigh(&l->nexthop, l->route.ifindex, &l->neigh) >= 0) {
                        l->has_neigh = l->neigh != NEIGH_NOARP && l->neigh != NEIGH_PERMANENT;
                        ret->neigh = l->neigh;
                }
                r = gather_strange(e);
                if (r < 0)
                        return r;
        }
        gather_base(ret);
        ret->undelivered_known = read_undelivered(e, &ret->undelivered) >= 0;
        return 0;
}

void facts_keepers(Evidence *e)
{
        e->keepers.firewall = firewall_manager(NULL);
        e->keepers.clock = clock_keeper(NULL);
}

void facts_refresh(Evidence *e, const FactsBase *base)
{
        LocalFacts *l = &e->local;
        uint64_t now;

        if (l->has_neigh)
                (void)netlink_neigh(&l->nexthop, l->route.ifindex, &l->neigh);
        if (l->link_known) {
                NetLink link;
                if (netlink_link_by_index(l->link.ifindex, &link) >= 0)
                        l->link = link;
        }
        if (base->known && netstat_read_value("TcpExt:", "TCPRetransFail", &now) >= 0) {
                l->retrans_fail_known = true;
                l->retrans_fail = now >= base->retrans_fail ? now - base->retrans_fail : 0;
        }
        if (base->rp_filter_known &&
            netstat_read_value("TcpExt:", "IPReversePathFilter", &now) >= 0) {
                l->rp_filter_known = true;
                l->rp_filter = now >= base->rp_filter ? now - base->rp_filter : 0;
        }
        int64_t level;
        if (base->undelivered_known && read_undelivered(e, &level) >= 0) {
                l->undelivered_known = true;
                l->undelivered =
                        level > base->undelivered ? (uint64_t)(level - base->undelivered) : 0;
        }
        /* the machine itself answered ARP while we asked: it is there, whatever its ports do */
        if (l->has_neigh && !addr_is_set(&l->route.gateway) && base->neigh != NEIGH_REACHABLE &&
            l->neigh == NEIGH_REACHABLE && !e->life.alive) {
                e->life.alive = true;
                str_copy(e->life.how, sizeof(e->life.how),
                         e->addr.family == AF_INET ? "it answers ARP"
                                                   : "it answers neighbour discovery");
        }
}

void facts_source(const Evidence *e, ConnectPolicy *policy)
{
        policy->from = (Addr){0};
        policy->interface = NULL;
        if (isempty(e->from))
                return;
        if (addr_parse(e->from, &policy->from) < 0) {
                policy->from = (Addr){0};
                policy->interface = e->from;
        }
}

void facts_forget(Evidence *e)
{
        e->connected = e->icmp_own = e->repeated = false;
        e->local = (LocalFacts){0};
        e->tcp = (ConnectFacts){0};
        e->ladder = (LadderFacts){0};
}

void facts_clock(Evidence *e)
{
        int r = clock_is_synced();

        e->clock = (ClockFacts){.known = r >= 0, .synced = r > 0};
}
