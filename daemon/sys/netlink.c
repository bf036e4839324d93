#include "sys/netlink.h"

#include <linux/rtnetlink.h>
#include <string.h>

#include "base/alloc.h"
#include "sys/netlink-private.h"

/* <linux/if.h> and <net/if.h> do not go together, and only the former has it. */
#define LINK_LOWER_UP (1U << 16)

static const char *const neigh_state_table[_NEIGH_STATE_MAX] = {
        [NEIGH_NONE] = "none",           [NEIGH_INCOMPLETE] = "incomplete",
        [NEIGH_REACHABLE] = "reachable", [NEIGH_STALE] = "stale",
        [NEIGH_DELAY] = "delay",         [NEIGH_PROBE] = "probe",
        [NEIGH_FAILED] = "failed",       [NEIGH_NOARP] = "noarp",
        [NEIGH_PERMANENT] = "permanent",
};

DEFINE_STRTAB(neigh_state, NeighState);

DEFINE_CLEANUP(struct nl_sock *, nl_socket_free);

/* --- one request and its replies ---------------------------------------------------------------
 */

typedef struct Request {
        netlink_parse_func parse;
        void *arg;
        int error; /* what the kernel or the parser said first, negative errno */
} Request;

/* libnl's own codes lose the errno (ENETUNREACH becomes "unspecific failure"), which is the very
 * thing that is asked here: so it is read from the message. */
static int on_kernel_error(struct sockaddr_nl *who, struct nlmsgerr *e, void *arg)
{
        Request *q = arg;
        if (q->error == 0)
                q->error = e->error < 0 ? e->error : -EIO;
        return NL_STOP;
}

static int on_message(struct nl_msg *msg, void *arg)
{
        Request *q = arg;
        int r = q->parse(nlmsg_hdr(msg), q->arg);
        if (r < 0 && q->error == 0)
                q->error = r;
        return NL_OK;
}

int netlink_request(int protocol, struct nl_msg *msg, netlink_parse_func parse, void *arg)
{
        _cleanup_(nl_socket_freep) struct nl_sock *sk = nl_socket_alloc();
        if (!sk)
                return -ENOMEM;
        nl_socket_disable_auto_ack(sk);
        if (nl_connect(sk, protocol) < 0)
                return ERRNO_OR(EIO);
        /* A dump that does not fit is retried by libnl with a larger buffer. */
        nl_socket_enable_msg_peek(sk);

        Request q = {.parse = parse, .arg = arg};
        struct nl_cb *cb = nl_socket_get_cb(sk);
        nl_cb_err(cb, NL_CB_CUSTOM, on_kernel_error, &q);
        nl_cb_set(cb, NL_CB_VALID, NL_CB_CUSTOM, on_message, &q);

        int r = nl_send_auto(sk, msg);
        if (r >= 0)
                r = nl_recvmsgs(sk, cb);
        nl_cb_put(cb);
        if (q.error < 0)
                return q.error;
        return r < 0 ? -EIO : 0;
}

int netlink_message_new(int type, int flags, const void *body, size_t size, struct nl_msg **ret)
{
        _cleanup_(nlmsg_freep) struct nl_msg *msg = nlmsg_alloc_simple(type, flags);
        if (!msg || nlmsg_append(msg, (void *)body, size, NLMSG_ALIGNTO) < 0)
                return -ENOMEM;
        *ret = TAKE_PTR(msg);
        return 0;
}

/* --- values ------------------------------------------------------------------------------------
 */

static size_t addr_size(int family)
{
        return family == AF_INET ? 4 : 16;
}

static int put_addr(struct nl_msg *msg, int attr, const Addr *a)
{
        return nla_put(msg, attr, (int)addr_size(a->family), &a->in) < 0 ? -ENOMEM : 0;
}

static void get_addr(const struct nlattr *attr, int family, int ifindex, Addr *ret)
{
        if (!attr || (family != AF_INET && family != AF_INET6) ||
            (size_t)nla_len(attr) < addr_size(family))
                return;
        *ret = (Addr){.family = family};
        memcpy(&ret->in, nla_data(attr), addr_size(family));
        if (addr_is_link_local(ret) && family == AF_INET6)
                ret->scope = (uint32_t)ifindex;
}

static uint32_t get_u32(const struct nlattr *attr)
{
        return attr && nla_len(attr) >= 4 ? nla_get_u32((struct nlattr *)attr) : 0;
}

/* --- links -------------------------------------------------------------------------------------
 */

typedef struct LinkList {
        NetLink *links;
        size_t n, cap;
} LinkList;

static int parse_link(struct nlmsghdr *h, void *arg)
{
        LinkList *l = arg;
        struct nlattr *tb[IFLA_MAX + 1];

        if (h->nlmsg_type != RTM_NEWLINK || l->n >= NETLINK_LINKS_MAX)
                return 0;
        if (nlmsg_parse(h, sizeof(struct ifinfomsg), tb, IFLA_MAX, NULL) < 0)
                return -EBADMSG;
        int r = ARRAY_RESERVE(l->links, l->cap, l->n + 1);
        if (r < 0)
                return r;
        const struct ifinfomsg *i = nlmsg_data(h);
        NetLink *link = &l->links[l->n++];
        *link = (NetLink){
                .ifindex = i->ifi_index,
                .up = i->ifi_flags & IFF_UP,
                .carrier = i->ifi_flags & LINK_LOWER_UP,
                .loopback = i->ifi_flags & IFF_LOOPBACK,
                .mtu = get_u32(tb[IFLA_MTU]),
        };
        if (tb[IFLA_IFNAME])
                nla_strlcpy(link->name, tb[IFLA_IFNAME], sizeof(link->name));
        return 0;
}

static int query_links(int ifindex, LinkList *l)
{
        _cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
        struct ifinfomsg i = {.ifi_family = AF_UNSPEC, .ifi_index = ifindex};

        int r = netlink_message_new(RTM_GETLINK, ifindex > 0 ? 0 : NLM_F_DUMP, &i, sizeof(i), &msg);
        return r < 0 ? r : netlink_request(NETLINK_ROUTE, msg, parse_link, l);
}

int netlink_links(NetLink **ret, size_t *ret_n)
{
        LinkList l = {0};

        int r = query_links(0, &l);
        if (r < 0) {
                free(l.links);
                return r;
        }
        *ret = l.links;
        *ret_n = l.n;
        return 0;
}

int netlink_link_by_index(int ifindex, NetLink *ret)
{
        LinkList l = {0};

        int r = ifindex > 0 ? query_links(ifindex, &l) : -ENODEV;
        if (r >= 0 && l.n == 0)
                r = -ENODEV;
        if (r >= 0)
                *ret = l.links[0];
        free(l.links);
        return r < 0 ? r : 0;
}

int netlink_link_by_name(const char *name, NetLink *ret)
{
        unsigned ifindex = if_nametoindex(name);
        return ifindex ? netlink_link_by_index((int)ifindex, ret) : -ENODEV;
}

/* --- addresses ---------------------------------------------------------------------------------
 */

typedef struct AddrList {
        NetAddr *addrs;
        size_t n, cap;
} AddrList;

static int parse_addr(struct nlmsghdr *h, void *arg)
{
        AddrList *l = arg;
        struct nlattr *tb[IFA_MAX + 1];

        if (h->nlmsg_type != RTM_NEWADDR || l->n >= NETLINK_ADDRS_MAX)
                return 0;
        if (nlmsg_parse(h, sizeof(struct ifaddrmsg), tb, IFA_MAX, NULL) < 0)
                return -EBADMSG;
        int r = ARRAY_RESERVE(l->addrs, l->cap, l->n + 1);
        if (r < 0)
                return r;
        const struct ifaddrmsg *i = nlmsg_data(h);
        uint32_t flags = tb[IFA_FLAGS] ? get_u32(tb[IFA_FLAGS]) : i->ifa_flags;
        NetAddr *a = &l->addrs[l->n];
        *a = (NetAddr){
                .prefix_len = i->ifa_prefixlen,
                .ifindex = (int)i->ifa_index,
                .global = i->ifa_scope == RT_SCOPE_UNIVERSE || i->ifa_scope == RT_SCOPE_SITE,
                .temporary = i->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY),
                .usable = !(flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED)),
        };
        /* on a point-to-point link IFA_ADDRESS is the other end, IFA_LOCAL ours */
        get_addr(tb[IFA_LOCAL] ? tb[IFA_LOCAL] : tb[IFA_ADDRESS], i->ifa_family, a->ifindex,
                 &a->addr);
        if (!addr_is_set(&a->addr))
                return 0;
        (void)if_indextoname(i->ifa_index, a->ifname);
        l->n++;
        return 0;
}

static int query_addrs(int family, AddrList *l)
{
        _cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
        struct ifaddrmsg i = {.ifa_family = (unsigned char)family};

        int r = netlink_message_new(RTM_GETADDR, NLM_F_DUMP, &i, sizeof(i), &msg);
        return r < 0 ? r : netlink_request(NETLINK_ROUTE, msg, parse_addr, l);
}

int netlink_addrs(int family, NetAddr **ret, size_t *ret_n)
{
        AddrList l = {0};

        int r = family == AF_INET6 ? 0 : query_addrs(AF_INET, &l);
        if (r >= 0 && family != AF_INET)
                r = query_addrs(AF_INET6, &l);
        if (r < 0) {
                free(l.addrs);
                return r;
        }
        *ret = l.addrs;
        *ret_n = l.n;
        return 0;
}

int netlink_is_own(const Addr *addr)
{
        NetRoute route;

        /* The local table knows more than the list of addresses: all of 127/8 is ours too. */
        int r = netlink_route(addr, NULL, 0, &route);
        if (r == -ENETUNREACH || r == -EHOSTUNREACH || r == -EACCES || r == -EINVAL)
                return 0;
        return r < 0 ? r : route.local;
}

/* --- route -------------------------------------------------------------------------------------
 */

static int parse_route(struct nlmsghdr *h, void *arg)
{
        NetRoute *route = arg;
        struct nlattr *tb[RTA_MAX + 1], *metrics[RTAX_MAX + 1];

        if (h->nlmsg_type != RTM_NEWROUTE)
                return 0;
        if (nlmsg_parse(h, sizeof(struct rtmsg), tb, RTA_MAX, NULL) < 0)
                return -EBADMSG;
        const struct rtmsg *m = nlmsg_data(h);
        *route = (NetRoute){
                .ifindex = (int)get_u32(tb[RTA_OIF]),
                .local = m->rtm_type == RTN_LOCAL,
        };
        get_addr(tb[RTA_PREFSRC], m->rtm_family, route->ifindex, &route->source);
        get_addr(tb[RTA_GATEWAY], m->rtm_family, route->ifindex, &route->gateway);
        if (tb[RTA_VIA] && (size_t)nla_len(tb[RTA_VIA]) >= sizeof(struct rtvia) + 16) {
                /* an IPv4 route through an IPv6 gateway */
                const struct rtvia *via = nla_data(tb[RTA_VIA]);
                route->gateway = (Addr){.family = AF_INET6, .scope = (uint32_t)route->ifindex};
                memcpy(&route->gateway.in6, via->rtvia_addr, 16);
        }
        if (tb[RTA_METRICS] && nla_parse_nested(metrics, RTAX_MAX, tb[RTA_METRICS], NULL) >= 0)
                route->mtu = get_u32(metrics[RTAX_MTU]);
        if (route->ifindex > 0)
                (void)if_indextoname((unsigned)route->ifindex, route->ifname);
        return 0;
}

int netlink_route(const Addr *dst, const Addr *from, int ifindex, NetRoute *ret)
{
        _cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
        NetRoute route = {0};

        if (!addr_is_set(dst) || (from && from->family != dst->family))
                return -EAFNOSUPPORT;
        uint8_t bits = (uint8_t)(addr_size(dst->family) * 8);
        struct rtmsg m = {
                .rtm_family = (unsigned char)dst->family,
                .rtm_dst_len = bits,
                .rtm_src_len = from ? bits : 0,
        };
        int r = netlink_message_new(RTM_GETROUTE, 0, &m, sizeof(m), &msg);
        if (r >= 0)
                r = put_addr(msg, RTA_DST, dst);
        if (r >= 0 && from)
                r = put_addr(msg, RTA_SRC, from);
        uint32_t oif = ifindex > 0 ? (uint32_t)ifindex : dst->scope;
        if (r >= 0 && oif > 0 && nla_put_u32(msg, RTA_OIF, oif) < 0)
                r = -ENOMEM;
        if (r >= 0)
                r = netlink_request(NETLINK_ROUTE, msg, parse_route, &route);
        if (r < 0)
                return r;
        /* asked from an address, the kernel does not repeat it */
        if (!addr_is_set(&route.source) && from)
                route.source = *from;
        *ret = route;
        return 0;
}

/* --- neighbour ---------------------------------------------------------------------------------
 */

typedef struct NeighQuery {
        const Addr *addr;
        int ifindex;
        NeighState state;
} NeighQuery;

static NeighState neigh_state_from_nud(uint16_t nud)
{
        static const struct {
                uint16_t nud;
                NeighState state;
        } map[] = {
                {NUD_INCOMPLETE, NEIGH_INCOMPLETE}, {NUD_REACHABLE, NEIGH_REACHABLE},
                {NUD_STALE, NEIGH_STALE},           {NUD_DELAY, NEIGH_DELAY},
                {NUD_PROBE, NEIGH_PROBE},           {NUD_FAILED, NEIGH_FAILED},
                {NUD_NOARP, NEIGH_NOARP},           {NUD_PERMANENT, NEIGH_PERMANENT},
        };
        for (size_t i = 0; i < ELEMENTSOF(map); i++)
                if (nud & map[i].nud)
                        return map[i].state;
        return NEIGH_NONE;
}

static int parse_neigh(struct nlmsghdr *h, void *arg)
{
        NeighQuery *q = arg;
        struct nlattr *tb[NDA_MAX + 1];
        Addr dst = {0};

        if (h->nlmsg_type != RTM_NEWNEIGH)
                return 0;
        if (nlmsg_parse(h, sizeof(struct ndmsg), tb, NDA_MAX, NULL) < 0)
                return -EBADMSG;
        const struct ndmsg *m = nlmsg_data(h);
        if (m->ndm_ifindex != q->ifindex)
                return 0;
        get_addr(tb[NDA_DST], m->ndm_family, m->ndm_ifindex, &dst);
        if (dst.family == q->addr->family &&
            memcmp(&dst.in, &q->addr->in, addr_size(dst.family)) == 0)
                q->state = neigh_state_from_nud(m->ndm_state);
        return 0;
}

int netlink_neigh(const Addr *addr, int ifindex, NeighState *ret)
{
        _cleanup_(nlmsg_freep) struct nl_msg *msg = NULL;
        NeighQuery q = {.addr = addr, .ifindex = ifindex, .state = NEIGH_NONE};

        if (!addr_is_set(addr))
                return -EAFNOSUPPORT;
        struct ndmsg m = {.ndm_family = (uint8_t)addr->family, .ndm_ifindex = ifindex};
        int r = netlink_message_new(RTM_GETNEIGH, 0, &m, sizeof(m), &msg);
        if (r >= 0)
                r = put_addr(msg, NDA_DST, addr);
        if (r >= 0)
                r = netlink_request(NETLINK_ROUTE, msg, parse_neigh, &q);
        if (r == -ENOENT)
                r = 0;
        if (r < 0)
                return r;
        *ret = q.state;
        return 0;
}

/* --- monitor -----------------------------------------------------------------------------------
 */

struct NetMonitor {
        struct nl_sock *sk;
        sd_event_source *io;
        net_monitor_cb cb;
        void *userdata;
        unsigned changed; /* of the burst being read */
};

static int on_monitor_message(struct nl_msg *msg, void *arg)
{
        NetMonitor *m = arg;

        switch (nlmsg_hdr(msg)->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
                m->changed |= NETLINK_CHANGE_LINK;
                break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
                m->changed |= NETLINK_CHANGE_ADDR;
                break;
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
                m->changed |= NETLINK_CHANGE_ROUTE;
                break;
        default:
                break;
        }
        return NL_OK;
}

/* One wake reads at most this many datagrams: the rest wakes the loop again, so that a storm of
 * link changes cannot keep it from everything else. */
#define MONITOR_READS_MAX 64

static int on_monitor_io(sd_event_source *s, int fd, uint32_t revents, void *userdata)
{
        NetMonitor *m = userdata;
        int r = 0;

        for (int i = 0; i < MONITOR_READS_MAX && r >= 0; i++)
                r = nl_recvmsgs_default(m->sk);
        if (r == -NLE_NOMEM) /* ENOBUFS: messages were lost */
                m->changed = NETLINK_CHANGE_LINK | NETLINK_CHANGE_ADDR | NETLINK_CHANGE_ROUTE;

        unsigned changed = m->changed;
        m->changed = 0;
        if (changed)
                m->cb(m, changed, m->userdata);
        return 0;
}

static int monitor_open(NetMonitor *m)
{
        m->sk = nl_socket_alloc();
        if (!m->sk)
                return -ENOMEM;
        nl_socket_disable_seq_check(m->sk);
        nl_socket_disable_auto_ack(m->sk);
        nl_socket_modify_cb(m->sk, NL_CB_VALID, NL_CB_CUSTOM, on_monitor_message, m);
        if (nl_connect(m->sk, NETLINK_ROUTE) < 0)
                return ERRNO_OR(EIO);
        if (nl_socket_add_memberships(m->sk, RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR,
                                      RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NONE) < 0 ||
            nl_socket_set_nonblocking(m->sk) < 0)
                return ERRNO_OR(EIO);
        return 0;
}

int net_monitor_new(sd_event *event, net_monitor_cb cb, void *userdata, NetMonitor **ret)
{
        _cleanup_(net_monitor_freep) NetMonitor *m = new0(NetMonitor, 1);
        if (!m)
                return -ENOMEM;
        *m = (NetMonitor){.cb = cb, .userdata = userdata};

        int r = monitor_open(m);
        if (r >= 0)
                r = sd_event_add_io(event, &m->io, nl_socket_get_fd(m->sk), EPOLLIN, on_monitor_io,
                                    m);
        if (r < 0)
                return r;
        *ret = TAKE_PTR(m);
        return 0;
}

NetMonitor *net_monitor_free(NetMonitor *m)
{
        if (!m)
                return NULL;
        sd_event_source_disable_unref(m->io);
        if (m->sk)
                nl_socket_free(m->sk);
        free(m);
        return NULL;
}
