/* The kernel's counters of this network namespace, from /proc/net; no privilege needed. They count
 * what everybody does: only a rise, and only one that fits, is evidence. */
#pragma once

#include "base/macro.h"

/* A counter of /proc/net/netstat or /proc/net/snmp: group "TcpExt:", name "TCPRetransFail". -ENOENT
 * when it is not there, -EINVAL when the text is not of the form. */
int netstat_value(const char *text, const char *group, const char *name, uint64_t *ret);
/* A counter of /proc/net/snmp6: "Ip6OutNoRoutes". */
int snmp6_value(const char *text, const char *name, uint64_t *ret);
/* Packets that an interface has sent; of /proc/net/dev, whose counters the virtual interfaces keep
 * exact. -ENOENT, -EINVAL. */
int netdev_tx_packets(const char *text, const char *ifname, uint64_t *ret);

/* The same, read now. */
int netstat_read_value(const char *group, const char *name, uint64_t *ret);
int netdev_read_tx_packets(const char *ifname, uint64_t *ret);

/* What tells a head's side of a connection that does not come to be (probe.md 2.4). */
typedef struct NetCounters {
        uint64_t listen_overflows; /* TcpExt.ListenOverflows */
        uint64_t listen_drops;     /* TcpExt.ListenDrops */
        uint64_t rp_filter;        /* TcpExt.IPReversePathFilter: IPv4 */
        uint64_t no_routes;        /* OutNoRoutes of the IP version asked for */
        uint64_t resets;           /* Tcp.OutRsts */
        bool undelivered_known;
        /* Packets of that version that came and went no further, without a counter of its own that
         * says why: netfilter threw them away. The kernel drops multicast of strange groups just as
         * silently: it is left out of the first and is in the second, so that the truth lies
         * between. No counts by themselves (they may be negative): only the difference of two is.
         */
        int64_t undelivered, undelivered_most;
} NetCounters;

/* family: AF_INET or AF_INET6. Negative errno when they cannot be read. */
int netstat_counters(int family, NetCounters *ret);
/* The same from the text of /proc/net/netstat and /proc/net/snmp, one behind the other, and of
 * /proc/net/snmp6 (or NULL). -ENOENT when one that every kernel has is missing. */
int netstat_counters_parse(int family, const char *text, const char *text6, NetCounters *ret);
