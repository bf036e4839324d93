/* The kernel's network tables by rtnetlink (libnl-3): links, addresses, the route to an address,
 * a neighbour's state; and a monitor that tells when one of them changes.
 *
 * The look-ups are synchronous: the kernel answers in the send call, nothing leaves the machine.
 * No privilege is needed. */
#pragma once

#include <systemd/sd-event.h>

#include "base/addr.h"
#include "base/strtab.h"

/* A machine room node has tens of interfaces; a container host has some thousands of veths. What is
 * beyond is not read. */
#define NETLINK_LINKS_MAX 8192
#define NETLINK_ADDRS_MAX 16384

typedef struct NetLink {
        int ifindex;
        char name[IF_NAMESIZE];
        bool up;       /* administratively */
        bool carrier;  /* IFF_LOWER_UP: a cable, a peer */
        bool loopback; /* IFF_LOOPBACK */
        uint32_t mtu;  /* bytes */
} NetLink;

typedef struct NetAddr {
        Addr addr; /* port 0 */
        unsigned prefix_len;
        int ifindex;
        char ifname[IF_NAMESIZE];
        bool global;    /* scope global: neither host nor link */
        bool temporary; /* IPv6 privacy address */
        bool usable;    /* neither tentative, duplicate nor deprecated */
} NetAddr;

/* How the kernel would send to an address. */
typedef struct NetRoute {
        Addr source;  /* the address it would send from; unset when the kernel does not say */
        Addr gateway; /* unset when the destination is on the link */
        int ifindex;
        char ifname[IF_NAMESIZE];
        bool local;   /* the destination is this machine */
        uint32_t mtu; /* of the route cache (PMTU), 0 = not known */
} NetRoute;

/* The kernel's NUD_* states, named. */
typedef enum NeighState {
        NEIGH_NONE,       /* no entry: not asked yet */
        NEIGH_INCOMPLETE, /* asked, no answer yet */
        NEIGH_REACHABLE,
        NEIGH_STALE,
        NEIGH_DELAY,
        NEIGH_PROBE,
        NEIGH_FAILED,    /* asked three times, silence */
        NEIGH_NOARP,     /* the link has no neighbours to ask (tunnel, loopback) */
        NEIGH_PERMANENT, /* set by hand */
        _NEIGH_STATE_MAX,
        _NEIGH_STATE_INVALID = -EINVAL,
} NeighState;

DECLARE_STRTAB(neigh_state, NeighState);

/* The arrays belong to the caller (free()). All return 0 or a negative errno. */
int netlink_links(NetLink **ret, size_t *ret_n);
/* family: AF_INET, AF_INET6 or AF_UNSPEC for both, IPv4 first. */
int netlink_addrs(int family, NetAddr **ret, size_t *ret_n);
/* -ENODEV */
int netlink_link_by_name(const char *name, NetLink *ret);
int netlink_link_by_index(int ifindex, NetLink *ret);

/* The route to dst (its scope counts as interface), optionally from an own address and/or through
 * one interface (0 = any). The kernel's own errno when there is none: -ENETUNREACH (no route),
 * -EINVAL (blackhole), -EHOSTUNREACH (unreachable), -EACCES (prohibit) (probe.md A13, A14). */
int netlink_route(const Addr *dst, const Addr *from, int ifindex, NetRoute *ret);

/* What the kernel knows of addr on the link; NEIGH_NONE when there is no entry. */
int netlink_neigh(const Addr *addr, int ifindex, NeighState *ret);

/* Whether addr is one of this machine's own (any interface, loopback too): > 0, 0 or -errno. */
int netlink_is_own(const Addr *addr);

enum {
        NETLINK_CHANGE_LINK = 1 << 0,
        NETLINK_CHANGE_ADDR = 1 << 1,
        NETLINK_CHANGE_ROUTE = 1 << 2,
};

typedef struct NetMonitor NetMonitor;

/* Once a burst of messages, with everything that changed in it as NETLINK_CHANGE_*; after an
 * overrun of the socket all bits. Freeing the monitor inside is allowed. */
typedef void (*net_monitor_cb)(NetMonitor *m, unsigned changed, void *userdata);

int net_monitor_new(sd_event *event, net_monitor_cb cb, void *userdata, NetMonitor **ret);
NetMonitor *net_monitor_free(NetMonitor *m);
DEFINE_CLEANUP(NetMonitor *, net_monitor_free);
